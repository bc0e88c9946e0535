"use strict";

// What every part of the page uses: the content, elements, addresses and views, the theme.

const report = JSON.parse(document.getElementById("content").textContent);
const boards = new Map(report.boards.map((board) => [board.id, board]));
const lines = new Map();
for (const board of report.boards) {
  for (const line of board.lines) lines.set(line.id, line);
}

const boardOf = (id) => boards.get(id);
const lineOf = (id) => lines.get(id);

// Builds an element; text is always text, never markup.
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

// Packed data

async function unpack(base64) {
  const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).arrayBuffer();
}

const UNDEFINED_CODE = 65535;
const scoresByBoard = new Map();

// The main metric of each image by line: a promise of a Map of Float64Arrays, NaN undefined.
function loadScores(board) {
  if (!board.scores) return Promise.resolve(new Map());
  if (!scoresByBoard.has(board.id)) scoresByBoard.set(board.id, unpackScores(board));
  return scoresByBoard.get(board.id);
}

async function unpackScores(board) {
  const buffer = await unpack(document.getElementById("scores-" + board.id).textContent);
  const view = new DataView(buffer);
  const { ids, low, high } = board.scores;
  const valueAt = (place) => {
    const code = view.getUint16(2 * place, true);
    return code === UNDEFINED_CODE ? NaN : low + ((high - low) * code) / (UNDEFINED_CODE - 1);
  };
  return new Map(
    board.scores.lines.map((id, row) => [
      id,
      Float64Array.from(ids, (_, column) => valueAt(row * ids.length + column)),
    ]),
  );
}

// The data URIs of a picture, in the order of its layers.
function loadUris(board, index) {
  return JSON.parse(document.getElementById(`picture-${board.id}-${index}`).textContent);
}

let plotly = null;

// Plotly, unpacked and run when the first plot asks for it.
function loadPlotly() {
  plotly ??= unpack(document.getElementById("plotly").textContent).then((buffer) => {
    const script = document.createElement("script");
    script.textContent = new TextDecoder().decode(buffer);
    document.head.append(script);
    return window.Plotly;
  });
  return plotly;
}

// Theme

const themeListeners = [];
const onThemeChange = (callback) => themeListeners.push(callback);
const cssColour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// Views

function draw() {
  const view = document.getElementById("view");
  const [kind, id, index] = location.hash.replace(/^#\//, "").split("/");
  const heading = element("h1", { tabindex: -1 }, report.title);
  view.replaceChildren(heading);
  const board = boardOf(id);
  if (kind === "board" && board) {
    heading.textContent = board.name;
    const plots = element("section", { class: "plots" });
    view.append(plots);
    if (typeof drawPlots === "function") drawPlots(board, plots);
  } else if (kind === "images" && board) {
    heading.textContent = "Images of " + board.name;
    const images = element("section", { class: "images" });
    view.append(images);
    if (typeof showImages === "function") showImages(board, images, Number(index) || 0);
  }
}

function start() {
  const nav = document.getElementById("nav");
  for (const board of report.boards) {
    nav.append(element("a", { href: "#/board/" + board.id }, board.name), " ");
  }
  addEventListener("hashchange", draw);
  draw();
}

document.addEventListener("DOMContentLoaded", start);
