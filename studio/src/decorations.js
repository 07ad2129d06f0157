// What is drawn over the text: words where there are none, the selection while the form for a link has the focus, and
// the block with which something is wrong.
import { Plugin, PluginKey } from "prosemirror-state";
import { Decoration, DecorationSet } from "prosemirror-view";

function isEmpty(document) {
  const { firstChild } = document;
  return document.childCount === 1 && firstChild.type.name === "paragraph" && firstChild.content.size === 0;
}

/** The plugin that shows `words` in a text without any. */
export function makePlaceholder(words) {
  return new Plugin({
    props: {
      decorations({ doc }) {
        if (!isEmpty(doc)) return null;
        const empty = Decoration.node(0, doc.firstChild.nodeSize, { class: "blank", "data-placeholder": words });
        return DecorationSet.create(doc, [empty]);
      },
    },
  });
}

const keptKey = new PluginKey("kept selection");

/** The plugin that shows what is selected while `keepSelection` holds. */
export const keptSelection = new Plugin({
  key: keptKey,
  state: {
    init: () => false,
    apply: (transaction, isKept) => transaction.getMeta(keptKey) ?? isKept,
  },
  props: {
    decorations(state) {
      const { from, to, empty } = state.selection;
      if (!keptKey.getState(state) || empty) return null;
      return DecorationSet.create(state.doc, [Decoration.inline(from, to, { class: "selected" })]);
    },
  },
});

/** Show what is selected, or no longer, though the focus is elsewhere. */
export function keepSelection(view, isKept) {
  view.dispatch(view.state.tr.setMeta(keptKey, isKept));
}

const wrongKey = new PluginKey("wrong block");

/** The plugin that marks the block with which something is wrong. */
export const wrongBlock = new Plugin({
  key: wrongKey,
  state: {
    init: () => DecorationSet.empty,
    apply(transaction, marked) {
      const block = transaction.getMeta(wrongKey);
      return block === undefined ? marked.map(transaction.mapping, transaction.doc) : markBlock(transaction.doc, block);
    },
  },
  props: {
    decorations: (state) => wrongKey.getState(state),
  },
});

function markBlock(document, block) {
  const place = findBlock(document, block);
  if (place === null) return DecorationSet.empty;
  const decoration = Decoration.node(place, place + document.child(block).nodeSize, { class: "unwritable" });
  return DecorationSet.create(document, [decoration]);
}

/** Where the top-level block of that number begins; null if there is none. */
export function findBlock(document, block) {
  if (!Number.isInteger(block) || block < 0 || block >= document.childCount) return null;
  let place = 0;
  for (let before = 0; before < block; before += 1) place += document.child(before).nodeSize;
  return place;
}

/** Mark the block of that number; null marks none. */
export function setWrongBlock(view, block) {
  view.dispatch(view.state.tr.setMeta(wrongKey, block ?? -1));
}
