// The style of pasted elements, which is read as text.
import { STYLE } from "./inert_html.js";

/** Reads "mso-list:l0 level1 lfo1;color:red" into an object of lower-case names and values. */
export function readStyle(element) {
  const style = {};
  for (const declaration of (element.getAttribute(STYLE) ?? "").split(";")) {
    const at = declaration.indexOf(":");
    if (at > 0) style[declaration.slice(0, at).trim().toLowerCase()] = declaration.slice(at + 1).trim().toLowerCase();
  }
  return style;
}
