// What is pasted and dropped into the text: cleaned, never a file, and told when something was left out.
import { Plugin } from "prosemirror-state";
import { cleanHtml } from "./paste/clean_html.js";
import { removeUnsafe } from "./paste/inline_text.js";

// As editions/markdown: a text has no more. Word writes some thirty letters of HTML for one of the text.
const MOST_LETTERS = 200_000;
const MOST_HTML = 30 * MOST_LETTERS;

/** The plugin for the clipboard. `say` is called with the names of what there is to tell. */
export function makeClipboard(say) {
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
    return false;
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
        const clean = cleanHtml(html);
        say(["tables", "pictures"].filter((name) => clean[name]));
        return clean.html;
      },
    },
  });
}
