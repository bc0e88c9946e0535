// Perception against distortion.

const perceptionFigures = (() => {
  const { byQuality, cellOf, cut, isKnown, isRanked, leftOut, shown, titleOf, withInterval } =
    lineWords;
  const { legend, signsOf } = plotSigns;
  const { axis, range } = plotAxes;
  const { describeLine, hover, pointTrace } = plotLabels;
  const { graph } = plotGraphs;

  const WIDE = 440;

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

  return perceptionFigures;
})();
