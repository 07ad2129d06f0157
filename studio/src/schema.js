// What a story may be made of: that which editions/rich_text reads from Markdown and writes to it.
import { Schema } from "prosemirror-model";
import { isSafeAddress } from "./link_address.js";

const isLevel = (value) => {
  if (value !== 2 && value !== 3) throw new RangeError("a heading has level 2 or 3");
};
const isOrder = (value) => {
  if (!Number.isInteger(value) || value < 0 || value > 999999999) throw new RangeError("no number of a list");
};

export const schema = new Schema({
  nodes: {
    // Markdown as written stands by itself: a list or a quotation with such a part is written as a whole.
    doc: { content: "(block | raw)+" },
    paragraph: { content: "inline*", group: "block", parseDOM: [{ tag: "p" }], toDOM: () => ["p", 0] },
    heading: {
      // A heading of Markdown is one line: it has no line breaks.
      attrs: { level: { default: 2, validate: isLevel } },
      content: "text*",
      group: "block",
      defining: true,
      parseDOM: [
        { tag: "h2", attrs: { level: 2 } },
        { tag: "h3", attrs: { level: 3 } },
      ],
      toDOM: (node) => [`h${node.attrs.level}`, 0],
    },
    blockquote: {
      content: "block+",
      group: "block",
      defining: true,
      parseDOM: [{ tag: "blockquote" }],
      toDOM: () => ["blockquote", 0],
    },
    horizontal_rule: { group: "block", parseDOM: [{ tag: "hr" }], toDOM: () => ["hr"] },
    bullet_list: {
      attrs: { tight: { default: true, validate: "boolean" } },
      content: "list_item+",
      group: "block",
      parseDOM: [{ tag: "ul", getAttrs: readTightness }],
      toDOM: (node) => ["ul", writeTightness(node), 0],
    },
    ordered_list: {
      attrs: { tight: { default: true, validate: "boolean" }, order: { default: 1, validate: isOrder } },
      content: "list_item+",
      group: "block",
      parseDOM: [{ tag: "ol", getAttrs: (list) => ({ ...readTightness(list), order: readOrder(list) }) }],
      toDOM: (node) => ["ol", { start: node.attrs.order, ...writeTightness(node) }, 0],
    },
    list_item: {
      content: "paragraph block*",
      defining: true,
      parseDOM: [{ tag: "li" }],
      toDOM: () => ["li", 0],
    },
    raw: {
      attrs: { why: { default: "", validate: "string" } },
      content: "text*",
      marks: "",
      code: true,
      defining: true,
      isolating: true,
      parseDOM: [
        {
          tag: "pre[data-why]",
          preserveWhitespace: "full",
          getAttrs: (block) => ({ why: block.getAttribute("data-why") }),
        },
      ],
      toDOM: (node) => ["pre", { "data-why": node.attrs.why }, 0],
    },
    text: { group: "inline" },
    hard_break: {
      inline: true,
      group: "inline",
      selectable: false,
      parseDOM: [{ tag: "br" }],
      toDOM: () => ["br"],
    },
  },
  marks: {
    link: {
      attrs: { href: { validate: "string" }, title: { default: null, validate: "string|null" } },
      inclusive: false,
      parseDOM: [
        {
          tag: "a[href]",
          getAttrs: (link) => ({ href: link.getAttribute("href"), title: link.getAttribute("title") }),
        },
      ],
      // Markdown may say any address; what could run is never made a link of the page.
      toDOM: ({ attrs: { href, title } }) => ["a", { href: isSafeAddress(href) ? href : null, title }, 0],
    },
    em: { parseDOM: [{ tag: "em" }, { tag: "i" }], toDOM: () => ["em", 0] },
    strong: { parseDOM: [{ tag: "strong" }, { tag: "b" }], toDOM: () => ["strong", 0] },
    strike: { parseDOM: [{ tag: "s" }, { tag: "del" }], toDOM: () => ["s", 0] },
    code: { code: true, parseDOM: [{ tag: "code" }], toDOM: () => ["code", 0] },
  },
});

function readTightness(list) {
  return { tight: !list.hasAttribute("data-loose") };
}

function writeTightness(node) {
  return node.attrs.tight ? {} : { "data-loose": "" };
}

function readOrder(list) {
  const start = Number(list.getAttribute("start") || 1);
  return Number.isInteger(start) && start >= 0 && start <= 999999999 ? start : 1;
}

/** The document for `json`. Throws a RangeError if it is none of this schema. */
export function readDocument(json) {
  const document = schema.nodeFromJSON(json);
  if (document.type !== schema.topNodeType) throw new RangeError("not a document");
  if (document.childCount === 0) return schema.topNodeType.createAndFill();
  document.check();
  return document;
}
