// A data set's table: its columns, what is shown of it, and how it is sorted and filtered.

const NARROW = matchMedia("(max-width: 760px)");

// A column: how a line's value reads, sorts and is shown.
function column(id, heading, fields) {
  const show = (line) => [fields.isNumber ? fields.text(line) : wordsOf(fields.text(line))];
  return { id, heading, isNumber: false, hint: null, falls: false, show, ...fields };
}

// Text that is as wide as it needs, up to where its column would be too wide.
const wordsOf = (...children) => element("span", { class: "words" }, ...children);

function columnsOf(board, rankMetric) {
  const millions = (line, field) => (line[field] === null ? null : line[field] / 1e6);
  const numbers = (id, heading, value, fields = {}) =>
    numberColumn(board, id, heading, value, fields);
  const words = (id, heading, field = id) =>
    column(id, heading, { text: (line) => line[field] ?? "–", value: (line) => line[field] });
  return [
    rankColumn(board, rankMetric),
    column("name", "model", {
      text: (line) => line.name,
      value: (line) => line.name,
      show: (line) => [wordsOf(element("a", { href: addressOf(line) }, nameOf(line.name)))],
    }),
    column("protocol", "protocol", {
      text: (line) => line.protocol.toUpperCase(),
      value: (line) => Object.keys(report.protocols).indexOf(line.protocol),
    }),
    column("kind", "kind", {
      text: (line) => line.kind,
      value: (line) => KINDS.indexOf(line.kind),
      show: (line) => [kindOf(line.kind)],
    }),
    ...board.metrics.map(metricColumn),
    numbers("fps", "fps", (line) => line.fps, { falls: true, hint: "images a second, on the device named" }),
    numbers("parameters", "parameters, M", (line) => millions(line, "parameters")),
    numbers("trainable", "trainable, M", (line) => millions(line, "trainable_parameters")),
    numbers("all", "with restorer, M", (line) => millions(line, "all_parameters")),
    words("device", "device"),
    words("test_size", "test size"),
    words("prompt", "prompt"),
    words("licence", "licence"),
    words("source", "source"),
    words("verdict", "checked"),
    words("note", "note"),
    column("record", "record", {
      text: (line) => line.link ?? "–",
      value: (line) => line.link,
      show: (line) => [line.link ? linkTo(line.link, "record") : "–"],
    }),
  ];
}

// Ranks by one metric; lines that lack it, as those of another protocol, by their own first one.
function rankColumn(board, metric) {
  const cell = (line) =>
    cellOf(line, metric) ?? cellOf(line, board.metrics.find((one) => cellOf(line, one)));
  return column("rank", "rank", {
    isNumber: true,
    hint: metric && "by " + metric.heading,
    text: (line) => cell(line)?.rank_text || "–",
    value: (line) => (cell(line)?.rank ? cell(line).rank[0] + cell(line).rank[1] / 1e6 : null),
  });
}

function metricColumn(metric) {
  const cell = (line) => cellOf(line, metric);
  return column(metric.id, metric.heading, {
    isNumber: true,
    metric,
    falls: metric.higher_is_better,
    text: (line) => cell(line)?.text ?? "–",
    interval: (line) => (cell(line)?.ci95 ? cell(line).ci95_text : null),
    value: (line) => cell(line)?.value ?? null,
    show: (line) => (standsApart(line) ? valueWithInterval : markedValue)(cell(line)),
  });
}

// Numbers of one column have as many decimals as its smallest needs: their points align.
function numberColumn(board, id, heading, value, fields) {
  const known = board.lines.map(value).filter((number) => number !== null);
  const smallest = Math.min(...known.filter((number) => number > 0));
  const digits = smallest < 1 ? 2 : smallest < 100 ? 1 : 0;
  const text = (line) => (value(line) === null ? "–" : value(line).toFixed(digits));
  return column(id, heading, { isNumber: true, value, text, ...fields });
}

// What is shown of each board, kept while the page is open

const shownOfBoards = new Map();

function shownOf(board) {
  if (!shownOfBoards.has(board.id)) {
    const [metric] = board.metrics;
    shownOfBoards.set(board.id, {
      columns: usualColumns(board),
      sort: metric ? { id: metric.id, falls: metric.higher_is_better } : { id: "name", falls: false },
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

// A narrow screen shows the main number alone; where protocols have numbers of their own, a wide
// one shows the first two of each.
function usualColumns(board) {
  if (NARROW.matches) return new Set(["rank", "name", board.metrics[0]?.id]);
  const has = (protocol) => (metric) =>
    board.lines.some((line) => line.protocol === protocol && cellOf(line, metric));
  const protocols = protocolsOf(board);
  const metrics =
    protocols.length === 1
      ? board.metrics
      : protocols.flatMap((protocol) => board.metrics.filter(has(protocol)).slice(0, 2));
  const others = ["rank", "name", "kind", "fps", "parameters", "trainable", "licence", "record"];
  return new Set([...others, ...metrics.map((metric) => metric.id)]);
}

// The lines that the filters leave, sorted.
function filtered(lines, shown, columns) {
  const words = shown.words.toLowerCase().split(/\s+/);
  const sorter = columns.find((one) => one.id === shown.sort.id);
  const searched = (line) =>
    [line.name, line.source, line.licence, line.note, line.device].join(" ").toLowerCase();
  const left = lines.filter(
    (line) =>
      ["protocol", "kind", "licence"].every((field) => !shown[field] || line[field] === shown[field]) &&
      words.every((word) => searched(line).includes(word)),
  );
  return left.sort((a, b) => compareValues(sorter.value(a), sorter.value(b), shown.sort.falls ? -1 : 1));
}

// Lines that are ranked together: of one protocol, all measured or all of one source.
function rankings(lines, isGrouped) {
  if (!isGrouped) return [{ title: null, lines }];
  const key = (line) => JSON.stringify([line.protocol, line.kind === "reported" ? paperOf(line) : null]);
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
  const box = element("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Table of lines" });
  const apartBox = element("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Lines that stand apart" });
  let current = null;

  const redraw = () => {
    const all = columnsOf(board, shown.rankMetric);
    const left = filtered(together, shown, all);
    const leftApart = filtered(apart, shown, all);
    const has = (one) => one.id === "name" || [...left, ...leftApart].some((line) => one.value(line) !== null);
    const columns = all.filter((one) => shown.columns.has(one.id) && has(one));
    current = { columns, groups: rankings(left, shown.isGrouped) };
    box.classList.toggle("tall", left.length > 25);
    showRows(box, linesTable(board, shown, current, sortBy));
    count.textContent = `${left.length + leftApart.length} of ${board.lines.length} lines`;
    if (apart.length) showRows(apartBox, apartTable(board, columns, leftApart));
  };
  const sortBy = (one) => {
    const falls = shown.sort.id === one.id ? !shown.sort.falls : one.falls;
    shown.sort = { id: one.id, falls };
    if (one.metric) shown.rankMetric = one.metric;
    redraw();
    say(`Sorted by ${one.heading}, ${falls ? "falling" : "rising"}`);
  };

  view.append(
    filterControls(board, shown, redraw),
    element("div", { class: "controls" }, columnChooser(board, shown, redraw), copyControls(() => current, apart.length), count),
    box,
  );
  if (apart.length) {
    view.append(
      element("h3", {}, "Standing apart"),
      element("p", { class: "small apart" }, "Numbers that share no terms with others stand in no ranking."),
      apartBox,
    );
  }
  redraw();
}

// Puts a table in the place of another; the heading that was in focus stays so.
function showRows(box, table) {
  const sorted = box.contains(document.activeElement) && document.activeElement.dataset.column;
  const left = box.scrollLeft;
  box.replaceChildren(table);
  box.scrollLeft = left;
  if (sorted) [...box.querySelectorAll("thead button")].find((one) => one.dataset.column === sorted)?.focus();
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
  const none = element("tbody", {}, element("tr", {}, element("td", { colspan: columns.length }, "No line is like that.")));
  return element(
    "table",
    { class: "lines" },
    element("caption", { class: "hidden" }, `Lines of ${board.name}`),
    element("thead", {}, element("tr", {}, columns.map((one) => sortHead(one, shown.sort, sortBy)))),
    groups.some(({ lines }) => lines.length) ? bodies : none,
  );
}

const groupRow = (title, width) =>
  element("tr", { class: "group" }, element("th", { scope: "rowgroup", colspan: width }, element("span", {}, title)));

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
    return element(isName ? "th" : "td", { scope: isName && "row", class: cellClass(one) }, ...one.show(line));
  });
  return element("tr", {}, cells);
}

function apartTable(board, columns, lines) {
  const reasons = (line) => new Set(Object.values(line.cells).map((cell) => cell.not_ranked));
  const why = column("why", "why not ranked", {
    text: (line) => [...reasons(line)].filter((reason) => reason).join("; "),
  });
  const [name, ...others] = columns.filter((one) => one.id !== "rank");
  const used = [name, why, ...others];
  const heads = used.map((one) => element("th", { scope: "col", class: cellClass(one) }, one.heading));
  return element(
    "table",
    { class: "lines" },
    element("caption", { class: "hidden" }, `Lines of ${board.name} that stand apart`),
    element("thead", {}, element("tr", {}, heads)),
    element("tbody", {}, lines.map((line) => lineRow(line, used))),
  );
}

// Controls

function filterControls(board, shown, redraw) {
  const present = (field) => [...new Set(board.lines.map((line) => line[field]))].filter((value) => value !== null);
  const choice = (field, label, values, textOf = (value) => value) => {
    const options = values.map((value) => element("option", { value, selected: shown[field] === value }, textOf(value)));
    const change = (event) => {
      shown[field] = event.target.value;
      redraw();
    };
    return values.length > 1
      ? element("label", {}, label, element("select", { onchange: change }, element("option", { value: "" }, "all"), options))
      : null;
  };
  const search = element("input", { type: "search", autocomplete: "off", placeholder: "name, source …", value: shown.words });
  search.addEventListener("input", () => {
    shown.words = search.value;
    redraw();
  });
  const groups = element("input", { type: "checkbox", checked: shown.isGrouped });
  groups.addEventListener("change", () => {
    shown.isGrouped = groups.checked;
    shown.columns[groups.checked ? "delete" : "add"]("protocol");
    redraw();
  });
  return element(
    "form",
    { class: "controls", role: "search", "aria-label": "Filter the table", onsubmit: (event) => event.preventDefault() },
    choice("protocol", "Protocol", protocolsOf(board), (name) => name.toUpperCase()),
    choice("kind", "Kind", KINDS.filter((kind) => present("kind").includes(kind))),
    choice("licence", "Licence", present("licence").sort()),
    element("label", {}, "Find", search),
    element("label", {}, groups, "Group what is ranked together"),
  );
}

function columnChooser(board, shown, redraw) {
  const boxes = columnsOf(board, shown.rankMetric)
    .filter((one) => one.id === "name" || board.lines.some((line) => one.value(line) !== null))
    .map((one) => {
      const change = (event) => {
        shown.columns[event.target.checked ? "add" : "delete"](one.id);
        redraw();
      };
      const box = element("input", {
        type: "checkbox",
        checked: shown.columns.has(one.id),
        disabled: one.id === "name",
        onchange: change,
      });
      return element("label", {}, box, one.heading);
    });
  return element(
    "details",
    { class: "chooser" },
    element("summary", {}, "Columns"),
    element("fieldset", {}, element("legend", { class: "hidden" }, "Columns of the table"), boxes),
  );
}
