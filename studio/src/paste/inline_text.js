// Pasted text with its marks: a list of runs, tidied, and written as clean elements.
import { isSafeAddress, readAddress } from "../link_address.js";
import { readStyle } from "./inline_style.js";
import { isLeftOut, isPicture } from "./omissions.js";
import { removeUnsafe } from "./unsafe_characters.js";

const MARK_OF_TAG = {
  B: "strong",
  STRONG: "strong",
  I: "em",
  EM: "em",
  CITE: "em",
  S: "s",
  STRIKE: "s",
  DEL: "s",
  CODE: "code",
  KBD: "code",
  SAMP: "code",
  TT: "code",
};
const ORDER = ["a", "em", "strong", "s", "code"];
const RAISED = "⁰¹²³⁴⁵⁶⁷⁸⁹";
const LOWERED = "₀₁₂₃₄₅₆₇₈₉";
const LINE_BREAK = { text: "\n", marks: {} };

/** The runs of `nodes`: text with its marks, and line breaks. `dropped` is told of pictures. */
export function readRuns(nodes, dropped, marks = {}) {
  const runs = [];
  for (const node of nodes) {
    if (node.nodeType === Node.TEXT_NODE) runs.push({ text: removeUnsafe(node.data).replace(/[\t\n ]+/g, " "), marks });
    if (node.nodeType !== Node.ELEMENT_NODE) continue;
    if (isPicture(node)) dropped.pictures = true;
    if (isLeftOut(node)) continue;
    if (node.nodeName === "BR") runs.push(LINE_BREAK);
    else if (readStyle(node)["mso-tab-count"]) runs.push({ text: " ", marks });
    else runs.push(...shiftDigits(readRuns(node.childNodes, dropped, readMarks(node, marks)), node));
  }
  return runs;
}

/** The marks of `element`'s text, which is within text with the marks `around`. */
export function readMarks(element, around) {
  const marks = { ...around };
  const style = readStyle(element);
  const ofTag = MARK_OF_TAG[element.nodeName];
  if (ofTag) marks[ofTag] = true;
  const weight = style["font-weight"];
  if (weight) marks.strong = /^(bold|bolder|[6-9]\d\d)$/.test(weight);
  if (style["font-style"]) marks.em = /^(italic|oblique)/.test(style["font-style"]);
  if (/line-through/.test(style["text-decoration"] ?? style["text-decoration-line"] ?? "")) marks.s = true;
  if (element.nodeName === "A") marks.a = readLink(element.getAttribute("href") ?? "") ?? marks.a;
  return marks;
}

/** The address that a pasted link is to; null for one within its own document, or that mail cannot have. */
function readLink(href) {
  if (!/^(https?:\/\/|mailto:)/i.test(href.trim()) || !isSafeAddress(href)) return null;
  return readAddress(unwrapLink(removeUnsafe(href).replace(/\n/g, "")));
}

// Outlook and Google put the addresses that people meant into their own.
function unwrapLink(href) {
  try {
    const { hostname, pathname, searchParams } = new URL(href);
    const isOutlook = hostname.endsWith(".safelinks.protection.outlook.com");
    const isGoogle = /^www\.google\.[a-z.]+$/.test(hostname) && pathname === "/url";
    const inner = isOutlook ? searchParams.get("url") : isGoogle ? (searchParams.get("q") ?? searchParams.get("url")) : "";
    return /^https?:\/\//i.test(inner ?? "") ? inner : href;
  } catch {
    return href;
  }
}

/** CO<sub>2</sub> is CO₂ and m<sup>2</sup> is m², since Markdown has neither. */
function shiftDigits(runs, element) {
  const align = readStyle(element)["vertical-align"];
  const digits = element.nodeName === "SUP" || align === "super" ? RAISED : LOWERED;
  if (digits === LOWERED && element.nodeName !== "SUB" && align !== "sub") return runs;
  const text = runs.map((run) => run.text).join("");
  if (!/^\d{1,3}$/.test(text)) return runs;
  return runs.map((run) => ({ ...run, text: run.text.replace(/\d/g, (digit) => digits[digit]) }));
}

/** Divide at two line breaks and more; tidy the spaces of each part, and leave out parts without text. */
export function divideRuns(runs) {
  const parts = [[]];
  let breaks = 0;
  for (const run of runs) {
    if (run === LINE_BREAK) breaks += 1;
    else if (breaks > 0 && run.text.trim() === "") continue;
    else {
      if (breaks > 1) parts.push([]);
      else if (breaks === 1 && parts.at(-1).length > 0) parts.at(-1).push(LINE_BREAK);
      breaks = 0;
      parts.at(-1).push(run);
    }
  }
  return parts.map(tidySpaces).filter((part) => part.some((run) => run.text.trim() !== ""));
}

// One space between words, none at the ends of lines. A no-break space between two words stays: "10 000", "« oui »".
function tidySpaces(runs) {
  const tidy = [];
  let before = "\n";
  for (const run of runs) {
    if (run === LINE_BREAK) {
      trimEnd(tidy);
      tidy.push(run);
      before = "\n";
      continue;
    }
    let text = run.text.replace(/[ \u00a0]{2,}/g, " ");
    if (/[\s\u00a0]$/.test(before)) text = text.replace(/^[ \u00a0]+/, "");
    if (text === "") continue;
    tidy.push({ ...run, text });
    before = text;
  }
  trimEnd(tidy);
  return tidy;
}

function trimEnd(runs) {
  while (runs.length > 0 && runs.at(-1) !== LINE_BREAK) {
    const last = runs.pop();
    const text = last.text.replace(/[ \u00a0]+$/, "");
    if (text !== "") {
      runs.push({ ...last, text });
      return;
    }
  }
}

/** What `runs` say. */
export function joinRuns(runs) {
  return runs.map((run) => run.text).join("");
}

/** Write `runs` as elements into `parent`; `without` are marks that it cannot have. */
export function writeRuns(runs, parent, without = []) {
  const { ownerDocument: document } = parent;
  for (const run of runs) {
    if (run === LINE_BREAK) {
      if (without.includes("br")) parent.append(" ");
      else parent.append(document.createElement("br"));
      continue;
    }
    let inner = document.createTextNode(run.text);
    const isBlank = run.text.trim() === "";
    for (const name of ORDER.toReversed()) {
      if (!run.marks[name] || without.includes(name) || (isBlank && name !== "a")) continue;
      const mark = document.createElement(name);
      if (name === "a") mark.setAttribute("href", run.marks.a);
      mark.append(inner);
      inner = mark;
    }
    parent.append(inner);
  }
}
