// The acts of the toolbar and of the keys: each a command of ProseMirror, with whether it holds at the cursor.
import { setBlockType, toggleMark, wrapIn } from "prosemirror-commands";
import { redo, undo } from "prosemirror-history";
import { liftListItem, sinkListItem, wrapInList } from "prosemirror-schema-list";
import { TextSelection } from "prosemirror-state";
import { liftTarget } from "prosemirror-transform";
import { schema } from "./schema.js";

const { blockquote, bullet_list, hard_break, heading, horizontal_rule, list_item, ordered_list, paragraph, raw } =
  schema.nodes;
const { em, link, strong } = schema.marks;
const isList = (node) => node.type === bullet_list || node.type === ordered_list;

/** Whether all that is selected has `mark`, or what is typed next will. */
export function hasMark(state, mark) {
  const { from, $from, to, empty } = state.selection;
  if (empty) return Boolean(mark.isInSet(state.storedMarks || $from.marks()));
  let texts = 0;
  let marked = 0;
  state.doc.nodesBetween(from, to, (node) => {
    if (!node.isText) return;
    texts += 1;
    if (mark.isInSet(node.marks)) marked += 1;
  });
  return texts > 0 && texts === marked;
}

/** The nearest ancestor of the cursor that `matches`, with its depth; null if there is none. */
function findAround(state, matches) {
  const { $from } = state.selection;
  for (let depth = $from.depth; depth > 0; depth -= 1) {
    if (matches($from.node(depth))) return { node: $from.node(depth), depth };
  }
  return null;
}

export function inHeading(state, level) {
  return findAround(state, (node) => node.type === heading && node.attrs.level === level) !== null;
}

/** Whether the innermost list around the cursor is of `type`. */
export function inList(state, type) {
  return findAround(state, isList)?.node.type === type;
}

export function inQuote(state) {
  return findAround(state, (node) => node.type === blockquote) !== null;
}

function toggleHeading(level) {
  return (state, dispatch) => {
    if (inHeading(state, level)) return setBlockType(paragraph)(state, dispatch);
    if (findAround(state, isList) !== null || hasRaw(state) || !setBlockType(heading, { level })(state)) return false;
    if (dispatch) {
      const { tr, selection } = state;
      spaceBreaks(tr, selection.$from.start(), selection.$to.end());
      dispatch(tr.setBlockType(selection.from, selection.to, heading, { level }).scrollIntoView());
    }
    return true;
  };
}

/** Whether a block of Markdown is selected, in part or whole: it stays as written. */
function hasRaw(state) {
  const { from, to } = state.selection;
  let found = false;
  state.doc.nodesBetween(from, to, (node) => {
    found ||= node.type === raw;
  });
  return found;
}

/** Put a space in the place of each line break: a heading is one line. */
function spaceBreaks(tr, from, to) {
  tr.doc.nodesBetween(from, to, (node, place) => {
    if (node.type === hard_break) tr.replaceWith(place, place + 1, schema.text(" "));
  });
}

/** Wrap in a list, change the kind of the list, or take the item out of it. */
function toggleList(type) {
  return (state, dispatch) => {
    const around = findAround(state, isList);
    if (around === null) return wrapInList(type)(state, dispatch);
    if (around.node.type === type) return liftListItem(list_item)(state, dispatch);
    if (dispatch) {
      const { tight } = around.node.attrs;
      dispatch(state.tr.setNodeMarkup(state.selection.$from.before(around.depth), type, { tight }));
    }
    return true;
  };
}

function toggleQuote(state, dispatch) {
  if (!inQuote(state)) return wrapIn(blockquote)(state, dispatch);
  const { $from, $to } = state.selection;
  const range = $from.blockRange($to, (node) => node.type === blockquote);
  const target = range && liftTarget(range);
  if (target === null) return false;
  if (dispatch) dispatch(state.tr.lift(range, target).scrollIntoView());
  return true;
}

/** Put a rule below the paragraph of the cursor, and the cursor below the rule. */
function insertRule(state, dispatch) {
  const { $from } = state.selection;
  if ($from.depth === 0 || $from.parent.type === raw) return false;
  const container = $from.node(-1);
  const index = $from.indexAfter(-1);
  if (!container.canReplaceWith(index, index, horizontal_rule)) return false;
  if (dispatch) {
    const { tr } = state;
    const after = $from.after();
    const isLast = index === container.childCount;
    tr.insert(after, isLast ? [horizontal_rule.create(), paragraph.create()] : horizontal_rule.create());
    const below = TextSelection.near(tr.doc.resolve(after + 1));
    dispatch(tr.setSelection(below).scrollIntoView());
  }
  return true;
}

/** A line break within a paragraph. */
export function insertBreak(state, dispatch) {
  const { $from } = state.selection;
  if (!$from.parent.type.contentMatch.matchType(hard_break)) return false;
  if (dispatch) dispatch(state.tr.replaceSelectionWith(hard_break.create()).scrollIntoView());
  return true;
}

/** At the edge of the text, step out of a block in which one could get stuck: into a new paragraph. */
export function leaveBlock(direction) {
  return (state, dispatch) => {
    const { $from, $to, empty } = state.selection;
    const before = direction < 0;
    const atEdge = before ? $from.parentOffset === 0 : $to.parentOffset === $to.parent.content.size;
    if (!empty || $from.parent.type !== raw || !atEdge) return false;
    const place = before ? $from.before() : $from.after();
    const next = state.doc.resolve(place)[before ? "nodeBefore" : "nodeAfter"];
    if (next && next.isTextblock) return false;
    if (dispatch) {
      const tr = state.tr.insert(place, paragraph.create());
      dispatch(tr.setSelection(TextSelection.create(tr.doc, place + 1)).scrollIntoView());
    }
    return true;
  };
}

export const indent = sinkListItem(list_item);
export const outdent = liftListItem(list_item);

/** By the names that the toolbar's buttons have. `isOn` says whether a button is pressed. */
export const COMMANDS = {
  bold: { run: toggleMark(strong), isOn: (state) => hasMark(state, strong), shortcut: "Mod-b" },
  italic: { run: toggleMark(em), isOn: (state) => hasMark(state, em), shortcut: "Mod-i" },
  link: { isOn: (state) => hasMark(state, link), shortcut: "Mod-k" },
  heading: { run: toggleHeading(2), isOn: (state) => inHeading(state, 2), shortcut: "Mod-Alt-2" },
  "small-heading": { run: toggleHeading(3), isOn: (state) => inHeading(state, 3), shortcut: "Mod-Alt-3" },
  list: { run: toggleList(bullet_list), isOn: (state) => inList(state, bullet_list), shortcut: "Mod-Shift-8" },
  "numbered-list": {
    run: toggleList(ordered_list),
    isOn: (state) => inList(state, ordered_list),
    shortcut: "Mod-Shift-7",
  },
  quote: { run: toggleQuote, isOn: inQuote, shortcut: "Mod-Shift-9" },
  rule: { run: insertRule },
  undo: { run: undo, shortcut: "Mod-z" },
  redo: { run: redo, shortcut: "Mod-Shift-z" },
};
