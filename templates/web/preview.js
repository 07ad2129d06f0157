// Asks once a second whether a file of the edition has changed, and shows the page anew when one has.
// The page works without it: reloading by hand shows the same.

const shown = document.body.dataset.version;
const status = document.getElementById("watching");
const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

async function readVersion() {
  const answer = await fetch("/version", { cache: "no-store" });
  if (!answer.ok) throw new Error(String(answer.status));
  return answer.text();
}

async function watch() {
  for (;;) {
    await pause(1000);
    if (document.hidden) continue;
    try {
      const version = await readVersion();
      if (version !== shown) {
        location.reload();
        return;
      }
      status.textContent = "Watching the files";
    } catch {
      status.textContent = "The preview has stopped. Start it again in the terminal.";
    }
  }
}

watch();
