// Quality against the strength of the degradation, a plot a factor, of lines that the reader chooses.

const strengthFigure = (() => {
  const {
    byQuality,
    cut,
    higherOrLower,
    isKnown,
    isRanked,
    protocolName,
    shown,
    titleOf,
    written,
  } = lineWords;
  const { faded, markedStroke, stroke, symbolOf } = plotSigns;
  const { axis, range, rangeOf } = plotAxes;
  const { hover } = plotLabels;
  const { graph, redraw } = plotGraphs;

  const DASHES = ["solid", "dash", "dot", "dashdot", "longdash"];
  const COLOURS = ["--dt", "--r2s", "--ft", "--restore"];
  const ALL_SHOWN = 6;
  const SHOWN_OF_A_PROTOCOL = 2;
  const SEARCHABLE = 12;

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
    const step = isMixed ? place : Math.floor(place / COLOURS.length);
    return {
      variable: isMixed ? `--${line.protocol}` : COLOURS[place % COLOURS.length],
      dash: DASHES[step % DASHES.length],
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
        strengthPlot({ board, factor, state }, width),
      ),
    );
    const update = () => graphs.forEach(redraw);
    return {
      title: "Quality against the strength of the degradation",
      how:
        `${higherOrLower(metric)} is better, and further right is harder in each of the plots. ` +
        "A point stands for the share of the images whose strength is about the same, " +
        `${imagesOf(board.factors[0])} of them; the shade around a curve is its 95 % interval. ` +
        "The other damages are whatever these images have: presets of one damage alone, such as " +
        "blur-3, hold them fixed.",
      notes: [],
      legend: chooser({ candidates, names, state, update }),
      body: element("div", { class: "multiples" }, ...graphs),
      table: strengthTable(board, state.chosen),
    };
  }

  function imagesOf({ bins }) {
    const counts = bins.map((bin) => bin.images);
    const [least, most] = [Math.min(...counts), Math.max(...counts)];
    return least === most ? `${most}` : `${least} or ${most}`;
  }

  function strengthPlot({ board, factor, state }, width) {
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
  function chooser({ candidates, names, state, update }) {
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

  return strengthFigure;
})();
