// <story-editor name="document" for="body" data-document="JSON" data-label="…" lang="…">: the editor of a story.
//
// It takes the place of the text area named by `for`, which it hides and disables, and is a field of the form like it:
// it submits the document as JSON under `name`. The page's <template id="story-editor-words"> has its toolbar, so that
// this file has no words. Without script, or where the document is none of our schema, the text area stays.
import { closeHistory, history } from "prosemirror-history";
import { EditorState, TextSelection } from "prosemirror-state";
import { EditorView } from "prosemirror-view";
import { makeClipboard } from "./clipboard.js";
import { COMMANDS } from "./commands.js";
import { findBlock, keptSelection, makePlaceholder, setWrongBlock, wrongBlock } from "./decorations.js";
import { typingRules } from "./input_rules.js";
import { makeKeyBindings } from "./key_bindings.js";
import { LinkForm } from "./link_form.js";
import { PasteCleaner } from "./paste_cleaner.js";
import { makeRawBlockView } from "./raw_block.js";
import { readDocument } from "./schema.js";
import { Toolbar } from "./toolbar.js";

// ProseMirror reads an input method's last letters 20 ms after it has ended.
const COMPOSITION_END_MS = 40;

// The toolbar stays in sight above the text, and so does the head of a page.
const BELOW_THE_TOOLBAR = { top: 150, bottom: 24, left: 0, right: 0 };

class StoryEditor extends HTMLElement {
  static formAssociated = true;

  #internals = this.attachInternals();
  #view = null;
  #state = null;
  #toolbar = null;
  #linkForm = null;
  #cleaner = null;
  #textArea = null;
  #waiting = null;
  #isDisabled = false;
  #leave = new AbortController();

  connectedCallback() {
    const words = document.getElementById("story-editor-words");
    this.#textArea = document.getElementById(this.getAttribute("for"));
    this.#cleaner ??= new PasteCleaner(words.dataset.paste);
    try {
      this.#state ??= this.#makeState(readDocument(JSON.parse(this.dataset.document)), words.content);
    } catch (fault) {
      if (!(fault instanceof RangeError || fault instanceof SyntaxError)) throw fault;
      this.hidden = true;
      return;
    }
    this.#leave = new AbortController();
    this.replaceChildren(words.content.cloneNode(true));
    this.#view = this.#makeView(this.querySelector("[data-surface]"));
    this.#toolbar = new Toolbar(this.querySelector("[role=toolbar]"), (name, byKey) => this.#run(name, byKey));
    this.#linkForm = new LinkForm(this.querySelector("[data-link-form]"), this.#view);
    this.#toolbar.update(this.#view.state);
    this.#internals.setFormValue(this.value);
    this.#takePlace();
    this.#cleaner.loadSoon();
  }

  disconnectedCallback() {
    if (this.#view === null) return;
    this.#leave.abort();
    this.#state = this.#view.state;
    this.#view.destroy();
    this.#view = null;
    this.#textArea.hidden = false;
    this.#textArea.disabled = this.#isDisabled;
  }

  formResetCallback() {
    this.value = this.dataset.document;
  }

  formDisabledCallback(isDisabled) {
    this.#isDisabled = isDisabled;
    this.#view?.setProps({ editable: () => !isDisabled });
  }

  /** The document, as JSON. To set it is one step of undo; in the middle of a composition, it waits for its end. */
  get value() {
    const state = this.#view?.state ?? this.#state;
    return state === null ? this.dataset.document : JSON.stringify(state.doc);
  }

  set value(json) {
    if (this.#view === null) {
      this.dataset.document = json;
      this.#state = null;
    } else if (this.isComposing) {
      this.#waiting = json;
    } else {
      const { tr, doc } = this.#view.state;
      const wanted = readDocument(JSON.parse(json));
      if (wanted.eq(doc)) return;
      this.#view.dispatch(closeHistory(tr).replaceWith(0, doc.content.size, wanted.content));
    }
  }

  /** Whether an input method is in the middle of a word. */
  get isComposing() {
    return this.#view?.composing ?? false;
  }

  /** Whether formatted text is pasted at once; before, it waits for its cleaner to be loaded. */
  get isReadyToPaste() {
    return this.#cleaner?.isReady ?? false;
  }

  get form() {
    return this.#internals.form;
  }

  get name() {
    return this.getAttribute("name");
  }

  focus() {
    this.#view?.focus();
  }

  /** Select the text of the top-level block of that number, and show it. */
  goTo(block) {
    if (this.#view === null) return;
    this.#view.focus();
    const { doc, tr } = this.#view.state;
    const place = findBlock(doc, block);
    if (place === null) return;
    const end = place + doc.child(block).nodeSize;
    tr.setSelection(TextSelection.between(doc.resolve(place), doc.resolve(end)));
    this.#view.dispatch(tr);
    this.#view.nodeDOM(place)?.scrollIntoView({ block: "center" });
  }

  /** Mark the top-level block of that number as what cannot be saved; null marks none. */
  mark(block) {
    if (this.#view !== null) setWrongBlock(this.#view, block);
  }

  #makeState(doc, words) {
    const placeholder = words.querySelector("[data-surface]").dataset.placeholder;
    const keys = makeKeyBindings({
      openLink: (_, dispatch) => (dispatch ? this.#linkForm.open() : true),
      openToolbar: (_, dispatch) => {
        if (dispatch) this.#toolbar.focus();
        return true;
      },
    });
    const clipboard = makeClipboard(this.#cleaner, (names) => this.#say(names));
    const plugins = [typingRules, ...keys, history(), clipboard, makePlaceholder(placeholder), keptSelection, wrongBlock];
    return EditorState.create({ doc, plugins });
  }

  #makeView(surface) {
    const rawLabel = surface.dataset.rawLabel;
    delete surface.dataset.rawLabel;
    return new EditorView(
      { mount: surface },
      {
        state: this.#state,
        editable: () => !this.#isDisabled,
        nodeViews: { raw: makeRawBlockView(rawLabel) },
        attributes: this.#describeSurface(surface),
        scrollThreshold: BELOW_THE_TOOLBAR,
        scrollMargin: BELOW_THE_TOOLBAR,
        dispatchTransaction: (transaction) => this.#apply(transaction),
        handleDOMEvents: {
          compositionend: () => {
            setTimeout(() => this.#endComposition(), COMPOSITION_END_MS);
            return false;
          },
        },
      },
    );
  }

  #describeSurface(surface) {
    const attributes = {
      role: "textbox",
      "aria-multiline": "true",
      "aria-label": this.dataset.label ?? "",
      "aria-placeholder": surface.dataset.placeholder,
      spellcheck: "true",
    };
    for (const name of ["aria-describedby", "aria-invalid"]) {
      const value = this.#textArea.getAttribute(name);
      if (value) attributes[name] = value;
    }
    if (this.lang) attributes.lang = this.lang;
    if (this.dataset.direction) attributes.dir = this.dataset.direction;
    return attributes;
  }

  #apply(transaction) {
    this.#view.updateState(this.#view.state.apply(transaction));
    this.#toolbar?.update(this.#view.state);
    if (!transaction.docChanged) return;
    this.#internals.setFormValue(this.value);
    this.dispatchEvent(new Event("input", { bubbles: true }));
  }

  /** Do what had to wait, and tell the word once more: who listens may have passed over it while it was composed. */
  #endComposition() {
    if (this.#view === null || this.isComposing) return;
    const json = this.#waiting;
    this.#waiting = null;
    if (json !== null) this.value = json;
    this.dispatchEvent(new Event("input", { bubbles: true }));
  }

  #run(name, byKey) {
    if (name === "link") {
      this.#linkForm.open();
      return;
    }
    // Who pressed the button by the keyboard stays on it; a click returns to the text.
    if (!byKey) this.#view.focus();
    COMMANDS[name].run(this.#view.state, this.#view.dispatch, this.#view);
  }

  /** Say what became of what was pasted, in the page's words. */
  #say(names) {
    const status = this.querySelector("[data-status]");
    status.textContent = names.map((name) => status.dataset[name]).join(" ");
  }

  /** Stand where the text area was: its label, and links to it, lead here. */
  #takePlace() {
    const { signal } = this.#leave;
    const { id } = this.#textArea;
    this.#textArea.hidden = true;
    this.#textArea.disabled = true;
    for (const label of this.#textArea.labels) label.addEventListener("click", () => this.focus(), { signal });
    const follow = (event) => {
      if (!event.target.closest?.(`a[href="#${CSS.escape(id)}"]`)) return;
      event.preventDefault();
      this.focus();
    };
    document.addEventListener("click", follow, { signal });
    // The browser's own event comes before the document is what it will be; ours tells each change once.
    this.#view.dom.addEventListener("input", (event) => event.stopPropagation(), { signal });
  }
}

customElements.define("story-editor", StoryEditor);
