// A line's view: what ran, its numbers, its classes and its images.

const HARDEST = 10;
const BARS = 24;

function drawModel(board, line, view) {
  const { details } = line;
  const home = element("a", { href: "#/board/" + board.id }, nameOf(board.name));
  const protocol = ` · ${line.protocol.toUpperCase()}: ${report.protocols[line.protocol]} · `;
  view.append(element("p", { class: "sub" }, kindOf(line.kind), protocol, home));
  if (details?.title) view.append(element("p", { class: "lead" }, details.title));
  if (line.note) view.append(element("p", { class: "notice" }, line.note));
  const left = element("div", { class: "stack" }, numbersSection(board, line));
  if (details?.command) left.append(commandSection(details.command));
  view.append(element("div", { class: "grid" }, left, factsSection(line)));
  if (board.classes && details?.per_class.some((iou) => iou !== null)) {
    view.append(classesSection(board, details.per_class));
  }
  const images = element("div", { class: "grid" });
  view.append(images);
  loadScores(board).then((scores) => {
    if (scores.has(line.id)) images.append(...imageSections(board, scores.get(line.id)));
  });
  const others = [...lines.values()].filter(
    (other) => other.model === line.model && other !== line,
  );
  if (others.length) view.append(othersSection(others));
}

function numbersSection(board, line) {
  const rankOf = (cell) => {
    if (!cell.rank) return cell.not_ranked ? wordsOf("not ranked: " + cell.not_ranked) : "–";
    const [first, last, count] = cell.rank;
    return `${first === last ? first : `${first}–${last}`} of ${count}`;
  };
  const rows = board.metrics
    .filter((metric) => line.cells[metric.id])
    .map((metric) => {
      const cell = cellOf(line, metric);
      return element(
        "tr",
        {},
        element("th", { scope: "row" }, metric.heading),
        element("td", { class: "n" }, ...valueWithInterval(cell, line.link)),
        element("td", { class: "rank" }, rankOf(cell)),
      );
    });
  const heads = [["metric"], ["value, 95 % interval", "n"], ["rank"]];
  return card(
    "h-numbers",
    "Numbers",
    element("table", { class: "numbers" }, headRow(heads), element("tbody", {}, rows)),
  );
}

function factsSection(line) {
  const { details } = line;
  const millions = (count) =>
    count === null ? null : `${(count / 1e6).toFixed(count < 1e8 ? 3 : 1)} M`;
  const [, revision] = line.model.split("@");
  const paper = details?.paper;
  const facts = [
    ["source", line.source],
    ["record", line.link && linkTo(line.link, "record.json")],
    ["checked", line.verdict && `verified: ${line.verdict}`],
    ["revision", revision],
    ["weights, SHA-256", details?.weights_sha256 && element("code", {}, details.weights_sha256)],
    ["licence", line.licence],
    ["paper", /^https?:/.test(paper ?? "") ? linkTo(paper, paper) : paper],
    ["restorer", line.restorer && nameOf(line.restorer)],
    ["", details?.restorer_title],
    ["test size", line.test_size],
    ["prompt", line.prompt],
    ["parameters", millions(line.parameters)],
    ["trainable", millions(line.trainable_parameters)],
    ["with restorer", line.restorer && millions(line.all_parameters)],
    ["images a second", line.fps === null ? null : line.fps.toPrecision(3)],
    ["on", line.device],
    ["finished", details && details.finished.replace("T", " ").replace(/(\+00:00|Z)$/, " UTC")],
    ...(details?.environment ?? []),
  ];
  const known = facts.filter(([, value]) => value !== null && value !== undefined && value !== "");
  return card(
    "h-facts",
    "Facts",
    element(
      "dl",
      { class: "facts" },
      known.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]),
    ),
  );
}

function commandSection(command) {
  const copy = () => copyText(command, "the command");
  return card(
    "h-command",
    "Repeat it",
    element("pre", { tabindex: 0 }, element("code", {}, command)),
    element("button", { type: "button", onclick: copy }, "Copy the command"),
  );
}

// Classes

const CLASS_ORDERS = {
  "lowest first": (a, b) => a.iou - b.iou,
  "highest first": (a, b) => b.iou - a.iou,
  name: (a, b) => compareValues(a.name, b.name, 1),
  "class number": (a, b) => a.number - b.number,
};

function classesSection(board, values) {
  const { names, colours } = board.classes;
  const known = values
    .map((iou, number) => ({ iou, number, name: names[number], colour: colours[number] }))
    .filter(({ iou }) => iou !== null);
  const list = element("ul", { class: "classes" });
  const fill = (order) =>
    list.replaceChildren(...known.toSorted(CLASS_ORDERS[order]).map(classBar));
  const options = Object.keys(CLASS_ORDERS).map((name) => element("option", {}, name));
  fill("lowest first");
  const left = values.length - known.length;
  return card(
    "h-classes",
    "IoU of each class",
    element(
      "div",
      { class: "controls" },
      element(
        "label",
        {},
        "Sort",
        element("select", { onchange: (event) => fill(event.target.value) }, options),
      ),
      element("span", {}, `${known.length} classes${left ? `, ${left} without a value` : ""}`),
    ),
    list,
  );
}

function classBar({ iou, name, colour }) {
  const swatch = element("span", { class: "swatch" });
  swatch.style.background = colour;
  const bar = element("i");
  bar.style.width = `${100 * iou}%`;
  return element(
    "li",
    {},
    element("span", { class: "what" }, swatch, element("bdi", {}, name)),
    element("span", { class: "meter", "aria-hidden": "true" }, bar),
    element("span", { class: "n" }, (100 * iou).toFixed(1)),
  );
}

// Images

function imageSections(board, values) {
  const metric = board.metrics.find((one) => one.id === board.scores.metric);
  const known = [...values.keys()].filter((place) => !Number.isNaN(values[place]));
  if (!known.length) return [];
  const sign = metric.higher_is_better ? 1 : -1;
  known.sort((a, b) => sign * (values[a] - values[b]));
  return [
    hardestSection(board, metric, values, known),
    spreadSection(
      metric,
      known.map((place) => values[place]),
    ),
  ];
}

const scoreText = (metric, value) =>
  metric.is_percent ? (100 * value).toFixed(1) : value.toPrecision(4);

function hardestSection(board, metric, values, known) {
  const items = known.slice(0, HARDEST).map((place) => {
    const id = board.scores.ids[place];
    const index = board.pictures.findIndex((picture) => picture.id === id);
    const name = element("bdi", {}, id);
    const shown = index < 0 ? name : element("a", { href: `#/images/${board.id}/${index}` }, name);
    return element(
      "li",
      {},
      shown,
      element("span", { class: "n" }, scoreText(metric, values[place])),
    );
  });
  return card(
    "h-hardest",
    "Hardest images",
    element("ol", { class: "hardest" }, items),
    element("p", { class: "small" }, `By ${metric.heading} of the image alone.`),
  );
}

// A histogram of the values of images.
function spreadSection(metric, values) {
  const rising = values.toSorted((a, b) => a - b);
  const [low, high] = metric.is_percent ? [0, 1] : [rising[0], rising.at(-1)];
  const counts = new Array(BARS).fill(0);
  for (const value of rising) {
    counts[Math.min(BARS - 1, Math.floor((BARS * (value - low)) / (high - low || 1)))] += 1;
  }
  const highest = Math.max(...counts);
  const bars = counts.map((count, place) => {
    const bar = element("i");
    bar.style.height = `${(100 * count) / highest}%`;
    const edge = scoreText(metric, low + ((high - low) * place) / BARS);
    return element("span", { title: `from ${edge}: ${count} images` }, bar);
  });
  const quantile = (share) => scoreText(metric, rising[Math.round(share * (rising.length - 1))]);
  const half = `middle half from ${quantile(0.25)} to ${quantile(0.75)}`;
  const summary = `Median ${quantile(0.5)}, ${half}, ${rising.length} images.`;
  const label = `Histogram of ${metric.id}. ${summary}`;
  const axis = [scoreText(metric, low), metric.heading, scoreText(metric, high)];
  return card(
    "h-spread",
    "Spread over images",
    element("div", { class: "hist", role: "img", "aria-label": label }, bars),
    element(
      "div",
      { class: "axis" },
      axis.map((text) => element("span", {}, text)),
    ),
    element("p", { class: "small" }, summary),
  );
}

// The same model elsewhere

function othersSection(others) {
  const linked = (href, name) => wordsOf(element("a", { href }, nameOf(name)));
  const rows = others.map((line) => {
    const board = boardOfLine(line.id);
    const [metric] = board.metrics;
    const cell = cellOf(line, metric);
    return element(
      "tr",
      {},
      element("th", { scope: "row", class: "c-name" }, linked(addressOf(line), line.name)),
      element("td", {}, linked("#/board/" + board.id, board.name)),
      element("td", { class: "protocol" }, line.protocol),
      element("td", {}, kindOf(line.kind)),
      element("td", { class: "n" }, ...markedValue(cell, line.link)),
      element("td", {}, metric?.heading ?? "–"),
    );
  });
  const heads = [["what ran"], ["data set"], ["protocol"], ["kind"], ["value", "n"], ["metric"]];
  const table = element("table", {}, headRow(heads), element("tbody", {}, rows));
  const title = "The same model elsewhere";
  return part("h-others", title, scrollBox(title, others.length > 20, table));
}
