// A data set's view: its notice, its table, reported beside measured numbers, plots and images.

function drawBoard(board, view) {
  const folder = board.link
    ? [" · ", linkTo(board.link + "/table.md", "table"), " · ", linkTo(board.link + "/table.csv", "CSV")]
    : [];
  const version = board.version ? `version ${board.version} · ` : "";
  view.append(element("p", { class: "sub" }, version + board.images, ...folder));
  if (board.notice) view.append(element("p", { class: "notice" }, board.notice));
  const table = element("section", { "aria-labelledby": "h-lines" }, element("h2", { id: "h-lines" }, "Results"));
  drawTable(board, table);
  view.append(table);
  if (board.confirmations.length) view.append(confirmationSection(board));
  const plots = element("section", { class: "plots", "aria-label": "Plots" });
  view.append(plots);
  if (board.pictures.length) view.append(imageSection(board));
  // The table is there first: plots take a moment.
  requestAnimationFrame(() => setTimeout(() => plots.isConnected && drawPlots(board, plots)));
}

function confirmationSection(board) {
  const heads = ["reported", "measured", "metric", "reported", "measured", "difference", "tolerance", "within it"];
  const isNumber = (place) => place > 2 && place < 6;
  const answer = (within) =>
    within === null
      ? "not known"
      : element("span", { class: "kind" }, element("span", { class: "dot " + (within ? "pass" : "fix") }), within ? "yes" : "no");
  const rows = board.confirmations.map((one) =>
    element(
      "tr",
      {},
      element("th", { scope: "row", class: "c-name" }, wordsOf(nameOf(one.reported))),
      element("td", { class: "c-name" }, wordsOf(nameOf(one.measured))),
      element("td", {}, one.metric),
      [one.reported_text, one.measured_text, one.difference_text].map((text) => element("td", { class: "n" }, text)),
      element("td", {}, wordsOf(one.tolerance_text || "–")),
      element("td", {}, answer(one.within)),
    ),
  );
  const head = (text, place) => element("th", { scope: "col", class: isNumber(place) && "n" }, text);
  return element(
    "section",
    { "aria-labelledby": "h-confirmed" },
    element("h2", { id: "h-confirmed" }, "Reported beside measured"),
    element(
      "div",
      { class: "scroll", tabindex: 0, role: "region", "aria-labelledby": "h-confirmed" },
      element(
        "table",
        {},
        element("thead", {}, element("tr", {}, heads.map(head))),
        element("tbody", {}, rows),
      ),
    ),
  );
}

const PREVIEWS = 6;

function imageSection(board) {
  const links = board.pictures.slice(0, PREVIEWS).map((picture, index) => {
    const [uri] = loadUris(board, index);
    const image = element("img", { src: uri, alt: "", width: picture.width, height: picture.height });
    return element("a", { href: `#/images/${board.id}/${index}` }, image, element("bdi", {}, picture.id));
  });
  const left = board.images_left_out ? `, of ${board.pictures.length + board.images_left_out} with predictions` : "";
  return element(
    "section",
    { "aria-labelledby": "h-images" },
    element("h2", { id: "h-images" }, "Images"),
    element("div", { class: "previews" }, links),
    element("p", { class: "small" }, element("a", { href: `#/images/${board.id}/0` }, `Look at ${board.pictures.length} images`), left),
  );
}
