// What is pasted and dropped into the text: cleaned, never a file, and told when something was left out.
import { Plugin } from "prosemirror-state";
import { removeUnsafe } from "./paste/unsafe_characters.js";
import { readWords } from "./paste_cleaner.js";

// As editions/markdown: a text has no more. Word writes some thirty letters of HTML for one of the text.
const MOST_LETTERS = 200_000;
const MOST_HTML = 30 * MOST_LETTERS;

// Input methods on Android compose nearly always, so ProseMirror pastes there in the middle of it.
const COMPOSES_ALWAYS = /Android/.test(navigator.userAgent);

/** The plugin for the clipboard. `say` is called with the names of what there is to tell. What is pasted before the
 *  `cleaner` is loaded waits for it. */
export function makeClipboard(cleaner, say) {
  const take = (view, event, data) => {
    if (data === null) return false;
    const html = data.getData("text/html");
    const text = data.getData("text/plain");
    say([]);
    if (text.length > MOST_LETTERS || html.length > MOST_HTML) {
      event.preventDefault();
      say(["long"]);
      return true;
    }
    if (html === "" && text === "" && data.files.length > 0) {
      event.preventDefault();
      say(["pictures"]);
      return true;
    }
    if (html === "" || cleaner.isReady || !mayWait(view, text)) return false;
    event.preventDefault();
    waitFor(cleaner, view, event, { html, text });
    return true;
  };
  return new Plugin({
    props: {
      handleDOMEvents: {
        paste: (view, event) => take(view, event, event.clipboardData),
        drop: (view, event) => take(view, event, event.dataTransfer),
      },
      // Nothing is left of what was pasted: what is selected stays.
      handlePaste: (view, event, slice) => slice.size === 0,
      transformPastedText: (text) => removeUnsafe(text),
      transformPastedHTML: (html) => {
        const clean = cleaner.clean(html);
        say(["tables", "pictures"].filter((name) => clean[name]));
        return clean.html;
      },
    },
  });
}

/** Whether what is pasted needs the cleaner: not as text alone, not what is moved within the editor, and not where
 *  ProseMirror leaves it to the browser. */
function mayWait(view, text) {
  const isText = view.input.shiftKey && text !== "";
  return view.editable && view.dragging === null && !isText && !isInWord(view);
}

function isInWord(view) {
  return view.composing && !COMPOSES_ALWAYS;
}

/** Paste or drop again what `event` brought, once the cleaner is loaded; only its words if it cannot be had. */
async function waitFor(cleaner, view, event, { html, text }) {
  const data = new DataTransfer();
  try {
    await cleaner.load();
    data.setData("text/html", html);
    data.setData("text/plain", text);
  } catch {
    data.setData("text/plain", text || readWords(html));
  }
  while (isInWord(view)) await new Promise((go) => view.dom.addEventListener("compositionend", go, { once: true }));
  if (!view.isDestroyed) view.dom.dispatchEvent(copyEvent(event, data));
}

function copyEvent({ type, clientX, clientY }, data) {
  const options = { bubbles: true, cancelable: true };
  if (type === "paste") return new ClipboardEvent(type, { ...options, clipboardData: data });
  return new DragEvent(type, { ...options, clientX, clientY, dataTransfer: data });
}
