// The blocks of pasted HTML, written anew: only elements of our schema, each with what it may have.
import { divideRuns, readMarks, readRuns, writeRuns } from "./inline_text.js";
import { ListBuilder, takeMarker } from "./lists.js";
import { isLeftOut } from "./omissions.js";
import { isDataTable, readCells, writeTable } from "./tables.js";

const BLOCKS = new Set(
  ("ADDRESS ARTICLE ASIDE BLOCKQUOTE BODY CAPTION CENTER DD DETAILS DIV DL DT FIELDSET FIGCAPTION FIGURE FOOTER FORM H1 H2 H3 " +
    "H4 H5 H6 HEADER HGROUP HR HTML LI MAIN MENU NAV OL P PRE SECTION SUMMARY TABLE TBODY TD TFOOT TH THEAD TR UL").split(" "),
);
const LISTS = new Set(["UL", "OL", "MENU"]);
// Deeper, lists and quotations are told apart no more.
const DEEPEST = 8;

/** Writes the blocks of pasted elements into clean ones. `dropped` is told what was left out or changed. */
export class BlockWriter {
  #document;
  #dropped;
  #found = new WeakMap();

  constructor(document, dropped) {
    this.#document = document;
    this.#dropped = dropped;
  }

  /** Write what is in `source` into `target`. */
  write(source, target, { depth = 0, marks = {} } = {}) {
    this.#writeInto(source, new ListBuilder(target), { depth, marks });
  }

  #writeInto(source, builder, { depth, marks: around }) {
    const marks = source.nodeType === Node.ELEMENT_NODE ? readMarks(source, around) : around;
    let inline = [];
    const flush = () => {
      this.#writeParagraphs(inline, builder, "p", marks);
      inline = [];
    };
    for (const node of source.childNodes) {
      if (!this.#hasBlocks(node)) {
        inline.push(node);
      } else if (!isLeftOut(node)) {
        flush();
        this.#writeBlock(node, builder, { depth, marks });
      }
    }
    flush();
  }

  #hasBlocks(node) {
    if (node.nodeType !== Node.ELEMENT_NODE) return false;
    if (!this.#found.has(node)) {
      this.#found.set(node, BLOCKS.has(node.nodeName) || [...node.children].some((child) => this.#hasBlocks(child)));
    }
    return this.#found.get(node);
  }

  #writeBlock(element, builder, context) {
    const { nodeName } = element;
    const heading = readHeading(element);
    if (heading) this.#writeParagraphs([element], builder, heading, context.marks);
    else if (nodeName === "HR") builder.add(this.#make("hr"));
    else if (nodeName === "PRE") this.#writePreformatted(element, builder);
    else if (nodeName === "TABLE") this.#writeTable(element, builder, context);
    else if (LISTS.has(nodeName) && context.depth < DEEPEST) this.#writeList(element, builder, context);
    else if (nodeName === "BLOCKQUOTE" && context.depth < DEEPEST) this.#writeQuote(element, builder, context);
    else if ([...element.childNodes].some((child) => this.#hasBlocks(child))) this.#writeInto(element, builder, context);
    else this.#writeItemOrParagraph(element, builder, context);
  }

  #writeNode(node, builder, context) {
    if (!this.#hasBlocks(node)) this.#writeParagraphs([node], builder, "p", context.marks);
    else if (!isLeftOut(node)) this.#writeBlock(node, builder, context);
  }

  #writeItemOrParagraph(element, builder, { depth, marks }) {
    const marker = depth < DEEPEST ? takeMarker(element) : null;
    if (marker === null) {
      this.#writeParagraphs([element], builder, "p", marks);
      return;
    }
    const item = builder.addItem({ ...marker, level: Math.min(marker.level, DEEPEST - depth) });
    this.#writeParagraphs([element], new ListBuilder(item), "p", marks);
    if (!item.hasChildNodes()) item.append(this.#make("p"));
  }

  #writeParagraphs(nodes, builder, tag, marks) {
    for (const runs of divideRuns(readRuns(nodes, this.#dropped, marks))) {
      const block = this.#make(tag);
      // Headings of other programs are bold, as all headings are.
      writeRuns(runs, block, tag === "p" ? [] : ["strong", "br"]);
      builder.add(block);
    }
  }

  #writeList(list, builder, { depth, marks }) {
    // Word for the web gives each item a list of its own, and tells its level.
    const isLevelled = list.querySelector(":scope > li[data-aria-level]") !== null;
    if (!isLevelled) builder.close();
    const inner = { depth: depth + 1, marks };
    for (const child of list.childNodes) {
      if (child.nodeName === "LI") {
        if (!isLeftOut(child)) this.#writeItem(child, builder.addItem(describeItem(child, list)), inner);
      } else if (LISTS.has(child.nodeName)) {
        const item = builder.lastItem;
        this.#writeBlock(child, item === null ? builder : new ListBuilder(item), inner);
      } else if (child.textContent.trim() !== "" && child.nodeType !== Node.COMMENT_NODE) {
        // No HTML that is right has it; browsers show it all the same.
        const holder = this.#make("div");
        this.#writeNode(child, new ListBuilder(holder), inner);
        const item = builder.lastItem ?? (holder.hasChildNodes() ? builder.addItem(describeItem(list, list)) : null);
        item?.append(...holder.childNodes);
        if (item !== null && item.firstElementChild?.nodeName !== "P") item.prepend(this.#make("p"));
      }
    }
    if (!isLevelled) builder.close();
  }

  #writeItem(source, item, context) {
    this.write(source, item, context);
    const first = item.firstElementChild;
    const before = item.previousElementSibling;
    if (first !== null && LISTS.has(first.nodeName) && before !== null) {
      // An item without words of its own only says that its list is within the item before.
      before.append(...item.childNodes);
      item.remove();
    } else if (first?.nodeName !== "P") {
      item.prepend(this.#make("p"));
    }
  }

  #writeQuote(element, builder, { depth, marks }) {
    const quote = this.#make("blockquote");
    this.write(element, quote, { depth: depth + 1, marks });
    if (quote.hasChildNodes()) builder.add(quote);
  }

  #writePreformatted(element, builder) {
    for (const lines of element.textContent.split(/\n[ \t]*\n/)) {
      const block = this.#make("p");
      for (const line of lines.split("\n")) block.append(line, this.#make("br"));
      this.#writeParagraphs(block.childNodes, builder, "p");
    }
  }

  #writeTable(table, builder, context) {
    const rows = isDataTable(table) ? readCells(table, this.#dropped) : [];
    if (rows.length < 2) {
      this.#writeInto(table, builder, context);
      return;
    }
    this.#dropped.tables = true;
    if (table.caption) this.#writeParagraphs([table.caption], builder, "p", context.marks);
    if (context.depth === 0) {
      const raw = this.#make("pre");
      raw.setAttribute("data-why", "table");
      raw.append(writeTable(rows));
      builder.add(raw);
      return;
    }
    for (const cells of rows) {
      const block = this.#make("p");
      block.append(cells.filter(Boolean).join(" · "));
      builder.add(block);
    }
  }

  #make(name) {
    return this.#document.createElement(name);
  }
}

function describeItem(item, list) {
  const level = Number(item.getAttribute("data-aria-level") ?? 1) || 1;
  const start = Number(list.getAttribute("start") ?? 1);
  return {
    level: Math.min(level, DEEPEST),
    ordered: list.nodeName === "OL",
    start: Number.isInteger(start) && start > 0 && start < 10000 ? start : 1,
  };
}

/** The tag of a heading here: two levels, since the story's title is above both. */
function readHeading(element) {
  const level = element.getAttribute("role") === "heading" ? Number(element.getAttribute("aria-level")) : 0;
  const ofTag = Number(/^H([1-6])$/.exec(element.nodeName)?.[1] ?? 0);
  const isTitle = /\bMsoTitle\b/.test(element.getAttribute("class") ?? "");
  const found = ofTag || level || (isTitle ? 1 : 0);
  return found === 0 ? null : found < 3 ? "h2" : "h3";
}
