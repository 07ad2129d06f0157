// What stands in an empty text, and the selection while the form for a link has the focus.
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

const key = new PluginKey("kept selection");

/** The plugin that shows what is selected while `keepSelection` holds. */
export const keptSelection = new Plugin({
  key,
  state: {
    init: () => false,
    apply: (transaction, isKept) => transaction.getMeta(key) ?? isKept,
  },
  props: {
    decorations(state) {
      const { from, to, empty } = state.selection;
      if (!key.getState(state) || empty) return null;
      return DecorationSet.create(state.doc, [Decoration.inline(from, to, { class: "selected" })]);
    },
  },
});

/** Show what is selected, or no longer, though the focus is elsewhere. */
export function keepSelection(view, isKept) {
  view.dispatch(view.state.tr.setMeta(key, isKept));
}
