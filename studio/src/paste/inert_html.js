// HTML with its styles and event handlers put aside: the page's policy blocks them even in a document that is not
// shown, and would report each as an attack.

const TAG = /<([a-z][^\s/>]*)/gi;
const ATTRIBUTE = /([\s/]*)([^\s/>][^\s/>=]*)(\s*=\s*(?:"[^"]*(?:"|$)|'[^']*(?:'|$)|[^\s"'>][^\s>]*)?)?/y;

// What is about a whole document.
const OF_THE_DOCUMENT = new Set(["base", "link", "meta", "style"]);

/** The attribute that has what was in `style`. */
export const STYLE = "data-written-style";

/** `html` with {@link STYLE} in place of each style attribute, no event handlers and no style sheets. It is read once
 *  from front to back, as the HTML Standard reads tags, so that it takes no longer for HTML that is made to take long. */
export function makeInert(html) {
  const parts = [];
  let done = 0;
  TAG.lastIndex = 0;
  for (let tag; (tag = TAG.exec(html)); TAG.lastIndex = done) {
    const name = tag[1].toLowerCase();
    const isKept = !OF_THE_DOCUMENT.has(name);
    parts.push(html.slice(done, isKept ? TAG.lastIndex : tag.index));
    done = name === "style" ? findStyleEnd(html, TAG.lastIndex) : copyAttributes(html, TAG.lastIndex, isKept ? parts : []);
    if (!isKept) done = findTagEnd(html, done);
  }
  parts.push(html.slice(done));
  return parts.join("");
}

/** Append the attributes that begin at `from` to `parts`; returns where they end. */
function copyAttributes(html, from, parts) {
  let end = (ATTRIBUTE.lastIndex = from);
  for (let attribute; (attribute = ATTRIBUTE.exec(html)); end = ATTRIBUTE.lastIndex) {
    const [all, space, name, value = ""] = attribute;
    if (/^style$/i.test(name)) parts.push(space, STYLE, value);
    else if (!/^on/i.test(name)) parts.push(all);
  }
  return end;
}

/** Where the tag ends whose attributes end at `from`. */
function findTagEnd(html, from) {
  const close = /[\s/]*>?/y;
  close.lastIndex = from;
  close.exec(html);
  return close.lastIndex;
}

/** Where the style sheet that begins before `from` ends. */
function findStyleEnd(html, from) {
  const end = /<\/style/gi;
  end.lastIndex = from;
  const close = end.exec(html) ? html.indexOf(">", end.lastIndex) : -1;
  return close < 0 ? html.length : close + 1;
}
