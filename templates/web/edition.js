// Moving stories without loading the page again: the buttons, Alt+Shift+↑ and ↓, and dragging. Each sends the
// form of the card, as it is sent without this file; the page that answers says where the story is now.

const DRAGGED = "text/x-story";

async function send(form, to, before = "") {
  const body = new URLSearchParams({ to, before });
  const slug = form.closest(".story").dataset.slug;
  document.body.classList.add("busy");
  try {
    const answer = await fetch(form.action, { method: "POST", body, headers: { "hx-request": "true" } });
    if (!answer.ok) throw new Error(answer.status);
    show(await answer.text(), slug, to);
  } catch {
    submit(form, to, before);
  } finally {
    document.body.classList.remove("busy");
  }
}

// Whatever went wrong is told by the page that the form leads to.
function submit(form, to, before) {
  const plain = document.createElement("form");
  Object.assign(plain, { method: "post", action: form.action, hidden: true });
  for (const [name, value] of Object.entries({ to, before })) {
    plain.append(Object.assign(document.createElement("input"), { name, value }));
  }
  document.body.append(plain);
  plain.submit();
}

function show(html, slug, to) {
  const stories = new DOMParser().parseFromString(html, "text/html").getElementById("stories");
  const said = stories.querySelector("#moved");
  document.getElementById("said").textContent = said.textContent;
  said.hidden = true;
  document.getElementById("stories").replaceWith(stories);
  const card = document.getElementById(`story-${slug}`);
  const button = card?.querySelector(`button[value="${to}"]:not([disabled])`);
  (to !== "place" && button ? button : card)?.focus();
}

document.addEventListener("submit", (event) => {
  const to = event.submitter?.name === "to" && event.submitter.value;
  if (!event.target.matches("[data-move]") || !to) return;
  event.preventDefault();
  send(event.target, to, event.target.elements.before?.value ?? "");
});

document.addEventListener("keydown", (event) => {
  if (!event.altKey || !event.shiftKey || event.ctrlKey || event.metaKey) return;
  const to = { ArrowUp: "up", ArrowDown: "down" }[event.key];
  const card = to && event.target.closest?.(".story");
  const button = card?.querySelector(`button[value="${to}"]`);
  if (!button) return;
  event.preventDefault();
  if (!button.disabled) send(button.form, to);
});

// Only within its section: which one a story is in follows from its sector and kind.
let dragged = null;
document.addEventListener("dragstart", (event) => {
  dragged = event.target.closest?.(".story[draggable]");
  if (!dragged) return;
  event.dataTransfer.setData(DRAGGED, dragged.dataset.slug);
  event.dataTransfer.effectAllowed = "move";
  dragged.classList.add("dragged");
});
document.addEventListener("dragover", (event) => {
  const over = find(event);
  document.querySelector(".above, .below")?.classList.remove("above", "below");
  if (!over) return;
  event.preventDefault();
  over.card.classList.add(over.above ? "above" : "below");
});
document.addEventListener("drop", (event) => {
  const over = find(event);
  if (!over) return;
  event.preventDefault();
  const next = over.above ? over.card : over.card.nextElementSibling;
  if (next !== dragged) send(dragged.querySelector("[data-move]"), "place", next?.dataset.slug ?? "");
});
document.addEventListener("dragend", () => {
  document.querySelectorAll(".dragged, .above, .below").forEach((card) => card.classList.remove("dragged", "above", "below"));
  dragged = null;
});

function find(event) {
  const card = dragged && event.target.closest?.(".story");
  if (!card || card === dragged || card.parentElement !== dragged.parentElement) return null;
  const box = card.getBoundingClientRect();
  return { card, above: event.clientY < box.top + box.height / 2 };
}

function allow() {
  document.querySelectorAll("[data-section] .story").forEach((card) => { card.draggable = Boolean(card.querySelector("[data-move]")); });
}
allow();
new MutationObserver(allow).observe(document.getElementById("main"), { childList: true });
