// Alt ← and Alt → go from one change to the next; without this file, they are all on the page anyway.

document.addEventListener("keydown", (event) => {
  const step = event.altKey && !event.ctrlKey && !event.metaKey ? { ArrowLeft: -1, ArrowRight: 1 }[event.key] : 0;
  if (!step) return;
  const changes = [...document.querySelectorAll("[data-change]")];
  if (!changes.length) return;
  event.preventDefault();
  const here = changes.findIndex((change) => change.contains(document.activeElement));
  const next = changes[here < 0 ? (step > 0 ? 0 : changes.length - 1) : here + step];
  next?.focus();
  next?.scrollIntoView({ block: "center" });
});
