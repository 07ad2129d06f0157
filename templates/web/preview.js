// Checks once a second whether a file of the edition has changed, and reloads the page if so.
// The page works without this script: reload it by hand.

const shown = document.body.dataset.version;
const status = document.getElementById("watching");
const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

async function readVersion() {
  const answer = await fetch("/version", { cache: "no-store" });
  if (answer.status === 403) return null;
  if (!answer.ok) throw new Error(String(answer.status));
  return answer.text();
}

async function watch() {
  for (;;) {
    await pause(1000);
    if (document.hidden) continue;
    try {
      const version = await readVersion();
      if (version === null) {
        status.textContent = "The preview was started again. Open the address that it has printed.";
        continue;
      }
      if (version !== shown) {
        location.reload();
        return;
      }
      status.textContent = "Watching for changes";
    } catch {
      status.textContent = "The preview has stopped. Start it again in the terminal.";
    }
  }
}

watch();
