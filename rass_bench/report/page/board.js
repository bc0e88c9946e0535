// A data set's view: its notice, its table, reported beside measured numbers, plots and images.

function drawBoard(board, view) {
  const folder = board.link
    ? [
        " · ",
        linkTo(board.link + "/table.md", "table"),
        " · ",
        linkTo(board.link + "/table.csv", "CSV"),
      ]
    : [];
  const version = board.version ? `version ${board.version} · ` : "";
  view.append(element("p", { class: "sub" }, version + board.images, ...folder));
  if (board.notice) view.append(element("p", { class: "notice" }, board.notice));
  const results = part("h-lines", "Results");
  drawTable(board, results);
  view.append(results);
  if (board.confirmations.length) view.append(confirmationSection(board));
  const plots = element("section", { class: "plots", "aria-label": "Plots" });
  view.append(plots);
  if (board.pictures.length) view.append(imageSection(board));
  // The table is there first: plots take a moment.
  requestAnimationFrame(() => setTimeout(() => plots.isConnected && drawPlots(board, plots)));
}

function confirmationSection(board) {
  const heads = [
    ["reported"],
    ["measured"],
    ["metric"],
    ["reported", "n"],
    ["measured", "n"],
    ["difference", "n"],
    ["tolerance"],
    ["within it"],
  ];
  const rows = board.confirmations.map((one) =>
    element(
      "tr",
      {},
      element("th", { scope: "row", class: "c-name" }, wordsOf(nameOf(one.reported))),
      element("td", { class: "c-name" }, wordsOf(nameOf(one.measured))),
      element("td", {}, one.metric),
      [one.reported_text, one.measured_text, one.difference_text].map((text) =>
        element("td", { class: "n" }, text),
      ),
      element("td", {}, wordsOf(one.tolerance_text || "–")),
      element("td", {}, answerOf(one.within)),
    ),
  );
  const table = element("table", {}, headRow(heads), element("tbody", {}, rows));
  const title = "Reported beside measured";
  return part("h-confirmed", title, scrollBox(title, false, table));
}

function answerOf(within) {
  if (within === null) return "not known";
  const dot = element("span", { class: "dot " + (within ? "pass" : "fix") });
  return element("span", { class: "kind" }, dot, within ? "yes" : "no");
}

const PREVIEWS = 6;

function imageSection(board) {
  const links = board.pictures.slice(0, PREVIEWS).map((picture, index) => {
    const [uri] = loadUris(board, index);
    const image = element("img", {
      src: uri,
      alt: "",
      width: picture.width,
      height: picture.height,
    });
    return element(
      "a",
      { href: `#/images/${board.id}/${index}` },
      image,
      element("bdi", {}, picture.id),
    );
  });
  const count = board.pictures.length;
  const all = element("a", { href: `#/images/${board.id}/0` }, `Look at ${count} images`);
  const of = board.images_left_out
    ? `, of ${count + board.images_left_out} with predictions`
    : null;
  return part(
    "h-images",
    "Images",
    element("div", { class: "previews" }, links),
    element("p", { class: "small" }, all, of),
  );
}
