// HTML from the clipboard, made into HTML that has only what a story may have. This is a script of its own, which knows
// nothing of the editor: what it needs of it is given.
import { BlockWriter } from "./blocks.js";
import { makeInert } from "./inert_html.js";
import { copyOwn } from "./own_html.js";

/** The clean HTML for `html`, and whether `tables` were rewritten or `pictures` left out.
 *
 *  It is parsed into a document that is not shown: nothing in it runs and nothing is loaded (HTML Standard,
 *  DOMParser). What comes of it is written anew, element by element, so that nothing unknown gets through. */
export function cleanHtml(html, schema) {
  const source = new DOMParser().parseFromString(makeInert(html), "text/html");
  const target = document.implementation.createHTMLDocument("");
  const dropped = { tables: false, pictures: false };
  if (source.querySelector("[data-pm-slice]")) copyOwn(source.body, target.body, schema);
  else new BlockWriter(target, dropped).write(source.body, target.body);
  return { html: target.body.innerHTML, ...dropped };
}
