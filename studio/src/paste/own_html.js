// What this editor has copied, or says so: the same elements again, and nothing that it does not write itself.
import { isSafeAddress } from "../link_address.js";
import { removeUnsafe } from "./unsafe_characters.js";

const TAGS = new Set("P H2 H3 BLOCKQUOTE HR UL OL LI PRE BR A EM STRONG S CODE".split(" "));
const ATTRIBUTES = {
  href: isSafeAddress,
  title: () => true,
  start: (value) => /^\d{1,9}$/.test(value),
  "data-why": () => true,
  "data-loose": () => true,
  "data-pm-slice": isOwnSlice,
};
const MOST_AROUND = 16;

/** Whether ProseMirror may believe what `value` says of the nodes around a slice. */
function isOwnSlice(value, schema) {
  const [, around] = /^\d{1,3} \d{1,3} (\[.*\])$/s.exec(value) ?? [];
  try {
    const nodes = JSON.parse(around);
    if (nodes.length % 2 !== 0 || nodes.length > MOST_AROUND) return false;
    for (let at = 0; at < nodes.length; at += 2) {
      const type = schema.nodes[nodes[at]];
      type.checkAttrs(type.create(nodes[at + 1]).attrs);
    }
    return true;
  } catch {
    return false;
  }
}

/** Copy the children of `source` into `target`, an element of a clean document. */
export function copyOwn(source, target, schema) {
  for (const node of source.childNodes) {
    if (node.nodeType === Node.TEXT_NODE) {
      target.append(removeUnsafe(node.data));
    } else if (node.nodeType === Node.ELEMENT_NODE && TAGS.has(node.nodeName)) {
      const copy = target.appendChild(target.ownerDocument.createElement(node.localName));
      for (const [name, isAllowed] of Object.entries(ATTRIBUTES)) {
        const value = node.getAttribute(name);
        if (value !== null && isAllowed(value, schema)) copy.setAttribute(name, value);
      }
      copyOwn(node, copy, schema);
    } else if (node.nodeType === Node.ELEMENT_NODE && node.nodeName === "DIV") {
      copyOwn(node, target, schema);
    }
  }
}
