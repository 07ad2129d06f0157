// The email beside a text: at once the story alone, after a pause the whole edition, of what is not saved yet. The email
// is changed in place, so that it keeps its scroll and its pictures. Also what leads from a problem to its place.

const PAUSE = 200;

const form = document.getElementById("story");
const view = document.getElementById("view");
const frame = document.getElementById("frame");
const windowOf = document.querySelector(".window");
const words = document.getElementById("frame-words");
const pane = document.getElementById("preview");

let isBusy = false;
let isWanted = false;
let timer = 0;
let isComposing = false;
let lastField = null;
let wasFolded = false;
let isLate = false;

const isWhole = () => new FormData(view).get("part") === "edition";
const isShown = () => frame.getClientRects().length > 0;
const readQuery = () => new URLSearchParams([...new FormData(view)].filter(([, value]) => value));

// Without a step in the history of the browser.
function load() {
  const query = readQuery();
  const anchor = isWhole() && frame.dataset.anchor ? `#${frame.dataset.anchor}` : "";
  windowOf.className = `window ${query.get("show")}`;
  frame.loading = "eager";
  frame.contentWindow.location.replace(`${frame.dataset.path}?${query}${anchor}`);
}

function refreshSoon() {
  if (!isShown()) return;
  clearTimeout(timer);
  if (isWhole()) timer = setTimeout(refresh, PAUSE);
  else refresh();
}

async function refresh() {
  if (isBusy) {
    isWanted = true;
    return;
  }
  isBusy = true;
  isWanted = false;
  try {
    const answer = await fetch(`${frame.dataset.path}?${readQuery()}`, {
      method: "POST",
      body: new URLSearchParams(new FormData(form)),
    });
    const text = await answer.text();
    if (answer.ok) show(text);
    if (answer.ok || answer.status === 422) words.textContent = answer.ok ? "" : text;
  } catch {
    // The line about saving says that the server cannot be reached.
  }
  isBusy = false;
  if (isWanted) refreshSoon();
}

// Until its first answer is there, the frame has an empty page with the policy of this one, which lets no email look
// as it does. What is written meanwhile is shown once it is loaded.
function isLoaded(shown) {
  return shown?.body && shown.readyState !== "loading" && shown.URL.includes(frame.dataset.path);
}

frame.addEventListener("load", () => {
  if (isLate) refreshSoon();
  isLate = false;
});

function show(html) {
  const shown = frame.contentDocument;
  isLate = !isLoaded(shown);
  if (isLate) return;
  const fresh = shown.implementation.createHTMLDocument("");
  fresh.documentElement.innerHTML = html;
  change(shown.head, fresh.head);
  change(shown.body, fresh.body);
  frame.dispatchEvent(new CustomEvent("shown", { bubbles: true }));
}

// Makes `old` what `fresh` is, and leaves alone what is the same.
function change(old, fresh) {
  if (old.isEqualNode(fresh)) return;
  if (old.nodeName !== fresh.nodeName) {
    old.replaceWith(old.ownerDocument.importNode(fresh, true));
    return;
  }
  if (old.nodeType !== Node.ELEMENT_NODE) {
    old.nodeValue = fresh.nodeValue;
    return;
  }
  for (const { name } of [...old.attributes]) if (!fresh.hasAttribute(name)) old.removeAttribute(name);
  for (const { name, value } of fresh.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  changeChildren(old, [...old.childNodes], [...fresh.childNodes]);
}

function changeChildren(parent, old, fresh) {
  let first = 0;
  while (first < old.length && first < fresh.length && old[first].isEqualNode(fresh[first])) first += 1;
  let last = 0;
  const most = Math.min(old.length, fresh.length) - first;
  while (last < most && old.at(-1 - last).isEqualNode(fresh.at(-1 - last))) last += 1;
  const after = last ? old.at(-last) : null;
  const left = old.slice(first, old.length - last);
  const right = fresh.slice(first, fresh.length - last);
  right.forEach((node, place) => {
    if (place < left.length) change(left[place], node);
    else parent.insertBefore(parent.ownerDocument.importNode(node, true), after);
  });
  for (const node of left.slice(right.length)) node.remove();
}

// Whether the reader was found is told by the page of the preview.
async function refreshReader() {
  const answer = await fetch(`${view.action}?${readQuery()}`);
  if (!answer.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const fresh = page.querySelector(".as");
  const focused = document.activeElement?.id;
  const versions = document.getElementById("versions");
  fresh.querySelector("#versions").replaceWith(versions);
  view.querySelector(".as").replaceWith(fresh);
  fresh.open = true;
  document.getElementById(focused)?.focus();
}

function goTo(field, block, line) {
  const target = document.getElementById(field);
  if (!target) return false;
  for (let around = target.closest("details"); around; around = around.parentElement.closest("details")) around.open = true;
  if (field === "body") goToText(target, block, line);
  else (target.matches("fieldset") ? target.querySelector("input:not([type=hidden])") : target).focus();
  return true;
}

function goToText(area, block, line) {
  const editor = document.querySelector("story-editor:not([hidden])");
  if (editor && area.disabled) {
    editor.goTo(block);
    return;
  }
  const lines = area.value.split("\n");
  const start = lines.slice(0, line - 1).join("\n").length + (line > 1 ? 1 : 0);
  area.focus();
  area.setSelectionRange(start, start + (lines[line - 1]?.length ?? 0));
}

// Folded away it is not kept up to date.
document.querySelector(".fold")?.addEventListener("toggle", (event) => {
  if (event.target.open && wasFolded) refresh();
  wasFolded = !event.target.open;
});
// Whatever is changed is shown at once.
view.querySelector(".show").hidden = true;
view.addEventListener("submit", (event) => {
  event.preventDefault();
  load();
});
view.addEventListener("change", (event) => {
  if (["for", "segment"].includes(event.target.name)) view.elements.version.value = "";
  load();
  if (event.target.closest(".as")) refreshReader();
});
document.addEventListener("click", (event) => {
  const link = event.target.closest?.("a[data-version], a[data-field]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  const { version, field, block, line } = link.dataset;
  if (version) {
    event.preventDefault();
    view.elements.version.value = version;
    view.querySelector("[name=part][value=edition]").checked = true;
    load();
  } else if (goTo(field, Number(block), Number(line))) {
    event.preventDefault();
  }
});
if (form) {
  form.addEventListener("input", () => {
    if (!isComposing && !form.querySelector("story-editor")?.isComposing) refreshSoon();
  });
  form.addEventListener("change", refreshSoon);
  form.addEventListener("focusin", (event) => (lastField = event.target));
  document.addEventListener("compositionstart", () => (isComposing = true));
  document.addEventListener("compositionend", () => {
    isComposing = false;
    // The input method's last letters come after this event.
    setTimeout(refreshSoon);
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "F6" || event.ctrlKey || event.altKey || event.metaKey || !pane.getClientRects().length) return;
    event.preventDefault();
    const isInPane = pane.contains(document.activeElement);
    const goal = isInPane ? (lastField ?? form.querySelector("input:not([type=hidden])")) : pane;
    goal.focus();
  });
  if (location.hash.length > 1) goTo(decodeURIComponent(location.hash.slice(1)), 0, 1);
}
