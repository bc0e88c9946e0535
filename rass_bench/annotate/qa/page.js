"use strict";

const byId = (id) => document.getElementById(id);

// Undefined measures sort last in either direction.
function compare(a, b, text, sign) {
  if (text) return sign * a.localeCompare(b, undefined, { numeric: true });
  if (a === "" || b === "") return (a === "") - (b === "");
  return sign * (Number(a) - Number(b));
}

for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    head.querySelector("button").addEventListener("click", () => {
      const text = head.dataset.k === "text";
      const before = head.getAttribute("aria-sort");
      const rising = before ? before === "descending" : text;
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", rising ? "ascending" : "descending");
      const value = (row) => row.cells[column].dataset.v;
      const rows = [...table.tBodies[0].rows];
      rows.sort((a, b) => compare(value(a), value(b), text, rising ? 1 : -1));
      table.tBodies[0].append(...rows);
    });
  });
}

function arrange() {
  const key = byId("sort").value;
  const wanted = byId("filter").value;
  const cards = [...byId("cards").children];
  cards.sort((a, b) => compare(a.dataset[key], b.dataset[key], key === "sample", 1));
  byId("cards").append(...cards);
  for (const card of cards) card.hidden = wanted !== "" && card.dataset.decision !== wanted;
  byId("none").hidden = cards.some((card) => !card.hidden);
}
byId("sort").addEventListener("change", arrange);
byId("filter").addEventListener("change", arrange);

byId("opacity").addEventListener("input", (event) => {
  document.documentElement.style.setProperty("--mask", event.target.value / 100);
});

byId("find").addEventListener("input", (event) => {
  const words = event.target.value.toLowerCase();
  for (const row of byId("all").tBodies[0].rows) {
    const text = row.cells[0].dataset.v + " " + row.cells[1].dataset.v;
    row.hidden = !text.toLowerCase().includes(words);
  }
});

// A link to a card that the filter hides must not lead nowhere.
addEventListener("hashchange", () => {
  const card = document.getElementById(location.hash.slice(1));
  if (card && card.hidden) {
    byId("filter").value = "";
    arrange();
    card.scrollIntoView();
  }
});

// Masks hold exact class colours: the class under the pointer is read off every annotator's mask.
const classes = JSON.parse(byId("classes").textContent);
const nameOf = new Map(classes.colours.map((colour, id) => [colour, classes.names[id]]).reverse());
const pixels = new WeakMap();

function readClass(mask, x, y) {
  if (!pixels.has(mask)) {
    const canvas = new OffscreenCanvas(mask.naturalWidth, mask.naturalHeight);
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.drawImage(mask, 0, 0);
    pixels.set(mask, context);
  }
  const column = Math.min(mask.naturalWidth - 1, Math.floor(x * mask.naturalWidth));
  const row = Math.min(mask.naturalHeight - 1, Math.floor(y * mask.naturalHeight));
  const [red, green, blue, alpha] = pixels.get(mask).getImageData(column, row, 1, 1).data;
  if (alpha === 0) return "no class";
  const hex = [red, green, blue].map((part) => part.toString(16).padStart(2, "0")).join("");
  return nameOf.get("#" + hex) ?? "";
}

for (const panes of document.querySelectorAll(".panes")) {
  const figures = [...panes.querySelectorAll("figure")].filter((one) => one.querySelector(".mask"));
  panes.addEventListener("pointermove", (event) => {
    const pane = event.target.closest(".pane");
    if (!pane) return;
    const box = pane.getBoundingClientRect();
    const x = (event.clientX - box.left) / box.width;
    const y = (event.clientY - box.top) / box.height;
    if (x < 0 || x >= 1 || y < 0 || y >= 1) return;
    panes.style.setProperty("--x", 100 * x + "%");
    panes.style.setProperty("--y", 100 * y + "%");
    panes.classList.add("pointed");
    for (const figure of figures) {
      figure.querySelector("output").textContent = readClass(figure.querySelector(".mask"), x, y);
    }
  });
  panes.addEventListener("pointerleave", () => {
    panes.classList.remove("pointed");
    for (const figure of figures) figure.querySelector("output").textContent = "";
  });
}
