// The numbers of a campaign as they change. A part that has not changed is left alone, and so is one that holds
// the focus. The stream is closed while nobody looks; without this file, the page loads itself anew.

const live = document.getElementById("live");
let source;

function parse(html) {
  return new DOMParser().parseFromString(html, "text/html");
}

// What may be done follows from the state and from who looks, so it is no part of what all are told.
async function renewActs(state) {
  if (!state || state === live.dataset.state) return;
  live.dataset.state = state;
  const answer = await fetch(location.href);
  const page = parse(await answer.text());
  for (const id of ["live-acts", "page-notice"]) {
    const part = page.getElementById(id);
    if (part) document.getElementById(id)?.replaceWith(part);
  }
}

function show(html) {
  const parsed = parse(html).body;
  const before = [...live.children];
  const ids = new Set([...parsed.children].map((part) => part.id));
  [...parsed.children].forEach((part, place) => {
    const old = before.find((one) => one.id === part.id);
    if (!old) live.insertBefore(part, live.children[place] || null);
    else if (old.innerHTML !== part.innerHTML && !old.contains(document.activeElement)) old.replaceWith(part);
  });
  for (const old of before) if (!ids.has(old.id)) old.remove();
  renewActs(document.getElementById("live-state")?.dataset.state).catch(() => {});
  document.dispatchEvent(new CustomEvent("htmx:after:swap"));
}

function lose() {
  source.close();
  document.getElementById("live-lost").hidden = false;
}

function open() {
  source = new EventSource(live.dataset.events);
  source.addEventListener("progress", (event) => show(event.data));
  source.addEventListener("ended", lose);
  source.addEventListener("error", () => source.readyState === EventSource.CLOSED && lose());
}

if (live) {
  open();
  document.addEventListener("visibilitychange", () => {
    source.close();
    if (document.visibilityState === "visible") open();
  });
}
