// Quality against speed and size.

const costFigure = (() => {
  const {
    byQuality,
    cellOf,
    cut,
    higherOrLower,
    isKnown,
    isRanked,
    leftOut,
    protocolName,
    shown,
    titleOf,
    withInterval,
  } = lineWords;
  const { legend, signsOf, stroke } = plotSigns;
  const { axis, intervals, logAxis, rangeOf } = plotAxes;
  const { describeLine, hover, pointTrace } = plotLabels;
  const { graph } = plotGraphs;

  const COSTS = {
    fps: {
      title: "Quality against speed",
      axis: "images a second (FPS)",
      how:
        "Higher is better, further right is faster. Speeds are those of the records: whatever " +
        "else ran on the device slowed them.",
      unknown: "the speed is not known",
      write: (value) =>
        value < 1000
          ? String(Number(value.toPrecision(3)))
          : Math.round(value).toLocaleString("en"),
    },
    all_parameters: {
      title: "Quality against size",
      axis: "parameters of all that runs, a restorer included",
      how: "Higher is better, further left is smaller.",
      unknown: "not all parameters are known",
      write: countOf,
    },
  };
  const DASHES = ["dash", "dot", "dashdot", "longdash"];
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

  function costFigure(board, cost, names) {
    const [metric] = board.metrics;
    // A logarithmic axis has no place for what costs nothing, as no restoration does.
    const free = board.lines.filter((line) => line[cost] === 0 && isRanked(line, metric));
    const known = board.lines.filter((line) => line[cost] > 0 && isKnown(line, metric));
    const drawn = known.filter((line) => isRanked(line, metric)).sort(byQuality(metric));
    if (!drawn.length) return null;
    const fronts = board.fronts
      .filter((front) => front.axis === cost)
      .map((front) => ({ ...front, best: front.best.filter((id) => lineOf(id)[cost] > 0) }))
      .filter((front) => front.best.length > 1);
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
        (fronts.length
          ? " Nothing of the same group beats a line on its dashed front in both."
          : "") +
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
        free.length &&
          `Not drawn, as the axis is logarithmic: ${free.map(({ name }) => cut(name, 60)).join(", ")}, at 0.`,
      ],
      legend: legend(
        ...signsOf(drawn),
        ...fronts.map((front, place) => [
          stroke(DASHES[place % DASHES.length]),
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
      dash: DASHES[place % DASHES.length],
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

  return costFigure;
})();
