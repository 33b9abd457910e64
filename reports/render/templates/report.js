"use strict";

// Tables: a heading sorts by its column, again the other way round; what is missing stays last.
for (const table of document.querySelectorAll("table")) {
  const body = table.tBodies[0];
  const headings = [...table.tHead.rows[0].cells];
  headings.forEach((heading, column) => {
    heading.querySelector("button").addEventListener("click", () => {
      const falling = heading.getAttribute("aria-sort") === "ascending";
      const key = (row) => row.cells[column].dataset.key;
      const rows = [...body.rows];
      const numeric = rows.every((row) => key(row) === "" || toNumber(key(row)) === toNumber(key(row)));
      rows.sort((a, b) => {
        const [first, second] = [key(a), key(b)];
        if (first === "" || second === "") return (first === "") - (second === "");
        const order = numeric ? compare(toNumber(first), toNumber(second)) : first.localeCompare(second);
        return falling ? -order : order;
      });
      body.append(...rows);
      headings.forEach((other) => other.removeAttribute("aria-sort"));
      heading.setAttribute("aria-sort", falling ? "descending" : "ascending");
    });
  });
}

// As Python writes numbers.
function toNumber(text) {
  if (text === "inf") return Infinity;
  if (text === "-inf") return -Infinity;
  return Number(text);
}

function compare(first, second) {
  return first < second ? -1 : first > second ? 1 : 0;
}

// Tooltips: those of the browser come late, and never on a phone. Without this script they are still there.
const tip = document.getElementById("tip");

for (const element of document.querySelectorAll("[title]")) {
  element.dataset.tip = element.title;
  element.removeAttribute("title");
}
for (const mark of document.querySelectorAll("svg .mark")) {
  const title = mark.querySelector("title");
  mark.dataset.tip = title.textContent;
  mark.setAttribute("aria-label", title.textContent);
  title.remove();
}

// Where the pointer is, or below what has the focus.
function place(x, y) {
  tip.style.left = `${Math.max(8, Math.min(x + 12, innerWidth - tip.offsetWidth - 8))}px`;
  const below = y + 16;
  tip.style.top = `${below + tip.offsetHeight > innerHeight - 8 ? Math.max(8, y - tip.offsetHeight - 12) : below}px`;
}

function showTip(target) {
  const owner = target instanceof Element ? target.closest("[data-tip]") : null;
  tip.hidden = owner === null;
  if (owner !== null) tip.textContent = owner.dataset.tip;
  return owner;
}

function placeAtFocus() {
  const box = document.activeElement.getBoundingClientRect();
  place(box.left, box.bottom - 8);
}

let focused = false;
for (const kind of ["pointermove", "pointerdown"]) {
  document.addEventListener(kind, (event) => {
    focused = false;
    if (showTip(event.target)) place(event.clientX, event.clientY);
  });
}
document.addEventListener("focusin", (event) => {
  focused = showTip(event.target) !== null;
  if (focused) placeAtFocus();
});
for (const kind of ["pointerleave", "focusout"]) {
  document.documentElement.addEventListener(kind, () => { tip.hidden = true; });
}
document.addEventListener("scroll", () => {
  if (focused) placeAtFocus();
  else tip.hidden = true;
}, true);
document.addEventListener("keydown", (event) => { if (event.key === "Escape") tip.hidden = true; });
