// Not allowed in a mail, or a sign for nothing: control characters, marks of direction, soft hyphens, objects.
const UNSAFE =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u200b\u202a-\u202e\u2060\u2066-\u2069\ufdd0-\ufdef\ufeff\ufff9-\uffff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

/** `text` without characters that no mail may have. Line ends stay. */
export function removeUnsafe(text) {
  return text.replace(/\r\n?|[\u2028\u2029\u0085\u000b\u000c]/g, "\n").replace(UNSAFE, "");
}
