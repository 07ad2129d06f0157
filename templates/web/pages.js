// Alt ← and Alt → go to the page before and the page after, where a page says which these are.

const isApple = /Mac|iPhone|iPad/.test(navigator.platform);

document.addEventListener("keydown", (event) => {
  if (!event.altKey || event.ctrlKey || event.metaKey || event.shiftKey || event.isComposing) return;
  const rel = { ArrowLeft: "prev", ArrowRight: "next" }[event.key];
  const link = rel && document.querySelector(`a[rel="${rel}"]`);
  // On a Mac, Option with an arrow moves by words where one writes.
  if (!link || (isApple && event.target.closest("input, textarea"))) return;
  event.preventDefault();
  link.click();
});
