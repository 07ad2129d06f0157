// Which addresses a link may have: those that mail programs follow (editions/markdown/links.py).

const SCHEME = /^[a-z][a-z0-9+.-]*:/i;
const SAFE_SCHEME = /^(https?|mailto):/i;
const EMAIL = /^[^\s@/:?#]+@[^\s@/:?#]+\.[^\s@/:?#]+$/;
const HOST = /^[^\s/:?#@]+\.[^\s/:?#@.]{2,}(?=[/:?#]|$)/;
// Browsers skip these inside an address, so they could hide a scheme.
const INVISIBLE = /[\u0000-\u0020\u007f-\u00a0\u200b-\u200f\u2028-\u202f\u2060-\u2064\ufeff]/g;

/** Whether a browser may be given `href`: it cannot run anything. */
export function isSafeAddress(href) {
  const bare = href.replace(INVISIBLE, "");
  return !SCHEME.test(bare) || SAFE_SCHEME.test(bare);
}

/** The address that a person means: "example.org" is https://example.org. Null if mail cannot have it. */
export function readAddress(typed) {
  const address = typed.trim().replace(/\s/g, "%20");
  if (address === "") return null;
  if (SAFE_SCHEME.test(address)) return /^https?:\/*$|^mailto:$/i.test(address) ? null : address;
  if (EMAIL.test(address)) return `mailto:${address}`;
  if (address.startsWith("//")) return `https:${address}`;
  if (HOST.test(address)) return `https://${address}`;
  return null;
}
