// One model under several protocols.

const slopeFigure = (() => {
  const { cellOf, cut, higherOrLower, protocolName, shown, titleOf, withInterval } = lineWords;
  const { faded, legend, markers, signsOf } = plotSigns;
  const { axis, rangeOf } = plotAxes;
  const { describeLine, endLabels, hover, widest } = plotLabels;
  const { graph } = plotGraphs;

  const WIDE = 440;

  function slopeFigure(board) {
    if (!board.slopes.length) return null;
    const [metric] = board.metrics;
    const drawn = board.slopes.flatMap((slope) => slope.points.map(([, id]) => lineOf(id)));
    return {
      title: "From protocol to protocol",
      how:
        `${higherOrLower(metric)} is better; each line is one model: as it is, behind a restorer, ` +
        "and trained on degraded photos, the best line of each protocol.",
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

  return slopeFigure;
})();
