// Says every 15 seconds that this page is still open, and shows who else has the text open. The server forgets
// a page that has been silent for 45 seconds; one that is closed says so.

const place = document.getElementById("present");
let first = "1";

async function tell() {
  if (document.visibilityState === "hidden" && !first) return;
  const body = new URLSearchParams({ sitting: place.dataset.sitting, first });
  try {
    const answer = await fetch(place.dataset.path, { method: "POST", body });
    if (!answer.ok) return;
    first = "";
    const words = await answer.text();
    if (place.innerHTML !== words) place.innerHTML = words;
  } catch {
    // Without a connection nobody is seen; the next attempt is soon.
    place.textContent = "";
  }
}

if (place) {
  tell();
  setInterval(tell, 15000);
  document.addEventListener("visibilitychange", tell);
  addEventListener("pageshow", (event) => event.persisted && tell());
  addEventListener("pagehide", () => {
    navigator.sendBeacon(place.dataset.path, new URLSearchParams({ sitting: place.dataset.sitting, gone: "1" }));
  });
}
