// The overview: a card for each data set, and models across those that share their main metric.

const cellOf = (line, metric) => metric && line.cells[metric.id];

// A line none of whose numbers has a place in a ranking, with a reason.
function standsApart(line) {
  const cells = Object.values(line.cells);
  return cells.some((cell) => cell.not_ranked) && cells.every((cell) => !cell.rank);
}

const protocolsOf = (board) =>
  Object.keys(report.protocols).filter((name) =>
    board.lines.some((line) => line.protocol === name),
  );

// How many of the lines are of each kind, as people read it.
function countKinds(lines) {
  const count = (kind) => lines.filter((line) => line.kind === kind).length;
  const counts = KINDS.filter((kind) => count(kind)).map((kind) => `${count(kind)} ${kind}`);
  return counts.join(" · ") || "no lines";
}

const isKnown = (line, metric) => typeof cellOf(line, metric)?.value === "number";

// The best line by the main metric under each protocol, of those given.
function bestLines(board, lines) {
  const [metric] = board.metrics;
  const sign = metric?.higher_is_better ? -1 : 1;
  const known = lines.filter((line) => isKnown(line, metric) && !standsApart(line));
  known.sort((a, b) => compareValues(cellOf(a, metric).value, cellOf(b, metric).value, sign));
  const best = (protocol) => known.find((line) => line.protocol === protocol);
  return Object.keys(report.protocols)
    .map(best)
    .filter((line) => line);
}

function drawOverview(view) {
  const counts = `${report.boards.length} data set${report.boards.length === 1 ? "" : "s"} · ${countKinds([...lines.values()])}`;
  view.append(
    element("p", { class: "sub" }, counts),
    element("div", { class: "boards" }, report.boards.map(boardCard)),
    element("div", { class: "crosses" }, crossTables()),
  );
}

function boardCard(board) {
  const [metric] = board.metrics;
  const link = element("a", { href: "#/board/" + board.id }, nameOf(board.name));
  const measured = board.lines.filter((line) => line.kind !== "reported");
  const title = measured.length ? "Best measured" : "Best reported";
  const best = bestLines(board, measured.length ? measured : board.lines);
  const version = board.version ? "version " + board.version : "on no leaderboard";
  return element(
    "section",
    { class: "boxed" },
    element("h2", {}, link),
    element("p", { class: "small" }, version),
    element("p", { class: "small" }, board.images),
    board.notice && element("p", { class: "notice" }, board.notice),
    bestTable(`${title} by ${metric?.heading}`, metric, best),
    element("p", { class: "small counts" }, countKinds(board.lines)),
  );
}

function bestTable(title, metric, best) {
  if (!best.length) return element("p", {}, "No number stands in a ranking.");
  const row = (line) =>
    element(
      "tr",
      {},
      element("th", { scope: "row", class: "protocol" }, line.protocol),
      element("td", { class: "who" }, element("a", { href: addressOf(line) }, nameOf(line.name))),
      element("td", { class: "n" }, ...valueWithInterval(cellOf(line, metric), line.link)),
    );
  return element(
    "table",
    { class: "best" },
    element("caption", {}, title),
    element("tbody", {}, best.map(row)),
  );
}

// A number, which leads to its record, above its interval.
function valueWithInterval(cell, record) {
  if (!cell) return ["–"];
  const value = element("span", { class: "value" }, cell.text);
  const interval = cell.ci95 && element("span", { class: "ci" }, cell.ci95_text);
  return [record ? recordLink(record, value) : value, interval];
}

// Out of the order of tabs: the record's own column and the model's view are in it.
function recordLink(record, value) {
  const link = linkTo(record, value);
  link.tabIndex = -1;
  link.title = "to the record";
  return link;
}

// The same with a mark that says why the number stands in no ranking.
function markedValue(cell, record) {
  const shown = valueWithInterval(cell, record);
  if (!cell?.not_ranked || typeof cell.value !== "number") return shown;
  const title = "not ranked: " + cell.not_ranked;
  return [element("abbr", { class: "mark", title, tabindex: 0 }, "†"), ...shown];
}

// Tables of models on several data sets, one for each main metric that data sets share.

function crossTables() {
  const byMetric = Map.groupBy(
    report.boards.filter((board) => board.metrics.length),
    (board) => board.metrics[0].id,
  );
  return [...byMetric.values()].map(crossTable).filter((table) => table !== null);
}

// Rows are what ran under a protocol, on two of the data sets at least.
function crossTable(boards) {
  const rows = new Map();
  for (const board of boards) {
    for (const line of board.lines) {
      if (!isKnown(line, board.metrics[0]) || standsApart(line)) continue;
      const key = JSON.stringify([line.name, line.protocol]);
      if (!rows.has(key)) rows.set(key, { line, cells: new Map() });
      const { cells } = rows.get(key);
      cells.set(board.id, [...(cells.get(board.id) ?? []), line]);
    }
  }
  const shared = [...rows.values()].filter(({ cells }) => cells.size > 1);
  if (!shared.length) return null;
  const [metric] = boards[0].metrics;
  const used = boards.filter((board) => shared.some(({ cells }) => cells.has(board.id)));
  const order = Object.keys(report.protocols);
  shared.sort((a, b) => order.indexOf(a.line.protocol) - order.indexOf(b.line.protocol));
  const title = `Across data sets: ${metric.id}`;
  return part(
    "h-across-" + boards[0].id,
    title,
    element("p", { class: "small legend" }, kindsOf(shared).map(kindOf)),
    scrollBox(title, shared.length > 20, crossGrid(metric, used, shared)),
  );
}

const kindsOf = (rows) =>
  KINDS.filter((kind) =>
    rows.some(({ cells }) => [...cells.values()].flat().some((line) => line.kind === kind)),
  );

function crossGrid(metric, boards, rows) {
  const link = (board) => {
    const attributes = { href: "#/board/" + board.id, title: board.name };
    return [element("a", attributes, shortBoardNames.get(board.id)), "n"];
  };
  return element(
    "table",
    { class: "cross" },
    element("caption", { class: "hidden" }, `${metric.heading} of models on several data sets`),
    headRow([["model"], ["protocol"], ...boards.map(link)]),
    element(
      "tbody",
      {},
      rows.map(({ line, cells }) =>
        element(
          "tr",
          {},
          element("th", { scope: "row", class: "c-name" }, wordsOf(nameOf(line.name))),
          element(
            "td",
            { class: "protocol", title: report.protocols[line.protocol] },
            line.protocol,
          ),
          boards.map((board) => crossCell(board.metrics[0], cells.get(board.id) ?? [])),
        ),
      ),
    ),
  );
}

// Papers may disagree on one model: all their numbers are shown.
function crossCell(metric, found) {
  const numbers = found.map((line) =>
    element(
      "a",
      { href: addressOf(line), class: "value", title: line.source ?? line.kind },
      cellOf(line, metric).text,
      element("span", { class: "dot " + line.kind, role: "img", "aria-label": line.kind }),
    ),
  );
  return element("td", { class: "n" }, ...(numbers.length ? numbers : ["–"]));
}
