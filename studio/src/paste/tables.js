// Pasted tables: one of data becomes a table of Markdown, one for layout gives way to what is in it.
import { divideRuns, joinRuns, readRuns } from "./inline_text.js";

const MANY_LETTERS = 400;
const INNER = "table, ul, ol, h1, h2, h3, h4, h5, h6, blockquote, pre, hr";

function listCells(table) {
  return [...table.rows].map((row) => [...row.cells]).filter((cells) => cells.length > 0);
}

/** Whether rows and columns of a table belong together, so that its parts make no sense without it. */
export function isDataTable(table) {
  if (["presentation", "none"].includes(table.getAttribute("role")) || table.querySelector(INNER)) return false;
  const rows = listCells(table);
  const columns = Math.max(0, ...rows.map((cells) => cells.length));
  const isShort = (cell) => cell.textContent.length <= MANY_LETTERS;
  return rows.length > 1 && columns > 1 && rows.every((cells) => cells.every(isShort));
}

/** The texts of a table's cells, row by row; rows without any are left out. */
export function readCells(table, dropped) {
  const rows = listCells(table).map((cells) => cells.map((cell) => readCell(cell, dropped)));
  return rows.filter((cells) => cells.some((text) => text !== ""));
}

function readCell(cell, dropped) {
  const blocks = [...cell.querySelectorAll("p, div")];
  const sources = blocks.length > 0 ? blocks.filter((block) => !block.querySelector("p, div")) : [cell];
  const parts = sources.flatMap((source) => divideRuns(readRuns(source.childNodes, dropped)));
  return parts.map(joinRuns).join(" ").replace(/\n/g, " ");
}

/** The Markdown of a table. */
export function writeTable(rows) {
  const columns = Math.max(...rows.map((cells) => cells.length));
  const escape = (text) => text.replace(/[\\`*_[\]<>|~&!]/g, "\\$&");
  const write = (cells) => `| ${Array.from({ length: columns }, (_, at) => escape(cells[at] ?? "")).join(" | ")} |`;
  const [head, ...others] = rows;
  return [write(head), `|${" --- |".repeat(columns)}`, ...others.map(write)].join("\n");
}
