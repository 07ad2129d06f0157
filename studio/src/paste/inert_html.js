// HTML with its styles and event handlers put aside: the page's policy blocks them even in a document that is not
// shown, and would report each as an attack.

const TAG = /<([a-z][^\s/>]*)/gi;
const ATTRIBUTE = /([\s/]*)([^\s/>][^\s/>=]*)(\s*=\s*(?:"[^"]*(?:"|$)|'[^']*(?:'|$)|[^\s"'>][^\s>]*)?)?/y;

/** The attribute that has what was in `style`. */
export const STYLE = "data-written-style";

/** `html` with {@link STYLE} in place of each style attribute, no event handlers and no style sheets. It is read once
 *  from front to back, as the HTML Standard reads tags, so that it takes no longer for HTML that is made to take long. */
export function makeInert(html) {
  const parts = [];
  let done = 0;
  TAG.lastIndex = 0;
  for (let tag; (tag = TAG.exec(html)); TAG.lastIndex = done) {
    if (tag[1].toLowerCase() === "style") {
      parts.push(html.slice(done, tag.index));
      done = findEnd(html, TAG.lastIndex);
      continue;
    }
    parts.push(html.slice(done, TAG.lastIndex));
    done = ATTRIBUTE.lastIndex = TAG.lastIndex;
    for (let attribute; (attribute = ATTRIBUTE.exec(html)); done = ATTRIBUTE.lastIndex) {
      const [all, space, name, value = ""] = attribute;
      if (/^style$/i.test(name)) parts.push(space, STYLE, value);
      else if (!/^on/i.test(name)) parts.push(all);
    }
  }
  parts.push(html.slice(done));
  return parts.join("");
}

/** Where the style sheet that begins before `from` ends. */
function findEnd(html, from) {
  const end = /<\/style/gi;
  end.lastIndex = from;
  const close = end.exec(html) ? html.indexOf(">", end.lastIndex) : -1;
  return close < 0 ? html.length : close + 1;
}
