// The keys of the editor. Tab is not among them: it leaves the text, as everywhere on the page.
import { baseKeymap } from "prosemirror-commands";
import { redo } from "prosemirror-history";
import { undoInputRule } from "prosemirror-inputrules";
import { keymap } from "prosemirror-keymap";
import { splitListItem } from "prosemirror-schema-list";
import { COMMANDS, indent, insertBreak, leaveBlock, outdent } from "./commands.js";
import { schema } from "./schema.js";

/** The plugins for the keys. `openLink` opens the form for a link, `openToolbar` goes to the toolbar. */
export function makeKeyBindings({ openLink, openToolbar }) {
  const shortcuts = Object.values(COMMANDS).filter(({ run, shortcut }) => run && shortcut);
  const own = {
    ...Object.fromEntries(shortcuts.map(({ run, shortcut }) => [shortcut, run])),
    "Mod-y": redo,
    "Mod-k": openLink,
    "Alt-F10": openToolbar,
    "Mod-]": indent,
    "Mod-[": outdent,
    "Shift-Enter": insertBreak,
    Enter: splitListItem(schema.nodes.list_item),
    Backspace: undoInputRule,
    ArrowUp: leaveBlock(-1),
    ArrowLeft: leaveBlock(-1),
    ArrowDown: leaveBlock(1),
    ArrowRight: leaveBlock(1),
  };
  // The page has an act of its own for Ctrl/⌘ Enter.
  const { "Mod-Enter": _, ...base } = baseKeymap;
  return [keymap(own), keymap(base)];
}
