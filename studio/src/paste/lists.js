// Lists that other programs paste as paragraphs: Word's with its own bullets, and bullets that somebody typed.
import { STYLE } from "./inert_html.js";
import { readStyle } from "./inline_style.js";

const BULLET = /^[·•●○◦▪■□◆►‣⁃§ü\uf0b7\uf0a7\uf0d8\uf0fc–—-]$|^o$/;
const NUMBER = /^[(（]?(\d{1,4}|[a-z]{1,2}|[ivxlc]{1,6}|[一二三四五六七八九十]{1,3})[.)）．、]$/i;
const TYPED_BULLET = /^\s*[·•●◦▪‣\uf0b7][\s\u00a0]+/;
const WORD_BULLET = /^[\s\u00a0]*([·•●○▪§üo\uf0b7\uf0a7–-]|\(?(?:\d{1,3}|[a-z])[.)])[\s\u00a0]{2,}/;
const LEVEL_INDENT_PT = 36;

/** What a paragraph says of the list it is an item of: `level` from 1, `ordered` and `start`; null if of none.
 *  Removes the bullet or the number from it. */
export function takeMarker(paragraph) {
  const style = readStyle(paragraph);
  const found = /level(\d)/.exec(style["mso-list"] ?? "");
  if (found) return describe(Number(found[1]), takeWordMarker(paragraph));
  const isWord = /^MsoList/.test(paragraph.getAttribute("class") ?? "");
  const text = paragraph.textContent;
  const typed = isWord ? WORD_BULLET.exec(text) : TYPED_BULLET.exec(text);
  if (!typed) return null;
  removeStart(paragraph, typed[0].length);
  return describe(isWord ? readIndent(style) : 1, isWord ? typed[1] : "•");
}

function describe(level, marker) {
  const number = NUMBER.exec(marker);
  const ordered = number !== null && !BULLET.test(marker);
  return { level, ordered, start: ordered && /^\d+$/.test(number[1]) ? Number(number[1]) : 1 };
}

// Word puts the bullet into an element that it asks others to ignore. Safari loses that element's style.
function takeWordMarker(paragraph) {
  const ignored = [...paragraph.querySelectorAll(`[${STYLE}]`)].find(isIgnored);
  if (ignored) {
    const marker = ignored.textContent;
    ignored.remove();
    return marker.replace(/[\s\u00a0]+/g, "");
  }
  const found = WORD_BULLET.exec(paragraph.textContent);
  if (!found) return "•";
  removeStart(paragraph, found[0].length);
  return found[1];
}

function isIgnored(element) {
  return readStyle(element)["mso-list"] === "ignore";
}

function readIndent(style) {
  const [, amount, unit] = /^([\d.]+)(pt|in|cm|px)/.exec(style["margin-left"] ?? "") ?? [];
  const points = Number(amount ?? 0) * { pt: 1, in: 72, cm: 28.35, px: 0.75 }[unit ?? "pt"];
  return Math.min(Math.max(Math.round(points / LEVEL_INDENT_PT), 1), 9);
}

function removeStart(element, length) {
  const walker = element.ownerDocument.createTreeWalker(element, NodeFilter.SHOW_TEXT);
  for (let node; length > 0 && (node = walker.nextNode()); ) {
    const taken = Math.min(length, node.data.length);
    node.data = node.data.slice(taken);
    length -= taken;
  }
}

/** Puts items that come one after another into lists, by their levels. */
export class ListBuilder {
  #parent;
  #open = [];

  constructor(parent) {
    this.#parent = parent;
  }

  /** The latest item of the list that is open; null if none is. */
  get lastItem() {
    return this.#open.at(-1)?.lastElementChild ?? null;
  }

  /** Append an item, and return it. */
  addItem({ level, ordered, start }) {
    const { ownerDocument: document } = this.#parent;
    const tag = ordered ? "ol" : "ul";
    const depth = Math.min(level, this.#open.length + 1);
    this.#open.length = Math.min(this.#open.length, depth);
    if (this.#open.length === depth && this.#open.at(-1).localName !== tag) this.#open.pop();
    if (this.#open.length < depth) {
      const list = document.createElement(tag);
      if (ordered && start > 1) list.setAttribute("start", start);
      (this.lastItem ?? this.#parent).append(list);
      this.#open.push(list);
    }
    return this.#open.at(-1).appendChild(document.createElement("li"));
  }

  /** Append what is no item. */
  add(element) {
    this.close();
    this.#parent.append(element);
  }

  /** End the list: the next item begins another. */
  close() {
    this.#open = [];
  }
}
