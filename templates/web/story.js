// The page on which a story is written: saves as one writes, one request at a time, and keeps in this browser what is
// not saved yet. Never in the middle of a composition. Without this file, the button saves. All words come from the page.

const SAVE_AFTER = 1000;
const KEEP_AFTER = 250;
const TRY_AGAIN_AFTER = 5000;
const OWN_FIELDS = ["base", "sitting", "sequence"];

const form = document.getElementById("story");
const status = document.getElementById("saving");
const editor = form.querySelector("story-editor");
const rows = form.querySelector("[data-rows]");
const mode = form.elements.source ? "source" : editor ? "editor" : "markdown";
const prefix = `studio:${form.dataset.key}:`;
const key = `${prefix}${mode}:${form.elements.sitting.value}`;

let saved = "";
let isSaving = false;
let isComposing = false;
let isLeaving = false;
let refused = null;
let saveTimer = 0;
let keepTimer = 0;

const listFields = () => [...new FormData(form)].filter(([name]) => !OWN_FIELDS.includes(name));
const snapshot = () => JSON.stringify(listFields());
const isUnsaved = () => snapshot() !== saved;
const inComposition = () => isComposing || Boolean(editor?.isComposing);
// As studio.js shows times: in British English, and in numbers where a browser lacks the page's language.
const language = document.documentElement.lang.replace(/^en$/, "en-GB");
const showTime = (date, dateStyle) => new Intl.DateTimeFormat([language, "sv"], { dateStyle, timeStyle: "short" }).format(date);

function say(words, date) {
  const text = date ? words.replace("%(time)s", showTime(date)) : words;
  if (status.textContent !== text) status.textContent = text;
}

function saveSoon(wait = SAVE_AFTER) {
  clearTimeout(saveTimer);
  saveTimer = setTimeout(save, wait);
}

async function save() {
  clearTimeout(saveTimer);
  // It goes on when the request under way, or the composition, has ended.
  if (isSaving || inComposition()) return;
  const sent = snapshot();
  if (sent === saved || sent === refused) return;
  isSaving = true;
  form.elements.sequence.value = Number(form.elements.sequence.value) + 1;
  say(form.dataset.saving);
  try {
    const answer = await fetch(form.action, {
      method: "POST",
      body: new URLSearchParams(new FormData(form)),
      headers: { accept: "application/json" },
    });
    await take(answer, sent);
  } catch {
    say(form.dataset.offline);
    saveSoon(TRY_AGAIN_AFTER);
  }
  isSaving = false;
  if (refused !== sent && snapshot() !== sent) saveSoon();
}

async function take(answer, sent) {
  show("signed-out", answer.status === 401);
  if (answer.status === 403) {
    refused = sent;
    say(form.dataset.notAllowed);
    return;
  }
  if (![200, 401, 409, 422].includes(answer.status)) {
    say(form.dataset.failed);
    saveSoon(TRY_AGAIN_AFTER);
    return;
  }
  const told = await answer.json().catch(() => ({}));
  show("conflict", answer.status === 409);
  if (answer.status === 200) finish(told, sent);
  if (answer.status === 401 && told.sign_in) form.querySelector("[data-sign-in]").href = told.sign_in;
  if (answer.status === 409) form.querySelector("[data-conflict]").href = told.conflict;
  if (answer.status !== 200) say(form.dataset.unsaved);
  if (answer.status === 409 || answer.status === 422) refused = sent;
  if (answer.status === 422) complain(told.error, told.block);
}

function finish(told, sent) {
  form.elements.base.value = told.digest;
  saved = sent;
  refused = null;
  complain("", null);
  if (isUnsaved()) {
    keep();
    say(form.dataset.unsaved);
  } else {
    forget();
    say(told.adjusted ? form.dataset.adjusted : form.dataset.saved, new Date(told.saved_at));
  }
  document.body.dispatchEvent(new CustomEvent("saved"));
}

function show(id, isShown) {
  const notice = document.getElementById(id);
  if (notice.hidden === isShown) notice.hidden = !isShown;
}

// Beside the text, and at the block that Markdown cannot say.
function complain(words, block) {
  const place = document.getElementById("body-error");
  if (!place) return;
  place.textContent = words;
  place.hidden = !words;
  editor?.mark(block ?? null);
}

// What is not saved stays in this browser, whatever becomes of the page.
function keep() {
  const kept = { at: Date.now(), base: form.elements.base.value, fields: listFields() };
  try {
    localStorage.setItem(key, JSON.stringify(kept));
  } catch {
    // No room, or not allowed: the page itself still has it.
  }
}

function forget(name = key) {
  clearTimeout(keepTimer);
  try {
    localStorage.removeItem(name);
  } catch {
    // Not allowed: then nothing was kept.
  }
}

function listKept() {
  try {
    const names = Object.keys(localStorage).filter((name) => name.startsWith(prefix) && name !== key);
    const found = names.map((name) => ({ name, ...JSON.parse(localStorage.getItem(name)) }));
    return found.sort((one, other) => other.at - one.at);
  } catch {
    return [];
  }
}

function offerKept() {
  const [latest] = listKept();
  if (!latest) return;
  if (JSON.stringify(latest.fields) === saved) {
    forget(latest.name);
    return;
  }
  const notice = document.getElementById("found");
  const words = notice.querySelector("[data-words]");
  words.textContent = form.dataset.found.replace("%(time)s", showTime(new Date(latest.at), "short"));
  notice.querySelector("[data-use]").onclick = () => {
    const itsMode = latest.name.slice(prefix.length).split(":")[0];
    if (itsMode !== mode) {
      location.search = itsMode === "markdown" ? "?as=markdown" : "";
      return;
    }
    fill(latest.fields);
    form.elements.base.value = latest.base;
    notice.hidden = true;
    keep();
    forget(latest.name);
    form.dispatchEvent(new Event("input"));
  };
  notice.querySelector("[data-discard]").onclick = () => {
    forget(latest.name);
    notice.hidden = true;
    offerKept();
  };
  notice.hidden = false;
}

function fill(fields) {
  for (const box of form.querySelectorAll("input[type=checkbox]")) box.checked = false;
  for (const [name, value] of fields) {
    if (name === "document") editor.value = value;
    while (/^read_more\.\d+\./.test(name) && !form.elements[name] && addRow());
    for (const field of form.querySelectorAll(`[name="${CSS.escape(name)}"]`)) {
      if (field.type === "checkbox") field.checked ||= field.value === value;
      else if (field.type !== "hidden" && !field.matches("story-editor, button")) field.value = value;
    }
  }
}

// The last row of links is always an empty one.
function addRow() {
  const last = rows?.lastElementChild;
  const number = rows?.children.length ?? 0;
  if (!last || number >= 20) return false;
  const row = last.cloneNode(true);
  for (const part of row.querySelectorAll("*")) {
    for (const name of ["id", "name", "for", "aria-describedby"]) {
      const value = part.getAttribute(name);
      if (value) part.setAttribute(name, value.replace(/^read_more\.\d+\./, `read_more.${number}.`));
    }
    if (part.matches("input")) part.value = "";
  }
  rows.append(row);
  return true;
}

form.addEventListener("input", () => {
  if ([...(rows?.lastElementChild?.querySelectorAll("input") ?? [])].some((field) => field.value)) addRow();
  clearTimeout(keepTimer);
  if (!isUnsaved()) {
    forget();
    return;
  }
  keepTimer = setTimeout(keep, KEEP_AFTER);
  if (!isSaving) say(form.dataset.unsaved);
  saveSoon();
});
form.addEventListener("submit", (event) => {
  if (event.submitter?.name === "then") {
    form.elements.sequence.value = Number(form.elements.sequence.value) + 1;
    isLeaving = true;
    return;
  }
  event.preventDefault();
  refused = null;
  if (isUnsaved()) save();
  else say(form.dataset.saved, new Date());
});
document.addEventListener("compositionstart", () => (isComposing = true));
document.addEventListener("compositionend", () => {
  isComposing = false;
  if (isUnsaved()) saveSoon();
});
// A part of the page that asks for the sign-in must not lead away from the text.
document.addEventListener("htmx:before:response", (event) => {
  const { status: code } = event.detail.ctx.response;
  // A form that was refused is shown again with its reasons.
  if (code < 400 || code === 422) return;
  event.preventDefault();
  if (code === 401) show("signed-out", true);
});
addEventListener("online", save);
// Back from signing in, or from the other text.
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "hidden" && isUnsaved()) keep();
  if (document.visibilityState === "visible") save();
});
addEventListener("focus", save);
addEventListener("beforeunload", (event) => {
  if (isLeaving || !isUnsaved()) return;
  keep();
  event.preventDefault();
});

// What a refused form had is not saved either.
saved = document.getElementById("errors") ? "" : snapshot();
offerKept();
