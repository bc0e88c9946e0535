// What a table shows, as LaTeX, Markdown and CSV. Names from strangers stay text in each.

const UNPRINTABLE = /[\p{C}\p{Zl}\p{Zp}]|(?! )\p{Zs}/gu;
const SHORT_ESCAPES = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

// The text with everything that does not print spelled out, as in the tables beside the records.
function oneLine(text) {
  return text.replace(UNPRINTABLE, (letter) => {
    const code = letter.codePointAt(0);
    const hex = code.toString(16);
    if (SHORT_ESCAPES[letter]) return SHORT_ESCAPES[letter];
    if (code < 0x100) return "\\x" + hex.padStart(2, "0");
    return code < 0x10000 ? "\\u" + hex.padStart(4, "0") : "\\U" + hex.padStart(8, "0");
  });
}

const LATEX = {
  "\\": "\\textbackslash{}",
  "{": "\\{",
  "}": "\\}",
  "~": "\\textasciitilde{}",
  "^": "\\textasciicircum{}",
  "&": "\\&",
  "%": "\\%",
  $: "\\$",
  "#": "\\#",
  _: "\\_",
  "<": "\\textless{}",
  ">": "\\textgreater{}",
  "|": "\\textbar{}",
  "`": "\\textasciigrave{}",
  "[": "{[}",
  "]": "{]}",
  "*": "{*}",
  "-": "{-}",
  "–": "--",
  "→": "$\\rightarrow$",
  "↑": "$\\uparrow$",
  "↓": "$\\downarrow$",
  "†": "\\dag{}",
};

// A bracket or a star behind a line's end would be its argument; two hyphens would be a dash.
const latexText = (text) =>
  oneLine(text).replace(/[\\{}~^&%$#_<>|`[\]*–→↑↓†]|-(?=-)/gu, (letter) => LATEX[letter]);

// Shown as it is: neither markup nor HTML nor link.
function markdownText(text) {
  return oneLine(text)
    .replace(/&/g, "&amp;")
    .replace(/</g, "&lt;")
    .replace(/>/g, "&gt;")
    .replace(/[\\`*_[\]!|~$]/g, "\\$&")
    .replace(/:\/\//g, "&#58;//")
    .replace(/www\./g, "www&#46;")
    .replace(/@/g, "&#64;");
}

// A text that a spreadsheet would take for a formula gets an apostrophe in front.
const csvText = (text) => (/^[=+\-@\t\r\n＝＋－＠]/u.test(text) ? "'" : "") + oneLine(text);
const csvCell = (text) => `"${text.replace(/"/g, '""')}"`;

function asLatex({ columns, groups }) {
  const row = (cells) => cells.join(" & ") + " \\\\";
  const cell = (one, line) => {
    const interval = one.interval?.(line);
    const small = interval ? ` {\\scriptsize (${latexText(interval)})}` : "";
    return latexText(one.text(line)) + small;
  };
  const title = (text) => `\\multicolumn{${columns.length}}{l}{\\emph{${latexText(text)}}} \\\\`;
  const bodies = groups.map((group) => [
    "\\midrule",
    ...(group.title ? [title(group.title)] : []),
    ...group.lines.map((line) => row(columns.map((one) => cell(one, line)))),
  ]);
  return [
    "% \\usepackage{booktabs}",
    `\\begin{tabular}{${columns.map((one) => (one.isNumber ? "r" : "l")).join("")}}`,
    "\\toprule",
    row(columns.map((one) => latexText(one.heading))),
    ...bodies.flat(),
    "\\bottomrule",
    "\\end{tabular}",
    "",
  ].join("\n");
}

function asMarkdown({ columns, groups }) {
  const isGrouped = groups.some((group) => group.title);
  const row = (cells) => `| ${cells.join(" | ")} |`;
  const cell = (one, line) => {
    const interval = one.interval?.(line);
    return markdownText(one.text(line)) + (interval ? ` (${markdownText(interval)})` : "");
  };
  const heads = columns.map((one) => markdownText(one.heading));
  const rules = columns.map((one) => (one.isNumber ? "---:" : "---"));
  const rows = groups.flatMap((group) =>
    group.lines.map((line) => {
      const cells = columns.map((one) => cell(one, line));
      return row(isGrouped ? [markdownText(group.title), ...cells] : cells);
    }),
  );
  const [head, rule] = isGrouped
    ? [
        ["ranking", ...heads],
        ["---", ...rules],
      ]
    : [heads, rules];
  return [row(head), row(rule), ...rows, ""].join("\n");
}

// One line a row; intervals have columns of their own, and what there is not is empty.
function asCsv({ columns, groups }) {
  const isGrouped = groups.some((group) => group.title);
  const hasInterval = (one) =>
    groups.some(({ lines }) => lines.some((line) => one.interval?.(line)));
  const withIntervals = new Set(columns.filter(hasInterval));
  const heads = columns.flatMap((one) =>
    withIntervals.has(one) ? [one.heading, `${one.heading} 95 % interval`] : [one.heading],
  );
  const value = (one, line) => {
    if (one.value(line) === null) return "";
    return one.isNumber ? one.text(line) : csvText(one.text(line));
  };
  const cells = (one, line) =>
    withIntervals.has(one) ? [value(one, line), one.interval(line) ?? ""] : [value(one, line)];
  const rows = groups.flatMap(({ title, lines }) =>
    lines.map((line) => [
      ...(isGrouped ? [csvText(title)] : []),
      ...columns.flatMap((one) => cells(one, line)),
    ]),
  );
  const head = [...(isGrouped ? ["ranking"] : []), ...heads].map(csvText);
  return [head, ...rows].map((row) => row.map(csvCell).join(",") + "\n").join("");
}

const FORMATS = { LaTeX: asLatex, Markdown: asMarkdown, CSV: asCsv };

// Buttons that copy what a table shows; `current` returns its columns and groups of lines.
function copyControls(current, apart) {
  const button = (name) => {
    const copy = () => {
      const count = current().groups.reduce((sum, { lines }) => sum + lines.length, 0);
      const without = apart ? `, without the ${apart} that stand apart` : "";
      copyText(FORMATS[name](current()), `${count} lines as ${name}${without}`);
    };
    return element("button", { type: "button", onclick: copy }, name);
  };
  return element(
    "span",
    { class: "buttons", role: "group", "aria-label": "Copy the table as" },
    element("span", {}, "Copy as"),
    Object.keys(FORMATS).map(button),
  );
}

// Copies a text, or shows it where the browser lets no page copy.
async function copyText(text, what) {
  try {
    await navigator.clipboard.writeText(text);
  } catch (error) {
    // Without a clipboard a TypeError, without permission a DOMException.
    if (!(error instanceof TypeError || error instanceof DOMException)) throw error;
    showText(text, what);
    return;
  }
  say(`Copied ${what}`);
  showToast(`Copied ${what}`);
}

function showText(text, what) {
  const area = element("textarea", { readonly: true, rows: 14, "aria-label": what });
  area.value = text;
  const dialog = element(
    "dialog",
    { "aria-labelledby": "copy-title", onclose: () => dialog.remove() },
    element("h2", { id: "copy-title" }, "Copy " + what),
    element(
      "p",
      { class: "small" },
      "This browser lets no page copy. The text is selected: copy it with Ctrl+C or ⌘C.",
    ),
    area,
    element("form", { method: "dialog" }, element("button", {}, "Close")),
  );
  document.body.append(dialog);
  dialog.showModal();
  area.focus();
  area.select();
  say("The text is selected for copying");
}

let toastTimer = 0;

function showToast(text) {
  byId("toast").textContent = text;
  byId("toast").hidden = false;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => (byId("toast").hidden = true), 3000);
}
