"use strict";
const NEAR = 20; // pixels between the pointer and a point of a figure whose words are shown

// Numbers by size, before texts by their letters.
function compare(one, two) {
  const texts = isNaN(one) - isNaN(two);
  return texts || (isNaN(one) ? one.localeCompare(two, undefined, { numeric: true }) : one - two);
}

// Sorts a table by the column whose heading is pressed; cells without a value stay last.
function sortBy(table, heading) {
  const column = [...heading.parentNode.children].indexOf(heading);
  const down = heading.getAttribute("aria-sort") === "ascending";
  for (const other of heading.parentNode.children) {
    if (other.hasAttribute("aria-sort")) other.setAttribute("aria-sort", "none");
  }
  heading.setAttribute("aria-sort", down ? "descending" : "ascending");
  const value = (row) => row.cells[column].dataset.sort ?? null;
  const rows = [...table.tBodies[0].rows];
  rows.sort((one, two) => {
    const [a, b] = [value(one), value(two)];
    if (a === null || b === null) return (a === null) - (b === null);
    return down ? -compare(a, b) : compare(a, b);
  });
  table.tBodies[0].append(...rows);
}

// Shows the rows that hold every word that was typed; a number has to stand at the beginning of a word.
function filter(table, input, told) {
  const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  for (const row of table.tBodies[0].rows) {
    const text = [...row.cells].map((cell) => cell.textContent.toLowerCase()).join(" ");
    const parts = text.split(/[^\w.+-]+/);
    const holds = (word) => isNaN(word) ? text.includes(word) : parts.some((part) => part.startsWith(word));
    row.hidden = !words.every(holds);
    shown += !row.hidden;
  }
  told.value = words.length ? `${shown} of ${table.tBodies[0].rows.length} shown` : "";
}

// The shown rows of a table in their order, as CSV; no cell begins like a formula.
function csv(table) {
  const quoted = (text) => `"${(/^[=+@-]/.test(text) && isNaN(text) ? "'" : "") + text.replaceAll('"', '""')}"`;
  const rows = [...table.rows].filter((row) => !row.hidden);
  const line = (row) => [...row.cells].filter((cell) => !cell.classList.contains("more"))
    .map((cell) => quoted(cell.textContent.trim())).join(",");
  return rows.map(line).join("\n") + "\n";
}

// Shows the words of the drawn point that is nearest to the pointer, if one is near.
function follow(figure) {
  const points = JSON.parse(figure.dataset.points);
  const image = figure.querySelector("img");
  const tip = figure.appendChild(document.createElement("div"));
  tip.className = "tip";
  tip.hidden = true;
  image.addEventListener("pointermove", (event) => {
    const box = image.getBoundingClientRect();
    const edge = parseFloat(getComputedStyle(image).paddingLeft);
    const place = ([x, y]) => [box.left + edge + x * (box.width - 2 * edge), box.top + edge + y * (box.height - 2 * edge)];
    let nearest = null, least = NEAR;
    for (const point of points) {
      const [left, top] = place(point);
      const far = Math.hypot(left - event.clientX, top - event.clientY);
      if (far < least) [nearest, least] = [point, far];
    }
    tip.hidden = nearest === null;
    if (nearest === null) return;
    tip.textContent = nearest[2];
    tip.style.left = `${Math.min(event.clientX + 14, document.documentElement.clientWidth - tip.offsetWidth - 4)}px`;
    tip.style.top = `${event.clientY + 14}px`;
  });
  image.addEventListener("pointerleave", () => { tip.hidden = true; });
}

for (const figure of document.querySelectorAll("figure[data-points]")) follow(figure);
for (const part of document.querySelectorAll(".sortable")) {
  const table = part.querySelector("table");
  const input = part.querySelector("input");
  for (const heading of table.querySelectorAll("th[aria-sort]")) {
    heading.querySelector("button").addEventListener("click", () => sortBy(table, heading));
  }
  const link = part.querySelector("a[download]");
  link.addEventListener("click", () => {
    link.href = URL.createObjectURL(new Blob(["\ufeff", csv(table)], { type: "text/csv" }));
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  });
  input.addEventListener("input", () => filter(table, input, part.querySelector("output")));
}
