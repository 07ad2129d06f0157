// The page of a translation: Alt → and Alt ← go from change to change in the original. Without this file, each change
// has a link to the next.

const changes = [...document.querySelectorAll("[data-change]")];
const isApple = /Mac|iPhone|iPad/.test(navigator.platform);

function isWriting(target) {
  return target.isContentEditable || target.matches?.("input, textarea");
}

function findNext(forward) {
  const at = changes.indexOf(document.activeElement.closest?.("[data-change]"));
  if (at >= 0) return changes[at + (forward ? 1 : -1)];
  const below = (change) => document.activeElement.compareDocumentPosition(change) & Node.DOCUMENT_POSITION_FOLLOWING;
  if (document.activeElement === document.body) return forward ? changes[0] : undefined;
  return forward ? changes.find(below) : changes.findLast((change) => !below(change));
}

if (changes.length > 1) {
  for (const place of document.querySelectorAll("[data-keys]")) place.textContent = place.dataset.keys;
}
document.addEventListener("keydown", (event) => {
  const isArrow = event.key === "ArrowRight" || event.key === "ArrowLeft";
  if (!isArrow || !event.altKey || event.ctrlKey || event.metaKey || event.shiftKey || event.isComposing) return;
  // There, Option with an arrow moves by words.
  if (!changes.length || (isApple && isWriting(event.target))) return;
  event.preventDefault();
  const next = findNext(event.key === "ArrowRight");
  next?.focus({ preventScroll: true });
  next?.scrollIntoView({ block: "center" });
});
