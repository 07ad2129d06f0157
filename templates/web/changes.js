// Alt ← and Alt → go from one change to the next; without this file, they are all on the page anyway.

const isApple = /Mac|iPhone|iPad/.test(navigator.platform);

// From a change to the one beside it, or from elsewhere on the page to the nearest.
function findNext(changes, step) {
  const focused = document.activeElement;
  const here = changes.findIndex((change) => change.contains(focused));
  if (here >= 0) return changes[here + step];
  if (focused === document.body) return step > 0 ? changes[0] : changes.at(-1);
  const isBelow = (change) => focused.compareDocumentPosition(change) & Node.DOCUMENT_POSITION_FOLLOWING;
  return step > 0 ? changes.find(isBelow) : changes.findLast((change) => !isBelow(change));
}

document.addEventListener("keydown", (event) => {
  const step = event.altKey && !event.ctrlKey && !event.metaKey ? { ArrowLeft: -1, ArrowRight: 1 }[event.key] : 0;
  if (!step || event.isComposing) return;
  const changes = [...document.querySelectorAll("[data-change]")];
  // On a Mac, Option with an arrow moves by words where one writes.
  if (!changes.length || (isApple && event.target.closest("input, textarea, [contenteditable]"))) return;
  event.preventDefault();
  const next = findNext(changes, step);
  next?.focus({ preventScroll: true });
  next?.scrollIntoView({ block: "center" });
});
