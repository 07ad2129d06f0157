// Arrow keys, Home and End move from number to number in a heat map, which is one stop of the Tab key.

function listRows(grid) {
  return [...grid.rows].map((row) => [...row.cells].map((cell) => cell.querySelector("a")));
}

function findNext(rows, from, key) {
  const y = rows.findIndex((row) => row.includes(from));
  const x = rows[y].indexOf(from);
  const column = rows.map((row) => row[x]);
  const lines = {
    ArrowRight: rows[y].slice(x + 1),
    ArrowLeft: rows[y].slice(0, x).reverse(),
    ArrowDown: column.slice(y + 1),
    ArrowUp: column.slice(0, y).reverse(),
    Home: rows[y],
    End: rows[y].slice().reverse(),
  };
  return (lines[key] ?? []).find((link) => link);
}

function makeOneStop(root) {
  for (const grid of root.querySelectorAll("[data-grid]")) {
    const links = [...grid.querySelectorAll("a")];
    const current = links.find((link) => link === document.activeElement) ?? links[0];
    for (const link of links) link.tabIndex = link === current ? 0 : -1;
  }
}

document.addEventListener("keydown", (event) => {
  const from = event.target.closest?.("[data-grid] a");
  if (!from || event.ctrlKey || event.metaKey || event.altKey) return;
  const grid = from.closest("[data-grid]");
  const next = findNext(listRows(grid), from, event.key);
  if (!next) return;
  event.preventDefault();
  from.tabIndex = -1;
  next.tabIndex = 0;
  next.focus();
});

makeOneStop(document);
document.addEventListener("htmx:after:swap", () => makeOneStop(document));
