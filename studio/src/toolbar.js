// The toolbar: its buttons come from the page; one of them is in the order of Tab, and arrows lead to the others.
import { COMMANDS } from "./commands.js";

const IS_MAC = /Mac|iP(hone|ad|od)/.test(navigator.platform);

/** Writes "Mod-Shift-8" as people read it, "Ctrl+Shift+8" or "⇧⌘8", in the page's words for the keys. */
function describeShortcut(shortcut, words) {
  const keys = shortcut.split("-").map((key) => key.toUpperCase());
  if (IS_MAC) {
    const signs = { ALT: "⌥", SHIFT: "⇧", MOD: "⌘" };
    const modifiers = Object.keys(signs).filter((key) => keys.includes(key));
    return modifiers.map((key) => signs[key]).join("") + keys.at(-1);
  }
  const names = { MOD: words.ctrl, SHIFT: words.shift, ALT: words.alt };
  return keys.map((key) => names[key] ?? key).join("+");
}

/** The same for the attribute aria-keyshortcuts (WAI-ARIA 1.2), which is not translated. */
function writeAriaShortcut(shortcut) {
  return shortcut.replace("Mod", IS_MAC ? "Meta" : "Control").replaceAll("-", "+");
}

/** Brings a toolbar to life. `run` is called with the name of the button that is pressed. */
export class Toolbar {
  #bar;
  #buttons;

  constructor(bar, run) {
    this.#bar = bar;
    this.#buttons = [...bar.querySelectorAll("button[data-command]")];
    for (const button of this.#buttons) {
      const { shortcut } = COMMANDS[button.dataset.command];
      if (!shortcut) continue;
      button.title += ` (${describeShortcut(shortcut, bar.dataset)})`;
      button.setAttribute("aria-keyshortcuts", writeAriaShortcut(shortcut));
    }
    this.#rove(this.#buttons[0]);
    // Without this, Safari and Firefox would lose what is selected in the text.
    bar.addEventListener("mousedown", (event) => event.preventDefault());
    bar.addEventListener("click", (event) => {
      const button = event.target.closest("button[data-command]");
      if (!button || button.getAttribute("aria-disabled") === "true") return;
      this.#rove(button);
      run(button.dataset.command, event.detail === 0);
    });
    bar.addEventListener("keydown", (event) => this.#move(event));
    bar.addEventListener("focusin", (event) => this.#rove(event.target));
  }

  focus() {
    this.#bar.querySelector('[tabindex="0"]').focus();
  }

  /** Show what holds where the cursor is, and what cannot be done there. */
  update(state) {
    for (const button of this.#buttons) {
      const { isOn, run } = COMMANDS[button.dataset.command];
      if (isOn) setAttribute(button, "aria-pressed", String(isOn(state)));
      setAttribute(button, "aria-disabled", String(Boolean(run) && !run(state)));
    }
  }

  #rove(current) {
    if (!this.#buttons.includes(current)) return;
    for (const button of this.#buttons) button.tabIndex = button === current ? 0 : -1;
  }

  #move(event) {
    const at = this.#buttons.indexOf(event.target);
    if (at < 0 || event.ctrlKey || event.metaKey || event.altKey) return;
    const isRightToLeft = getComputedStyle(this.#bar).direction === "rtl";
    const last = this.#buttons.length - 1;
    const forward = at === last ? 0 : at + 1;
    const back = at === 0 ? last : at - 1;
    const goal = {
      ArrowRight: isRightToLeft ? back : forward,
      ArrowLeft: isRightToLeft ? forward : back,
      Home: 0,
      End: last,
    }[event.key];
    if (goal === undefined) return;
    event.preventDefault();
    this.#buttons[goal].focus();
  }
}

// Only what changes: each write is told to screen readers.
function setAttribute(element, name, value) {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}
