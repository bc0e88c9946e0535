// The plots of a board.

const drawPlots = (() => {
  const {
    axis,
    cut,
    describeLine,
    endLabels,
    faded,
    forgetGone,
    graph,
    hover,
    intervals,
    legend,
    logAxis,
    markedStroke,
    markers,
    pointTrace,
    protocolName,
    range,
    redraw,
    shortNames,
    shown,
    signsOf,
    stroke,
    symbolOf,
    widest,
    withInterval,
    written,
  } = plotting;

  const COSTS = {
    fps: {
      title: "Quality against speed",
      axis: "images a second (FPS)",
      how: "Higher is better, further right is faster.",
      unknown: "the speed is not known",
      write: (value) => String(Number(value.toPrecision(3))),
    },
    all_parameters: {
      title: "Quality against size",
      axis: "parameters of all that runs, a restorer included",
      how: "Higher is better, further left is smaller.",
      unknown: "not all parameters are known",
      write: countOf,
    },
  };
  const FRONT_DASHES = ["dash", "dot", "dashdot", "longdash"];
  const CURVE_DASHES = ["solid", "dash", "dot", "dashdot", "longdash"];
  const CURVE_COLOURS = ["--dt", "--r2s", "--ft", "--restore"];
  const ALL_SHOWN = 6;
  const SHOWN_OF_A_PROTOCOL = 2;
  const SEARCHABLE = 12;
  const WIDE = 440;

  function countOf(value) {
    const units = [
      [1e9, " G"],
      [1e6, " M"],
      [1e3, " k"],
      [0, ""],
    ];
    const [scale, unit] = units.find(([least]) => value >= least);
    return `${Number((value / (scale || 1)).toPrecision(4))}${unit}`;
  }

  const cellOf = (line, metric) => line.cells[metric.id];
  const isKnown = (line, metric) => typeof cellOf(line, metric)?.value === "number";
  const isRanked = (line, metric) => isKnown(line, metric) && cellOf(line, metric).rank !== null;
  const byQuality = (metric) => (a, b) =>
    (metric.higher_is_better ? 1 : -1) * (cellOf(b, metric).value - cellOf(a, metric).value);
  const higherOrLower = (metric) => (metric.higher_is_better ? "Higher" : "Lower");

  // Of an axis, with no room for shares that cannot be.
  function rangeOf(metric, values) {
    if (!values.length) return [0, 1];
    const [low, high] = range(values.map((value) => shown(metric, value)));
    return metric.is_percent ? [Math.max(low, -2), Math.min(high, 102)] : [low, high];
  }

  const titleOf = ({ id, heading }) =>
    id.startsWith("psnr/") && !heading.includes("dB") ? `${heading} dB` : heading;

  // Who is not drawn, and why.
  function leftOut(apart, metric) {
    if (!apart.length) return null;
    const named = apart
      .slice(0, 3)
      .map((line) => `${cut(line.name, 60)} (${cellOf(line, metric).not_ranked})`);
    const more = apart.length > 3 ? `; ${apart.length - 3} more` : "";
    return `Left out, as it stands in no ranking: ${named.join("; ")}${more}.`;
  }

  // Quality against a cost

  function costFigure(board, cost, names) {
    const [metric] = board.metrics;
    const known = board.lines.filter((line) => line[cost] !== null && isKnown(line, metric));
    const drawn = known.filter((line) => isRanked(line, metric)).sort(byQuality(metric));
    if (!drawn.length) return null;
    const fronts = board.fronts.filter((front) => front.axis === cost && front.best.length > 1);
    const best = new Set(
      board.fronts.filter((front) => front.axis === cost).flatMap((front) => front.best),
    );
    drawn.sort((a, b) => best.has(b.id) - best.has(a.id));
    const { title, how, unknown } = COSTS[cost];
    const unstated = board.lines.filter((line) => line[cost] === null && isRanked(line, metric));
    const hasReported = cost === "fps" && drawn.some((line) => line.kind === "reported");
    return {
      title,
      how:
        how.replace("Higher", higherOrLower(metric)) +
        " Nothing of the same group beats a line on its dashed front in both." +
        (drawn.some((line) => cellOf(line, metric).ci95) ? " Thin bars: 95 % intervals." : ""),
      notes: [
        hasReported &&
          "Reported speeds hold on their authors’ devices: a group of their own, not to be " +
            "compared with measured ones.",
        leftOut(
          known.filter((line) => !isRanked(line, metric)),
          metric,
        ),
        unstated.length && `Not drawn: ${unstated.length} of which ${unknown}.`,
      ],
      legend: legend(
        ...signsOf(drawn),
        ...fronts.map((front, place) => [
          stroke(FRONT_DASHES[place % FRONT_DASHES.length]),
          `front: ${cut(front.group, 60)}`,
        ]),
      ),
      body: graph(`${title}, ${drawn.length} points`, 330, (width) =>
        costPlot({ metric, cost, drawn, fronts, names }, width),
      ),
      table: costTable({ metric, cost, drawn, fronts, best }),
    };
  }

  function costPlot({ metric, cost, drawn, fronts, names }, width) {
    const cells = drawn.map((line) => cellOf(line, metric));
    const { axis: title, write } = COSTS[cost];
    const margin = { l: 52, r: 18, t: 28, b: 50 };
    const room = width - margin.l - margin.r;
    const ends = cells.flatMap(({ value, ci95 }) => [value, ...(ci95 ?? [])]);
    const shape = {
      width,
      height: Math.round(Math.min(440, Math.max(330, 0.62 * width))),
      margin,
      xaxis: logAxis(
        title,
        drawn.map((line) => line[cost]),
        write,
        room,
      ),
      yaxis: { ...axis(titleOf(metric)), range: rangeOf(metric, ends) },
    };
    const points = drawn.map((line, place) => ({
      line,
      x: line[cost],
      y: shown(metric, cells[place].value),
      label: cut(names.get(line.id), width < WIDE ? 18 : 30),
      hover: [
        describeLine(line),
        hover(
          `${metric.heading}: ${withInterval(cells[place])}`,
          `${cost === "fps" ? "FPS" : "parameters"}: ${write(line[cost])}`,
        ),
      ].join("<br>"),
    }));
    const strokes = [
      ...fronts.flatMap((front) => stairs(front, metric)),
      ...bars(points, metric, cells),
    ];
    const trace = { ...pointTrace(points, shape, strokes), error_y: intervals(metric, cells) };
    return { data: [...fronts.map((front, place) => edge(front, metric, place)), trace], shape };
  }

  const corner = (front, metric) => (id) => [
    lineOf(id)[front.axis],
    shown(metric, cellOf(lineOf(id), metric).value),
  ];

  // A front as a staircase: what lies below it is beaten.
  const edge = (front, metric, place) => ({
    type: "scatter",
    mode: "lines",
    x: front.best.map((id) => corner(front, metric)(id)[0]),
    y: front.best.map((id) => corner(front, metric)(id)[1]),
    line: {
      shape: "hv",
      dash: FRONT_DASHES[place % FRONT_DASHES.length],
      width: 1.5,
      color: cssColour("--faint"),
    },
    hoverinfo: "skip",
  });

  // The strokes of that staircase: along, then up.
  function stairs(front, metric) {
    const corners = front.best.map(corner(front, metric));
    return corners.slice(1).flatMap(([x, y], place) => {
      const [fromX, fromY] = corners[place];
      return [
        [
          [fromX, fromY],
          [x, fromY],
        ],
        [
          [x, fromY],
          [x, y],
        ],
      ];
    });
  }

  const bars = (points, metric, cells) =>
    points.flatMap(({ x }, place) =>
      cells[place].ci95 ? [cells[place].ci95.map((end) => [x, shown(metric, end)])] : [],
    );

  function costTable({ metric, cost, drawn, fronts, best }) {
    const groupOf = (line) =>
      fronts.find((front) => front.lines.includes(line.id))?.group ?? line.device ?? line.source;
    return {
      head: [
        "line",
        "protocol",
        "kind",
        "group",
        metric.heading,
        "95 % interval",
        COSTS[cost].axis,
        "on the front",
      ],
      rows: () =>
        drawn.map((line) => [
          line.name,
          protocolName(line.protocol),
          line.kind,
          groupOf(line) ?? "–",
          cellOf(line, metric).text,
          cellOf(line, metric).ci95_text,
          COSTS[cost].write(line[cost]),
          best.has(line.id) ? "yes" : "no",
        ]),
    };
  }

  // Quality against strength

  const selections = new Map();

  // Chosen lines and the place of their dash; what a reader chose stays while the page is open.
  function selectionOf(board, candidates) {
    if (!selections.has(board.id)) {
      const chosen = new Map();
      selections.set(board.id, chosen);
      const few = candidates.length <= ALL_SHOWN ? candidates : bestOfEach(candidates, board);
      for (const line of few) choose(chosen, line);
    }
    return selections.get(board.id);
  }

  function bestOfEach(candidates, { metrics: [metric] }) {
    const counts = {};
    return candidates.filter((line) => {
      if (!isRanked(line, metric)) return false;
      counts[line.protocol] = (counts[line.protocol] ?? 0) + 1;
      return counts[line.protocol] <= SHOWN_OF_A_PROTOCOL;
    });
  }

  // The first place that no chosen line of the same protocol has.
  function choose(chosen, line) {
    const taken = [...chosen]
      .filter(([id]) => lineOf(id).protocol === line.protocol)
      .map(([, place]) => place);
    let place = 0;
    while (taken.includes(place)) place += 1;
    chosen.set(line.id, place);
  }

  // A line has the colour of its protocol and a dash of its own; where there is one protocol only,
  // colours tell the lines apart.
  function styleOf(line, { chosen, isMixed }) {
    const place = chosen.get(line.id) ?? 0;
    const step = isMixed ? place : Math.floor(place / CURVE_COLOURS.length);
    return {
      variable: isMixed ? `--${line.protocol}` : CURVE_COLOURS[place % CURVE_COLOURS.length],
      dash: CURVE_DASHES[step % CURVE_DASHES.length],
    };
  }

  function strengthFigure(board, names) {
    if (!board.factors.length) return null;
    const [metric] = board.metrics;
    const drawnIds = new Set(
      board.factors.flatMap((factor) => factor.curves.map((curve) => curve.line)),
    );
    const candidates = board.lines
      .filter((line) => drawnIds.has(line.id) && isKnown(line, metric))
      .sort(byQuality(metric));
    const state = {
      chosen: selectionOf(board, candidates),
      isMixed: new Set(candidates.map((line) => line.protocol)).size > 1,
      pointed: null,
    };
    const graphs = board.factors.map((factor) =>
      graph(`${metric.heading} against ${factor.axis}`, 280, (width) =>
        strengthPlot({ board, factor, names, state }, width),
      ),
    );
    const update = () => graphs.forEach(redraw);
    return {
      title: "Quality against the strength of the degradation",
      how:
        `${higherOrLower(metric)} is better, and further right is harder in each of the plots. ` +
        "A point stands for the share of the images whose strength is about the same; the shade " +
        "around a curve is its 95 % interval.",
      notes: [],
      legend: chooser({ board, candidates, names, state, update }),
      body: element("div", { class: "multiples" }, ...graphs),
      table: strengthTable(board, state.chosen),
    };
  }

  function strengthPlot({ board, factor, names, state }, width) {
    const [metric] = board.metrics;
    const curves = factor.curves.filter((curve) => state.chosen.has(curve.line));
    const middles = factor.bins.map((bin) => bin.middle);
    const [low, high] = range(middles);
    const shape = {
      width,
      height: 280,
      margin: { l: 48, r: 14, t: 26, b: 46 },
      xaxis: { ...axis(factor.axis), range: factor.harder_when_lower ? [high, low] : [low, high] },
      yaxis: { ...axis(titleOf(metric)), range: commonRange(board, state.chosen) },
    };
    const data = curves.flatMap((curve) => {
      const line = lineOf(curve.line);
      const { variable, dash } = styleOf(line, state);
      const colour = cssColour(variable);
      const isFaint = state.pointed !== null && state.pointed !== line.id;
      return [
        shade(metric, middles, curve, faded(colour, isFaint ? 0.03 : 0.13)),
        {
          ...curveTrace(metric, factor, curve),
          line: { color: colour, width: 2, dash },
          marker: { size: 7, symbol: symbolOf(line.protocol), color: colour },
          opacity: isFaint ? 0.2 : 1,
        },
      ];
    });
    return { data, shape };
  }

  // The same for all factors, so that their curves can be compared.
  function commonRange(board, chosen) {
    const [metric] = board.metrics;
    const curves = board.factors
      .flatMap((factor) => factor.curves)
      .filter((curve) => chosen.has(curve.line));
    const ends = curves
      .flatMap((curve) => [...curve.values, ...curve.ci95.flat()])
      .filter((value) => typeof value === "number");
    return rangeOf(metric, ends);
  }

  function curveTrace(metric, factor, curve) {
    const line = lineOf(curve.line);
    const texts = factor.bins.map((bin, place) => {
      const value = curve.values[place];
      const [from, to] = [bin.low, bin.high].map((end) => Number(end.toPrecision(3)));
      return [
        hover(line.name, protocolName(line.protocol)),
        hover(
          `${factor.axis} ${from} to ${to}, ${bin.images} images`,
          `${metric.heading}: ${value === null ? "undefined" : withBounds(metric, curve, place)}`,
        ),
      ].join("<br>");
    });
    return {
      type: "scatter",
      mode: "lines+markers",
      x: factor.bins.map((bin) => bin.middle),
      y: curve.values.map((value) => (value === null ? null : shown(metric, value))),
      hovertext: texts,
      hoverinfo: "text",
      customdata: factor.bins.map(() => line.id),
      cliponaxis: false,
    };
  }

  function withBounds(metric, { values, ci95 }, place) {
    const bounds = ci95[place]?.map((end) => written(metric, end)).join("–");
    return written(metric, values[place]) + (bounds ? ` (95 % interval ${bounds})` : "");
  }

  // The interval around a curve: a polygon for each stretch without a gap.
  function shade(metric, middles, curve, colour) {
    const x = [];
    const y = [];
    let stretch = [];
    const close = () => {
      const back = stretch.toReversed();
      x.push(...stretch.map(({ at }) => at), ...back.map(({ at }) => at), null);
      y.push(...stretch.map(({ high }) => high), ...back.map(({ low }) => low), null);
      stretch = [];
    };
    curve.ci95.forEach((bounds, place) => {
      if (bounds === null) return close();
      const [low, high] = bounds.map((end) => shown(metric, end));
      stretch.push({ at: middles[place], low, high });
    });
    close();
    const line = { width: 0 };
    return {
      type: "scatter",
      mode: "lines",
      x,
      y,
      fill: "toself",
      fillcolor: colour,
      line,
      hoverinfo: "skip",
    };
  }

  function strengthTable(board, chosen) {
    const [metric] = board.metrics;
    const number = (value) => String(Number(value.toPrecision(3)));
    return {
      head: ["factor", "line", "protocol", "from", "to", "images", metric.heading, "95 % interval"],
      rows: () =>
        board.factors.flatMap((factor) =>
          factor.curves
            .filter((curve) => chosen.has(curve.line))
            .flatMap((curve) =>
              factor.bins.map((bin, place) => [
                factor.axis,
                lineOf(curve.line).name,
                protocolName(lineOf(curve.line).protocol),
                number(bin.low),
                number(bin.high),
                bin.images,
                curve.values[place] === null ? "–" : written(metric, curve.values[place]),
                curve.ci95[place]?.map((end) => written(metric, end)).join("–") ?? "–",
              ]),
            ),
        ),
    };
  }

  // Chips that choose the lines of all factors.
  function chooser({ board, candidates, names, state, update }) {
    const { chosen } = state;
    const chips = new Map();
    const inOrder = [...candidates].sort((a, b) => chosen.has(b.id) - chosen.has(a.id));
    const show = (line) => {
      const chip = chips.get(line.id);
      chip.setAttribute("aria-pressed", chosen.has(line.id));
      chip.firstChild.replaceWith(markedStroke(line.protocol, styleOf(line, state)));
    };
    const point = (id) => {
      if (state.pointed === id) return;
      state.pointed = id;
      update();
    };
    const toggle = (line) => {
      if (!chosen.delete(line.id)) choose(chosen, line);
      state.pointed = null;
      show(line);
      update();
    };
    for (const line of inOrder) {
      const text = element("bdi", {}, cut(names.get(line.id), 40));
      const tag = element("span", { class: "protocol" }, protocolName(line.protocol));
      const chip = element(
        "button",
        {
          type: "button",
          class: "chip",
          title: line.name,
          onclick: () => toggle(line),
          onpointerenter: ({ pointerType }) =>
            pointerType === "mouse" && chosen.has(line.id) && point(line.id),
          onpointerleave: () => point(null),
        },
        stroke("solid"),
        text,
        tag,
      );
      chips.set(line.id, chip);
      show(line);
    }
    const list = element("div", { class: "choice" }, ...chips.values());
    return element(
      "fieldset",
      { class: "curves" },
      element("legend", {}, `Lines, ${candidates.length} in all`),
      candidates.length > SEARCHABLE ? search(candidates, chips) : null,
      list,
    );
  }

  function search(candidates, chips) {
    const box = element("input", {
      type: "search",
      placeholder: "name or protocol",
      "aria-label": "Find a line",
    });
    box.addEventListener("input", () => {
      const words = box.value.toLowerCase();
      for (const line of candidates) {
        const text = `${line.name} ${protocolName(line.protocol)}`.toLowerCase();
        chips.get(line.id).hidden = !text.includes(words);
      }
    });
    return box;
  }

  // One model under several protocols

  function slopeFigure(board) {
    if (!board.slopes.length) return null;
    const [metric] = board.metrics;
    const drawn = board.slopes.flatMap((slope) => slope.points.map(([, id]) => lineOf(id)));
    return {
      title: "From protocol to protocol",
      how:
        `${higherOrLower(metric)} is better; each line is one model: as it is, behind a restorer, ` +
        "and trained on degraded photos.",
      notes: [],
      legend: legend(...signsOf(drawn)),
      body: graph(`${metric.heading} of ${board.slopes.length} models by protocol`, 340, (width) =>
        slopePlot(board, width),
      ),
      table: {
        head: ["model", "protocol", "line", "kind", metric.heading, "95 % interval"],
        rows: () =>
          board.slopes.flatMap((slope) =>
            slope.points.map(([protocol, id]) => [
              slope.model,
              protocolName(protocol),
              lineOf(id).name,
              lineOf(id).kind,
              cellOf(lineOf(id), metric).text,
              cellOf(lineOf(id), metric).ci95_text,
            ]),
          ),
      },
    };
  }

  function slopePlot(board, width) {
    const [metric] = board.metrics;
    const protocols = ["dt", "r2s", "ft"].filter((protocol) =>
      board.slopes.some((slope) => slope.points.some(([one]) => one === protocol)),
    );
    const values = board.slopes.flatMap((slope) =>
      slope.points.map(([, id]) => cellOf(lineOf(id), metric).value),
    );
    const longest = width < WIDE ? 15 : 28;
    const texts = board.slopes.map((slope) => cut(slope.model, longest));
    const shape = {
      width,
      height: Math.min(560, Math.max(340, 70 + 14.5 * board.slopes.length)),
      margin: { l: 52, r: 18 + widest(texts), t: 26, b: 36 },
      xaxis: {
        ...axis(""),
        range: [-0.12, protocols.length - 0.92],
        tickvals: protocols.map((_, place) => place),
        ticktext: protocols.map(protocolName),
      },
      yaxis: { ...axis(titleOf(metric)), range: rangeOf(metric, values) },
    };
    const traces = board.slopes.map((slope) => slopeTrace(slope, metric, protocols));
    const ends = traces.map(({ x, y }, place) => ({
      x: x.at(-1),
      y: y.at(-1),
      text: texts[place],
    }));
    return { data: traces, shape: { ...shape, annotations: endLabels(ends, shape) } };
  }

  const slopeTrace = ({ model, points }, metric, protocols) => {
    const stops = points.map(([, id]) => lineOf(id));
    return {
      type: "scatter",
      mode: "lines+markers",
      x: points.map(([protocol]) => protocols.indexOf(protocol)),
      y: stops.map((line) => shown(metric, cellOf(line, metric).value)),
      hovertext: stops.map((line) =>
        [
          hover(model),
          describeLine(line),
          hover(`${metric.heading}: ${withInterval(cellOf(line, metric))}`),
        ].join("<br>"),
      ),
      hoverinfo: "text",
      customdata: stops.map((line) => line.id),
      line: { color: faded(cssColour("--faint"), 0.7), width: 1.8 },
      marker: markers(stops, 9),
      cliponaxis: false,
    };
  };

  // Perception against distortion

  function perceptionFigures(board, names) {
    const of = (kind) => board.metrics.filter((metric) => metric.id.startsWith(`${kind}/`));
    return of("psnr").flatMap((distortion) =>
      of("maniqa").map((perception) => perceptionFigure({ board, distortion, perception, names })),
    );
  }

  function perceptionFigure({ board, distortion, perception, names }) {
    const both = [distortion, perception];
    const known = board.lines.filter((line) => both.every((metric) => isKnown(line, metric)));
    const drawn = known
      .filter((line) => both.every((metric) => isRanked(line, metric)))
      .sort(byQuality(perception));
    if (!drawn.length) return null;
    const unranked = (metric) => known.filter((line) => !isRanked(line, metric));
    return {
      title: "Perception against distortion",
      how:
        "Further right is closer to the clean photo, higher looks better to a learned judge; no " +
        "restorer has all of both.",
      notes: [leftOut(unranked(distortion), distortion), leftOut(unranked(perception), perception)],
      legend: legend(...signsOf(drawn)),
      body: graph(`${perception.heading} against ${distortion.heading}`, 360, (width) =>
        perceptionPlot({ drawn, distortion, perception, names }, width),
      ),
      table: {
        head: ["line", "kind", "source", distortion.heading, perception.heading],
        rows: () =>
          drawn.map((line) => [
            line.name,
            line.kind,
            line.source ?? "–",
            cellOf(line, distortion).text,
            cellOf(line, perception).text,
          ]),
      },
    };
  }

  function perceptionPlot({ drawn, distortion, perception, names }, width) {
    const along = (metric) => drawn.map((line) => shown(metric, cellOf(line, metric).value));
    const [xs, ys] = [along(distortion), along(perception)];
    const shape = {
      width,
      height: Math.round(Math.min(480, Math.max(360, 0.7 * width))),
      margin: { l: 56, r: 18, t: 28, b: 50 },
      xaxis: { ...axis(titleOf(distortion)), range: range(xs) },
      yaxis: { ...axis(perception.heading), range: range(ys) },
    };
    const points = drawn.map((line, place) => ({
      line,
      x: xs[place],
      y: ys[place],
      label: cut(names.get(line.id), width < WIDE ? 18 : 30),
      hover: [
        describeLine(line),
        ...[distortion, perception].map((metric) =>
          hover(`${metric.heading}: ${withInterval(cellOf(line, metric))}`),
        ),
      ].join("<br>"),
    }));
    return { data: [pointTrace(points, shape)], shape };
  }

  // All of them

  function numbers({ head, rows }) {
    const table = element("div", { class: "scroll tall" });
    const details = element(
      "details",
      { class: "numbers" },
      element("summary", {}, "Numbers of this plot"),
      table,
    );
    details.addEventListener("toggle", () => {
      if (details.open) table.replaceChildren(tableOf(head, rows()));
    });
    return details;
  }

  function tableOf(head, rows) {
    const isNumber = (column) => rows.every((row) => /^[\d–.,\s−-]+[GMk]?$/.test(row[column]));
    const classes = head.map((_, column) => (isNumber(column) ? "n" : null));
    return element(
      "table",
      {},
      element(
        "thead",
        {},
        element(
          "tr",
          {},
          ...head.map((text, column) =>
            element("th", { scope: "col", class: classes[column] }, text),
          ),
        ),
      ),
      element(
        "tbody",
        {},
        ...rows.map((row) =>
          element(
            "tr",
            {},
            ...row.map((text, column) =>
              element("td", { class: classes[column] }, element("bdi", {}, String(text))),
            ),
          ),
        ),
      ),
    );
  }

  function card(figure) {
    return element(
      "section",
      { class: "plot" },
      element("h2", {}, figure.title),
      element("p", { class: "how" }, figure.how),
      figure.legend,
      figure.body,
      ...figure.notes.filter(Boolean).map((note) => element("p", { class: "small" }, note)),
      numbers(figure.table),
    );
  }

  // Why plots that one may look for are not there.
  function missing(board) {
    const [metric] = board.metrics;
    const isMeasured = board.lines.some((line) => line.kind !== "reported");
    const reasons = [
      board.lines.some((line) => line.fps !== null && isRanked(line, metric))
        ? null
        : "quality against speed, as no line in a ranking states its speed",
      board.factors.length
        ? null
        : `quality against the strength of the degradation, as ${
            isMeasured
              ? "no run here has recipes and numbers of each image"
              : "papers print no numbers of each image"
          }`,
      board.slopes.length
        ? null
        : "steps between protocols, as no model stands under two of DT, R2S and FT",
    ].filter(Boolean);
    return reasons.length ? `Not drawn: ${reasons.join("; ")}.` : null;
  }

  return (board, container) => {
    forgetGone();
    const names = shortNames(board);
    const small = [
      costFigure(board, "fps", names),
      costFigure(board, "all_parameters", names),
      slopeFigure(board),
      ...perceptionFigures(board, names),
    ].filter(Boolean);
    const wide = strengthFigure(board, names);
    const reasons = missing(board);
    container.append(
      element("div", { class: "abreast" }, small.map(card)),
      ...[wide && card(wide), reasons && element("p", { class: "small" }, reasons)].filter(Boolean),
    );
  };
})();
