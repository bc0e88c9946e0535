// The controls of a data set's table: filters and the choice of columns.

function filterControls(board, shown, redraw) {
  const all = (field) => new Set(board.lines.map((line) => line[field]));
  const choice = (field, label, values, textOf = (value) => value) => {
    if (values.length < 2) return null;
    const change = (event) => {
      shown[field] = event.target.value;
      redraw();
    };
    const options = ["", ...values].map((value) =>
      element("option", { value, selected: shown[field] === value }, value ? textOf(value) : "all"),
    );
    return element("label", {}, label, element("select", { onchange: change }, options));
  };
  const search = element("input", {
    type: "search",
    autocomplete: "off",
    placeholder: "name, source …",
    value: shown.words,
  });
  search.addEventListener("input", () => {
    shown.words = search.value;
    redraw();
  });
  const groups = element("input", { type: "checkbox", checked: shown.isGrouped });
  groups.addEventListener("change", () => {
    shown.isGrouped = groups.checked;
    redraw();
  });
  const kinds = KINDS.filter((kind) => all("kind").has(kind));
  // Written with capitals or without, a licence is one.
  const bySpelling = new Map(
    [...all("licence")].filter(Boolean).map((licence) => [licence.toLowerCase(), licence]),
  );
  const licences = [...bySpelling.values()].sort();
  return element(
    "form",
    {
      class: "controls",
      role: "search",
      "aria-label": "Filter the table",
      onsubmit: (event) => event.preventDefault(),
    },
    choice("protocol", "Protocol", protocolsOf(board), (name) => name.toUpperCase()),
    choice("kind", "Kind", kinds),
    choice("licence", "Licence", licences),
    element("label", {}, "Find", search),
    element("label", {}, groups, "Group what is ranked together"),
  );
}

function columnChooser(board, shown, redraw) {
  const boxes = columnsOf(board, shown.rankMetric)
    .filter((one) => hasValues(one, board.lines))
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
  const summary = element("summary", {}, "Columns");
  const legend = element("legend", { class: "hidden" }, "Columns of the table");
  const chooser = element(
    "details",
    {
      class: "chooser",
      onkeydown: (event) => {
        if (event.key !== "Escape") return;
        chooser.open = false;
        summary.focus();
      },
      onfocusout: (event) => {
        // Nothing else has the focus where text inside was clicked.
        if (event.relatedTarget && !chooser.contains(event.relatedTarget)) chooser.open = false;
      },
    },
    summary,
    element("fieldset", {}, legend, boxes),
  );
  return chooser;
}
