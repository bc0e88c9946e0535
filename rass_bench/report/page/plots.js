// The plots of a board.

const drawPlots = (() => {
  const { isRanked, shortNames } = lineWords;
  const { forgetGone } = plotGraphs;

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
