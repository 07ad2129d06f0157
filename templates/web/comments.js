// Comments beside a story: the selected words become the passage, a passage is shown where it stands, and
// names are offered after an @. Everything works without this file.

const EDITOR = ".ProseMirror, textarea[name=body]";
let selected = "";

function readSelection() {
  const field = document.activeElement;
  if (field?.matches?.("textarea[name=body]")) return field.value.slice(field.selectionStart, field.selectionEnd);
  const selection = document.getSelection();
  const place = selection.rangeCount ? selection.getRangeAt(0).commonAncestorContainer : null;
  const element = place?.nodeType === Node.TEXT_NODE ? place.parentElement : place;
  return element?.closest?.(EDITOR) ? selection.toString() : "";
}

function takeSelection() {
  // Going to the form of the comment ends the selection, which is then wanted.
  if (document.activeElement?.closest?.("[data-comments]")) return;
  selected = readSelection().trim();
  for (const button of document.querySelectorAll("[data-take-selection]")) button.hidden = !selected;
}

document.addEventListener("selectionchange", takeSelection);
// Beside a story, this file comes with the comments, and something may be selected already.
takeSelection();

document.addEventListener("click", (event) => {
  const button = event.target.closest?.("[data-take-selection]");
  if (button) {
    const field = button.closest("form").elements.quote;
    field.value = selected;
    button.closest("form").elements.text.focus();
    return;
  }
  const passage = event.target.closest?.("[data-passage]");
  if (passage) showPassage(passage.textContent);
});

/** Marks where the words of a passage stand in the editor, and scrolls there. */
function showPassage(words) {
  const editor = document.querySelector(".ProseMirror");
  if (!editor || !window.Highlight) return;
  const range = findWords(editor, words.replace(/\s+/g, " ").trim());
  if (!range) return;
  CSS.highlights.set("passage", new Highlight(range));
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  range.startContainer.parentElement.scrollIntoView({ block: "center", behavior: calm ? "auto" : "smooth" });
}

function findWords(root, words) {
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  const places = [];
  let text = "";
  let block = null;
  while (walker.nextNode()) {
    const own = walker.currentNode.parentElement.closest("p, h2, h3, pre");
    if (block && own !== block && !text.endsWith(" ")) push(" ", null, 0);
    block = own;
    let at = 0;
    for (const sign of walker.currentNode.data) {
      if (!/\s/.test(sign)) push(sign, walker.currentNode, at);
      else if (text && !text.endsWith(" ")) push(" ", walker.currentNode, at);
      at += sign.length;
    }
  }
  const at = text.indexOf(words);
  const first = places[at];
  const last = places[at + words.length - 1];
  if (at < 0 || !first?.node || !last?.node) return null;
  const range = document.createRange();
  range.setStart(first.node, first.at);
  range.setEnd(last.node, last.at + 1);
  return range;

  function push(sign, node, place) {
    for (let unit = 0; unit < sign.length; unit += 1) places.push({ node, at: place + unit });
    text += sign;
  }
}

// ---- names after an @

let list = null;

function readNames(field) {
  return [...field.form.querySelectorAll("input[name=mention]")].map((box) => box.labels[0].textContent.trim());
}

document.addEventListener("input", (event) => {
  const field = event.target;
  if (!field.matches?.("textarea[data-names]")) return;
  const typed = /(?:^|[^\p{L}\p{N}_@.])@([\p{L}\p{N}' .-]{0,40})$/u.exec(field.value.slice(0, field.selectionStart));
  const wanted = typed?.[1].toLocaleLowerCase();
  const names = typed ? readNames(field).filter((name) => startsWithin(name, wanted)).slice(0, 6) : [];
  if (!names.length || names.some((name) => name.toLocaleLowerCase() === wanted)) closeList();
  else openList(field, names, typed[1].length);
});

function startsWithin(name, wanted) {
  const lower = name.toLocaleLowerCase();
  return lower.startsWith(wanted) || lower.split(" ").some((word) => word.startsWith(wanted));
}

function openList(field, names, typed) {
  closeList();
  const box = document.createElement("ul");
  box.id = "names";
  box.className = "offered sheet";
  box.setAttribute("role", "listbox");
  box.setAttribute("aria-label", field.form.querySelector(".names summary").textContent);
  names.forEach((name, number) => {
    const item = document.createElement("li");
    item.id = `name-${number}`;
    item.setAttribute("role", "option");
    item.textContent = name;
    // Before the field loses the focus.
    item.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      choose(number);
    });
    box.append(item);
  });
  field.after(box);
  field.setAttribute("aria-controls", box.id);
  list = { field, box, typed, current: 0 };
  point(0);
}

function point(number) {
  list.current = number;
  [...list.box.children].forEach((item, place) => item.setAttribute("aria-selected", String(place === number)));
  list.field.setAttribute("aria-activedescendant", `name-${number}`);
}

function choose(number) {
  const { field, box, typed } = list;
  const name = box.children[number].textContent;
  const end = field.selectionStart;
  field.setRangeText(`${name} `, end - typed, end, "end");
  closeList();
}

function closeList() {
  if (!list) return;
  list.box.remove();
  list.field.removeAttribute("aria-controls");
  list.field.removeAttribute("aria-activedescendant");
  list = null;
}

document.addEventListener("keydown", (event) => {
  if (!list || event.target !== list.field || event.isComposing) return;
  const length = list.box.children.length;
  if (event.key === "ArrowDown") point((list.current + 1) % length);
  else if (event.key === "ArrowUp") point((list.current + length - 1) % length);
  else if ((event.key === "Enter" || event.key === "Tab") && !event.ctrlKey && !event.metaKey) choose(list.current);
  else if (event.key === "Escape") closeList();
  else return;
  event.preventDefault();
});

document.addEventListener("focusout", (event) => {
  if (list && event.target === list.field) closeList();
});

// ---- after an act, the reader is where it happened

let acts = false;

for (const kind of ["submit", "click"]) {
  document.addEventListener(kind, (event) => {
    if (event.target.closest?.("[data-comments] form, [data-comments] a")) acts = true;
  });
}

document.addEventListener("htmx:after:swap", () => {
  const panel = document.querySelector("[data-comments]");
  if (!acts || !panel) return;
  acts = false;
  (panel.querySelector("#errors") ?? panel.querySelector("[data-mine]") ?? panel.querySelector("h2")).focus();
});
