"use strict";

// What every part of the page uses: the content, elements, packed data, the theme, the views.

const byId = (id) => document.getElementById(id);

const report = JSON.parse(byId("content").textContent);
const boards = new Map(report.boards.map((board) => [board.id, board]));
const boardsOfLines = new Map();
const lines = new Map();
for (const board of report.boards) {
  for (const line of board.lines) {
    lines.set(line.id, line);
    boardsOfLines.set(line.id, board);
  }
}

const boardOf = (id) => boards.get(id);
const lineOf = (id) => lines.get(id);
const boardOfLine = (id) => boardsOfLines.get(id);
const addressOf = (line) => "#/model/" + line.id;

// Builds an element. Text is always text, never markup; null children are left out.
function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) {
      made.setAttribute(name, value);
    }
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return made;
}

// Tells people who do not see the page what has happened.
function say(text) {
  byId("said").textContent = text;
}

// Addresses come from records: those that would run a script are no links.
function linkTo(address, ...children) {
  const target = URL.parse(address, "file:///report/");
  const isSafe = target && ["http:", "https:", "file:"].includes(target.protocol);
  return isSafe ? element("a", { href: address }, ...children) : element("span", {}, ...children);
}

// A name as its own piece of text, whichever way it is written, with its revisions set back.
function nameOf(name) {
  const parts = name.split(/(@[^\s@]+)/);
  const shown = parts.map((part, place) =>
    place % 2 ? element("span", { class: "rev" }, part) : part,
  );
  return element("bdi", { class: "name" }, ...shown);
}

// A part of a view, below a heading of its own.
function part(id, title, ...children) {
  const heading = element("h2", { id }, title);
  return element("section", { "aria-labelledby": id }, heading, ...children);
}

// The same as a card.
function card(id, title, ...children) {
  const made = part(id, title, ...children);
  made.className = "boxed";
  return made;
}

// A box in which a wide table scrolls, and a long one where it is tall; the keyboard reaches it.
function scrollBox(label, isTall, ...children) {
  const kind = isTall ? "scroll tall" : "scroll";
  return element(
    "div",
    { class: kind, tabindex: 0, role: "group", "aria-label": label },
    ...children,
  );
}

// A table's headings; those of numbers have the class n.
function headRow(heads) {
  const cells = heads.map(([text, kind]) => element("th", { scope: "col", class: kind }, text));
  return element("thead", {}, element("tr", {}, cells));
}

const shortBoardNames = new Map();
for (const board of report.boards) {
  const [short] = board.name.split("@");
  const alike = report.boards.filter((other) => other.name.split("@")[0] === short);
  shortBoardNames.set(board.id, alike.length === 1 && short ? short : board.name);
}

const KINDS = ["verified", "measured", "reported"];
const kindOf = (kind) =>
  element("span", { class: "kind" }, element("span", { class: "dot " + kind }), kind);

// Undefined values come last in either direction.
function compareValues(a, b, sign) {
  if (a === null || b === null) return (a === null) - (b === null);
  if (typeof a === "number") return sign * (a - b);
  return sign * a.localeCompare(b, "en", { numeric: true });
}

// Packed data

async function unpack(id) {
  const bytes = Uint8Array.from(atob(byId(id).textContent), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).arrayBuffer();
}

const UNDEFINED_CODE = 65535;
const scoresOfBoards = new Map();

// The main metric of each image, by line: a promise of a Map of Float64Arrays, NaN undefined.
function loadScores(board) {
  if (!board.scores) return Promise.resolve(new Map());
  if (!scoresOfBoards.has(board.id)) scoresOfBoards.set(board.id, unpackScores(board));
  return scoresOfBoards.get(board.id);
}

async function unpackScores(board) {
  const codes = new DataView(await unpack("scores-" + board.id));
  const { ids, low, high } = board.scores;
  const valueAt = (place) => {
    const code = codes.getUint16(2 * place, true);
    return code === UNDEFINED_CODE ? NaN : low + ((high - low) * code) / (UNDEFINED_CODE - 1);
  };
  const row = (number) =>
    Float64Array.from(ids, (_, column) => valueAt(number * ids.length + column));
  return new Map(board.scores.lines.map((id, number) => [id, row(number)]));
}

// The data URIs of a picture, in the order of its layers.
function loadUris(board, index) {
  return JSON.parse(byId(`picture-${board.id}-${index}`).textContent);
}

let plotly = null;

// A promise of Plotly, which is unpacked and run when the first plot asks for it.
function loadPlotly() {
  plotly ??= unpack("plotly").then((script) => {
    document.head.append(element("script", {}, new TextDecoder().decode(script)));
    return window.Plotly;
  });
  return plotly;
}

// Theme: the system's, until the button says otherwise

const THEME_KEY = "rass-bench-theme";
const systemIsDark = matchMedia("(prefers-color-scheme: dark)");
const themeListeners = [];

// Storage may be forbidden, as in a frame without an origin: then the choice lasts for this page.
function keepTheme(theme) {
  try {
    sessionStorage.setItem(THEME_KEY, theme);
  } catch (error) {
    if (!(error instanceof DOMException)) throw error;
  }
}

function keptTheme() {
  try {
    return sessionStorage.getItem(THEME_KEY);
  } catch (error) {
    if (!(error instanceof DOMException)) throw error;
    return null;
  }
}

const isDark = () =>
  (document.documentElement.dataset.theme ?? (systemIsDark.matches ? "dark" : "light")) === "dark";

// Calls back whenever the colours have changed.
const onThemeChange = (callback) => themeListeners.push(callback);

function themeChanged() {
  byId("theme").textContent = isDark() ? "Light" : "Dark";
  for (const callback of themeListeners) callback();
}

function startTheme() {
  const kept = keptTheme();
  if (kept === "dark" || kept === "light") document.documentElement.dataset.theme = kept;
  byId("theme").hidden = false;
  byId("theme").addEventListener("click", () => {
    document.documentElement.dataset.theme = isDark() ? "light" : "dark";
    keepTheme(document.documentElement.dataset.theme);
    themeChanged();
  });
  systemIsDark.addEventListener("change", themeChanged);
  themeChanged();
}

// The colour that a CSS variable stands for in the theme that is on, as #rrggbb.
function cssColour(name) {
  const probe = element("i");
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const parts = getComputedStyle(probe).color.match(/\d+/g).slice(0, 3);
  probe.remove();
  return "#" + parts.map((part) => Number(part).toString(16).padStart(2, "0")).join("");
}

// Views: one an address, drawn when it is called up

function viewOf(address) {
  const [kind, id, index] = address.replace(/^#\//, "").split("/");
  if (address === "" || address === "#" || address === "#/") {
    return { title: "Overview", board: null, draw: drawOverview };
  }
  if (kind === "board" && boardOf(id)) {
    const board = boardOf(id);
    return { title: board.name, board, draw: (view) => drawBoard(board, view) };
  }
  if (kind === "model" && lineOf(id)) {
    const [line, board] = [lineOf(id), boardOfLine(id)];
    return { title: line.name, board, draw: (view) => drawModel(board, line, view) };
  }
  if (kind === "images" && boardOf(id)?.pictures[Number(index ?? 0)]) {
    const board = boardOf(id);
    const draw = (view) => drawImages(board, Number(index ?? 0), view);
    return { title: "Images of " + board.name, board, draw };
  }
  return { title: "Nothing here", board: null, draw: drawNothing };
}

function drawImages(board, index, view) {
  const container = element("div", { class: "images" });
  view.append(container);
  showImages(board, container, index);
}

function drawNothing(view) {
  const home = element("a", { href: "#/" }, "overview");
  view.append(element("p", {}, "The address leads to no view of this report. Try the ", home, "."));
}

function showView() {
  const { title, board, draw } = viewOf(location.hash);
  const heading = element(
    "h1",
    { tabindex: -1 },
    draw === drawOverview ? "Overview" : nameOf(title),
  );
  byId("view").replaceChildren(heading);
  document.title = `${title} – ${report.title}`;
  for (const link of byId("nav").querySelectorAll("a")) {
    const isHere = link.hash === (board ? "#/board/" + board.id : "#/") && draw !== drawNothing;
    if (isHere) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  draw(byId("view"));
  return heading;
}

// Focus follows to the new heading. A view that was there before keeps where it was scrolled to.
function followAddress() {
  const heading = showView();
  heading.focus({ preventScroll: true });
  const before = history.state?.scrolled;
  scrollTo(0, before ?? 0);
}

function startViews() {
  const link = (href, name, hint) => element("li", {}, element("a", { href, title: hint }, name));
  byId("nav").append(
    element(
      "ul",
      {},
      link("#/", "Overview"),
      report.boards.map((board) =>
        link("#/board/" + board.id, element("bdi", {}, shortBoardNames.get(board.id)), board.name),
      ),
    ),
  );
  // The address is the view's: skipping to the content must not change it.
  byId("skip").addEventListener("click", (event) => {
    event.preventDefault();
    byId("view").querySelector("h1").focus();
  });
  history.scrollRestoration = "manual";
  addEventListener("scrollend", () => {
    history.replaceState({ scrolled: scrollY }, "");
  });
  addEventListener("hashchange", followAddress);
  showView();
  scrollTo(0, history.state?.scrolled ?? 0);
}

document.addEventListener("DOMContentLoaded", () => {
  startTheme();
  startViews();
});
