// A data set's table: what is shown of it, how it is sorted and grouped.

const NARROW = matchMedia("(max-width: 760px)");

// More lines than these scroll in a box, below headings that stay.
const LONG = 25;

// What is shown of each board, kept while the page is open.
const shownOfBoards = new Map();

function shownOf(board) {
  if (!shownOfBoards.has(board.id)) {
    const [metric] = board.metrics;
    shownOfBoards.set(board.id, {
      columns: usualColumns(board),
      sort: metric
        ? { id: metric.id, falls: metric.higher_is_better }
        : { id: "name", falls: false },
      rankMetric: metric,
      isGrouped: true,
      protocol: "",
      kind: "",
      licence: "",
      words: "",
    });
  }
  return shownOfBoards.get(board.id);
}

// A narrow screen shows the first number of each protocol alone. A wide one shows all of a single
// protocol's, and the first two of each where there are several.
function usualColumns(board) {
  const has = (protocol) => (metric) =>
    board.lines.some((line) => line.protocol === protocol && cellOf(line, metric));
  const protocols = protocolsOf(board);
  const most = NARROW.matches ? 1 : protocols.length === 1 ? board.metrics.length : 2;
  const metrics = protocols.flatMap((name) => board.metrics.filter(has(name)).slice(0, most));
  const wide = ["kind", "fps", "all", "trainable", "licence", "record"];
  const others = ["rank", "name", ...(NARROW.matches ? [] : wide)];
  return new Set([...others, ...metrics.map((metric) => metric.id)]);
}

// The lines that the filters leave, sorted.
function filtered(lines, shown, columns) {
  const words = shown.words.toLowerCase().split(/\s+/);
  const sorter = columns.find((one) => one.id === shown.sort.id);
  const searched = (line) =>
    [line.name, line.record, line.source, line.licence, line.note, line.device]
      .join(" ")
      .toLowerCase();
  const isChosen = (line, field) =>
    !shown[field] || line[field]?.toLowerCase() === shown[field].toLowerCase();
  const left = lines.filter(
    (line) =>
      ["protocol", "kind", "licence"].every((field) => isChosen(line, field)) &&
      words.every((word) => searched(line).includes(word)),
  );
  const sign = shown.sort.falls ? -1 : 1;
  return left.sort((a, b) => compareValues(sorter.value(a), sorter.value(b), sign));
}

// Lines that are ranked together: of one protocol, all measured or all of one source.
function rankings(lines, isGrouped) {
  if (!isGrouped) return [{ title: null, lines }];
  const paper = (line) => (line.kind === "reported" ? paperOf(line) : null);
  const key = (line) => JSON.stringify([line.protocol, paper(line)]);
  const groups = [...Map.groupBy(lines, key).values()];
  const order = Object.keys(report.protocols);
  const place = ([line]) => [order.indexOf(line.protocol), line.kind === "reported" ? 1 : 0];
  groups.sort((a, b) => place(a)[0] - place(b)[0] || place(a)[1] - place(b)[1]);
  return groups.map((group) => ({ title: rankingTitle(group[0]), lines: group }));
}

// A source is written as paper, colon, table and column; ranks hold within the paper.
const paperOf = (line) => (line.source ?? "").split(": ")[0];

function rankingTitle(line) {
  const kind = line.kind === "reported" ? "reported by " + paperOf(line) : "measured";
  return `${line.protocol.toUpperCase()}, ${kind}`;
}

// The table and its controls, below a heading that is there already.
function drawTable(board, view) {
  const shown = shownOf(board);
  const apart = board.lines.filter(standsApart);
  const together = board.lines.filter((line) => !standsApart(line));
  const count = element("p", { class: "small", role: "status" });
  const box = scrollBox("Table of lines", false);
  const apartBox = scrollBox("Lines that stand apart", apart.length > LONG);
  let current = null;

  const redraw = () => {
    const all = columnsOf(board, shown.rankMetric);
    const left = filtered(together, shown, all);
    const leftApart = filtered(apart, shown, all);
    const columns = all.filter(
      (one) => isShown(one, shown) && hasValues(one, [...left, ...leftApart]),
    );
    current = { columns, groups: rankings(left, shown.isGrouped) };
    box.classList.toggle("tall", left.length > LONG);
    box.hidden = !together.length;
    showRows(box, linesTable(board, shown, current, sortBy));
    count.textContent = `${left.length + leftApart.length} of ${board.lines.length} lines`;
    if (apart.length) showRows(apartBox, apartTable(board, shown, all, leftApart));
  };
  const sortBy = (one) => {
    const falls = shown.sort.id === one.id ? !shown.sort.falls : one.falls;
    shown.sort = { id: one.id, falls };
    if (one.metric) shown.rankMetric = one.metric;
    redraw();
    say(`Sorted by ${one.heading}, ${falls ? "falling" : "rising"}`);
  };

  const chooser = columnChooser(board, shown, redraw);
  const copies = copyControls(() => current, apart.length);
  view.append(
    filterControls(board, shown, redraw),
    element("div", { class: "controls" }, chooser, copies, count),
    box,
  );
  if (apart.length) {
    const why = "Numbers that share no terms with others stand in no ranking.";
    view.append(element("h3", {}, "Standing apart"), element("p", { class: "small apart" }, why));
    view.append(apartBox);
  }
  redraw();
}

// What no title of a group says stands in a column.
const isShown = (one, shown) =>
  shown.columns.has(one.id) || (one.id === "protocol" && !shown.isGrouped);

// Whether a column has something to show; names always do.
const hasValues = (one, lines) =>
  one.id === "name" || lines.some((line) => one.value(line) !== null);

// Puts a table in the place of another; the heading that was in focus stays so.
function showRows(box, table) {
  const focused = box.contains(document.activeElement) && document.activeElement.dataset.column;
  const left = box.scrollLeft;
  box.replaceChildren(table);
  box.scrollLeft = left;
  const heads = [...box.querySelectorAll("thead button")];
  if (focused) heads.find((head) => head.dataset.column === focused)?.focus();
}

function linesTable(board, shown, { columns, groups }, sortBy) {
  const bodies = groups.map(({ title, lines }) =>
    element(
      "tbody",
      {},
      title && groupRow(title, columns.length),
      lines.map((line) => lineRow(line, columns)),
    ),
  );
  const nothing = element("td", { colspan: columns.length }, "No line is like that.");
  const heads = columns.map((one) => sortHead(one, shown.sort, sortBy));
  return element(
    "table",
    { class: "lines" },
    element("caption", { class: "hidden" }, `Lines of ${board.name}`),
    element("thead", {}, element("tr", {}, heads)),
    groups.some(({ lines }) => lines.length)
      ? bodies
      : element("tbody", {}, element("tr", {}, nothing)),
  );
}

function groupRow(title, width) {
  const head = element("th", { scope: "rowgroup", colspan: width }, element("span", {}, title));
  return element("tr", { class: "group" }, head);
}

function sortHead(one, sort, sortBy) {
  const direction = sort.id === one.id ? (sort.falls ? "descending" : "ascending") : null;
  const button = element(
    "button",
    { type: "button", title: one.hint, "data-column": one.id, onclick: () => sortBy(one) },
    one.heading,
  );
  return element("th", { scope: "col", class: cellClass(one), "aria-sort": direction }, button);
}

const cellClass = (one) => `c-${one.metric ? "metric" : one.id}${one.isNumber ? " n" : ""}`;

function lineRow(line, columns) {
  const cells = columns.map((one) => {
    const isName = one.id === "name";
    return element(
      isName ? "th" : "td",
      { scope: isName && "row", class: cellClass(one) },
      ...one.show(line),
    );
  });
  return element("tr", {}, cells);
}

// Whatever number stands apart is shown, chosen or not: it may be the only one of its line.
function apartTable(board, shown, all, lines) {
  const reasons = (line) => new Set(Object.values(line.cells).map((cell) => cell.not_ranked));
  const why = column("why", "why not ranked", {
    text: (line) => [...reasons(line)].filter((reason) => reason).join("; "),
  });
  const [name, ...others] = all.filter(
    (one) => hasValues(one, lines) && one.id !== "rank" && (one.metric || isShown(one, shown)),
  );
  const used = [name, why, ...others];
  const rows = lines.map((line) => lineRow(line, used));
  return element(
    "table",
    { class: "lines" },
    element("caption", { class: "hidden" }, `Lines of ${board.name} that stand apart`),
    headRow(used.map((one) => [one.heading, cellClass(one)])),
    element("tbody", {}, rows),
  );
}
