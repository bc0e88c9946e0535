// The columns of a data set's table.

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
      show: (line) => [
        wordsOf(element("a", { href: addressOf(line) }, nameOf(line.name))),
        line.record && element("span", { class: "ci" }, element("bdi", {}, line.record)),
      ],
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
    numbers("fps", "fps", (line) => line.fps, {
      falls: true,
      hint: "images a second, on the device named",
    }),
    numbers("all", "parameters, M", (line) => millions(line, "all_parameters"), {
      hint: "of all that runs, a restorer in front included",
    }),
    numbers("parameters", "model alone, M", (line) => millions(line, "parameters")),
    numbers("trainable", "trainable, M", (line) => millions(line, "trainable_parameters")),
    words("device", "device"),
    words("test_size", "test size"),
    words("prompt", "prompt"),
    words("licence", "licence"),
    words("source", "source"),
    words("verdict", "checked"),
    words("note", "note"),
    column("record", "record", {
      text: (line) => line.record ?? "–",
      value: (line) => line.record,
      show: (line) => [
        line.link ? wordsOf(linkTo(line.link, element("bdi", {}, line.record))) : "–",
      ],
    }),
  ];
}

// Ranks by one metric; lines that lack it, as those of another protocol, by their own first one.
function rankColumn(board, metric) {
  const first = (line) => board.metrics.find((one) => cellOf(line, one));
  const cell = (line) => cellOf(line, metric) ?? cellOf(line, first(line));
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
    show: (line) => (standsApart(line) ? valueWithInterval : markedValue)(cell(line), line.link),
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
