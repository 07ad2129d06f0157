// What every page of Studio has: Ctrl/⌘ S presses the page's save button, Ctrl/⌘ Enter its filled one, a form
// is sent once, and the list of errors is where one arrives after it was refused. Everything works without
// this file.

document.addEventListener("keydown", (event) => {
  if (!(event.ctrlKey || event.metaKey) || event.altKey || event.isComposing) return;
  const wanted = event.key === "s" ? "[data-save]" : event.key === "Enter" ? "button.main[type=submit]" : "";
  const button = wanted && document.querySelector(wanted);
  if (!button) return;
  event.preventDefault();
  button.click();
});

document.getElementById("errors")?.focus();

// A second click, while the first is on its way, would be answered by what the first has left.
window.addEventListener("submit", (event) => {
  const form = event.target;
  if (event.defaultPrevented || form.getAttribute("method") !== "post") return;
  if (form.dataset.sent) return event.preventDefault();
  form.dataset.sent = "yes";
  setTimeout(() => delete form.dataset.sent, 3000);
});

// A browser asks before what was typed and not sent is lost. The texts of stories are kept by their own script.
const typed = "form[method=post]:not([data-key], :has([type=password])) "
  + ":is(textarea, [type=text], [type=email]):not([inputmode])";
window.addEventListener("beforeunload", (event) => {
  if (!document.getElementById("menu") || document.querySelector("[data-sent]")) return;
  const fields = [...document.querySelectorAll(typed)];
  if (fields.some((field) => field.value !== field.defaultValue)) event.preventDefault();
});

// Times are the server's in UTC, until this shows them by the reader's own clock.
function showTimes(root) {
  const times = root.querySelectorAll("time[data-local]");
  if (!times.length) return;
  const language = document.documentElement.lang.replace(/^en$/, "en-GB");
  // For a language it does not know, as Chromium does not know Mongolian, a browser would take that of its own
  // menus. Swedish writes both in the numbers of ISO 8601.
  const isKnown = Intl.DateTimeFormat.supportedLocalesOf(language).length > 0;
  const calendar = new Intl.DateTimeFormat(isKnown ? language : "sv", { dateStyle: isKnown ? "long" : "short" });
  const clock = new Intl.DateTimeFormat(isKnown ? language : "sv", { timeStyle: "short" });
  const today = new Date().toDateString();
  for (const time of times) {
    const moment = new Date(time.dateTime);
    const isShort = time.dataset.local === "clock" && moment.toDateString() === today;
    const hour = clock.format(moment);
    time.textContent = isShort ? hour : `${calendar.format(moment)}, ${hour}`;
    time.removeAttribute("data-local");
  }
}
showTimes(document);
document.addEventListener("htmx:after:swap", () => showTimes(document));

// A part of a page that did not come is asked for by the link that is there for who has no script.
document.addEventListener("htmx:error", ({ target }) => {
  for (const way of target.querySelectorAll?.("noscript") ?? []) way.outerHTML = way.innerHTML;
});

// While a query is being changed, the numbers on the page are still those of the one before, and look like it.
document.addEventListener("input", (event) => {
  const asks = event.target.closest("[hx-target='#q-words']");
  asks?.closest("form").classList.add("old");
});
document.addEventListener("htmx:after:swap", ({ detail }) => {
  if (detail?.ctx?.target?.id === "q-words") detail.ctx.target.closest("form").classList.remove("old");
});
