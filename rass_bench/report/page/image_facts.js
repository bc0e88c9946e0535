// What is said beside an image: errors, classes, scores, how it was degraded.

// `shown` are the views that images.js prepared, the left one first.
const imageFacts = (() => {
  const { NONE, countClasses } = labelMaps;
  const { cut, protocolName } = lineWords;
  const OUTCOMES = ["right", "wrong", "ignored"];

  const percent = (share) => (share === null ? "–" : `${(100 * share).toFixed(1)} %`);
  const written = (metric, value) =>
    Number.isNaN(value)
      ? "undefined"
      : lineWords.written(metric, value) + (metric.is_percent ? " %" : "");

  const swatch = (colour) => {
    const made = element("i", { class: "swatch" });
    made.style.background = colour;
    return made;
  };
  const heading = (text) => element("h2", {}, text);
  const className = (board, id) =>
    element(
      "span",
      { class: "class" },
      id === NONE ? null : swatch(board.classes.colours[id]),
      element("bdi", {}, id === NONE ? "no class" : board.classes.names[id]),
    );

  function recipePart(picture) {
    const steps = picture.recipe.map((step) => element("li", {}, step));
    return element(
      "section",
      { class: "boxed" },
      heading("How it was degraded"),
      steps.length
        ? element("ul", { class: "recipe" }, steps)
        : element("p", { class: "small" }, "Not known."),
    );
  }

  // Of each prediction that is shown: its errors, by what is seen here.
  function errorPart(shown) {
    const compared = shown.filter((one) => one.result);
    const lines = new Map(compared.map((one) => [one.view.line, one]));
    if (!lines.size) return null;
    const entries = [...lines.values()].flatMap(({ view, result }) => {
      const total = result.right + result.wrong + result.ignored;
      const items = OUTCOMES.map((outcome) =>
        element(
          "li",
          { class: outcome, "data-pixels": result[outcome] },
          swatch(`var(--${outcome})`),
          outcome,
          element("b", {}, percent(result[outcome] / total)),
        ),
      );
      return [
        element("p", { class: "of" }, element("bdi", {}, view.group)),
        element("ul", { class: "keys" }, items),
        element(
          "p",
          { class: "small measures" },
          `accuracy ${percent(result.accuracy)}, mIoU over the ${result.ious.size} classes of the truth ${percent(result.meanIou)}`,
        ),
      ];
    });
    return element(
      "section",
      { class: "boxed errors" },
      heading("Errors"),
      entries,
      element(
        "p",
        { class: "small" },
        "Counted on the small picture that is shown here: numbers of the whole image differ a little.",
      ),
    );
  }

  async function classPart(board, opened, shown) {
    const maps = shown.filter((one) => one.ids);
    if (!maps.length) return null;
    const truth = opened.truth ? (await opened.truth()).ids : null;
    const inTruth = truth ? countClasses(truth) : new Map();
    const present = new Set([
      ...inTruth.keys(),
      ...maps.flatMap((one) => [...countClasses(one.ids).keys()]),
    ]);
    const compared = [
      ...new Map(maps.filter((one) => one.result).map((one) => [one.view.line, one])).values(),
    ];
    const rows = [...present]
      .sort((a, b) => (inTruth.get(b) ?? 0) - (inTruth.get(a) ?? 0))
      .map((id) =>
        element(
          "tr",
          {},
          element("th", { scope: "row" }, className(board, id)),
          truth && element("td", { class: "n" }, percent((inTruth.get(id) ?? 0) / truth.length)),
          compared.map(({ result }) =>
            element("td", { class: "n" }, percent(result.ious.get(id) ?? null)),
          ),
        ),
      );
    const column = (text) => element("th", { scope: "col", class: "n" }, element("bdi", {}, text));
    const head = element(
      "tr",
      {},
      element("th", { scope: "col" }, "class"),
      truth && column("in truth"),
      compared.map(({ view }) => column(compared.length > 1 ? `IoU, ${view.side}` : "IoU")),
    );
    const table = element("table", {}, element("thead", {}, head), element("tbody", {}, rows));
    return element(
      "section",
      { class: "boxed classes" },
      heading("Classes here"),
      element(
        "div",
        { class: "scroll tall", tabindex: 0, role: "region", "aria-label": "Classes here" },
        table,
      ),
    );
  }

  async function scorePart({ board, picture, shown, names }) {
    const scores = await loadScores(board);
    const place = board.scores ? board.scores.ids.indexOf(picture.id) : -1;
    if (place < 0) return null;
    const metric = board.metrics.find((one) => one.id === board.scores.metric);
    const chosen = new Set(shown.map((one) => one.view.line));
    const here = new Set(picture.layers.map((layer) => layer.line));
    const row = (line) => {
      const text = element("bdi", {}, cut(names.get(line.id), 60));
      const name = element("a", { href: addressOf(line), title: line.name }, text);
      return element(
        "tr",
        { class: chosen.has(line.id) ? "chosen" : null },
        element(
          "th",
          { scope: "row" },
          name,
          element("span", { class: "who" }, protocolName(line.protocol)),
        ),
        element("td", { class: "n" }, written(metric, scores.get(line.id)[place])),
      );
    };
    const rows = board.lines.filter((line) => here.has(line.id) && scores.has(line.id)).map(row);
    if (!rows.length) return null;
    const head = element(
      "tr",
      {},
      element("th", { scope: "col" }, "line"),
      element("th", { scope: "col", class: "n" }, metric.heading),
    );
    return element(
      "section",
      { class: "boxed scores" },
      heading("Scores of this image"),
      element(
        "div",
        { class: "scroll tall", tabindex: 0, role: "region", "aria-label": "Scores of this image" },
        element("table", {}, element("thead", {}, head), element("tbody", {}, rows)),
      ),
      element(
        "p",
        { class: "small" },
        "Of the whole image, as recorded; those that are shown are set off.",
      ),
    );
  }

  // The class under the pointer, in the truth and in each prediction that is shown.
  function readout(board, opened, shown) {
    const output = element("p", { class: "readout" });
    const hint = matchMedia("(pointer: coarse)").matches
      ? "Tap the image to read its classes. Two fingers zoom, one moves what is zoomed."
      : "Point at the image to read its classes. Ctrl and wheel, + and − zoom; ← and → change " +
        "the image; Shift and arrows move it.";
    output.textContent = hint;
    const lines = new Map(
      shown.filter((one) => one.ids && one.view.line).map((one) => [one.view.line, one]),
    );
    const at = ({ ids, width }, spot) => {
      const height = ids.length / width;
      return ids[Math.floor(spot.y * height) * width + Math.floor(spot.x * width)];
    };
    const said = (label, id) =>
      element("span", {}, element("bdi", { class: "who" }, label), className(board, id));
    const point = async (spot) => {
      if (!spot || !board.classes || (!opened.truth && !lines.size))
        return output.replaceChildren(hint);
      const maps = [...lines.values()].map((one) => [one.view.group, one]);
      if (opened.truth) {
        const { ids, pixels } = await opened.truth();
        maps.unshift(["truth", { ids, width: pixels.width }]);
      }
      output.replaceChildren(...maps.map(([label, map]) => said(label, at(map, spot))));
    };
    return { output, point };
  }

  return { errorPart, classPart, scorePart, recipePart, readout };
})();
