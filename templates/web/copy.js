// A button beside each part of a DNS record that copies it. Without this file, a click selects the part.

function addButtons() {
  const words = document.getElementById("findings")?.dataset;
  if (!words || !navigator.clipboard) return;
  for (const part of document.querySelectorAll(".record dd")) {
    if (part.querySelector("button")) continue;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "small";
    button.textContent = words.copy;
    button.setAttribute("aria-label", `${words.copy}: ${part.previousElementSibling.textContent}`);
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(part.querySelector("code").textContent);
      button.textContent = words.copied;
    });
    part.append(button);
  }
}
addButtons();
document.addEventListener("htmx:after:swap", addButtons);
