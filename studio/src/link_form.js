// The form for a link, below the toolbar: a form of the page would end the one that the editor is in.
import { TextSelection } from "prosemirror-state";
import { keepSelection } from "./decorations.js";
import { readAddress } from "./link_address.js";
import { schema } from "./schema.js";

const { link } = schema.marks;

/** The link around the cursor, with where it begins and ends; null if there is none. */
function findLink(state) {
  const { $from, from, to } = state.selection;
  const { parent } = $from;
  const start = parent.childAfter($from.parentOffset);
  const node = start.node && link.isInSet(start.node.marks) ? start : parent.childBefore($from.parentOffset);
  const mark = node.node && link.isInSet(node.node.marks);
  if (!mark) return null;
  let first = node.index;
  let last = node.index + 1;
  let begin = $from.start() + node.offset;
  let end = begin + node.node.nodeSize;
  while (first > 0 && mark.isInSet(parent.child(first - 1).marks)) begin -= parent.child((first -= 1)).nodeSize;
  while (last < parent.childCount && mark.isInSet(parent.child(last).marks)) end += parent.child(last++).nodeSize;
  return from >= begin && to <= end ? { mark, from: begin, to: end } : null;
}

/** The part of the page in which a link is written. */
export class LinkForm {
  #view;
  #form;
  #address;
  #words;
  #error;
  #found = null;

  constructor(form, view) {
    this.#view = view;
    this.#form = form;
    this.#address = form.querySelector("[data-address]");
    this.#words = form.querySelector("[data-words]");
    this.#error = form.querySelector("[data-error]");
    form.querySelector("[data-apply]").addEventListener("click", () => this.#apply());
    form.querySelector("[data-remove]").addEventListener("click", () => this.#remove());
    form.querySelector("[data-cancel]").addEventListener("click", () => this.close());
    form.addEventListener("keydown", (event) => {
      if (event.isComposing) return;
      if (event.key === "Escape") this.close();
      else if (event.key === "Enter" && event.target.matches("input")) this.#apply();
      else return;
      event.preventDefault();
      event.stopPropagation();
    });
    // What is typed here is not yet part of the story.
    for (const name of ["input", "change"]) form.addEventListener(name, (event) => event.stopPropagation());
  }

  /** Open it for the link at the cursor, or for what is selected. False where no link can be. */
  open() {
    const { state } = this.#view;
    const { $from, from, to, empty } = state.selection;
    if (!$from.parent.type.allowsMarkType(link)) return false;
    this.#found = findLink(state);
    this.#address.value = this.#found?.mark.attrs.href ?? "";
    this.#words.value = "";
    const needsWords = empty && this.#found === null;
    this.#words.closest(".field").hidden = !needsWords;
    this.#form.querySelector("[data-remove]").hidden = this.#found === null && !state.doc.rangeHasMark(from, to, link);
    this.#showError("");
    this.#form.hidden = false;
    keepSelection(this.#view, true);
    this.#address.focus();
    this.#address.select();
    return true;
  }

  close() {
    if (this.#form.hidden) return;
    this.#form.hidden = true;
    keepSelection(this.#view, false);
    this.#view.focus();
  }

  #apply() {
    const href = readAddress(this.#address.value);
    if (href === null) {
      this.#showError(this.#form.dataset.refusal);
      this.#address.focus();
      return;
    }
    const { tr, selection } = this.#view.state;
    const mark = link.create({ href, title: this.#found?.mark.attrs.title ?? null });
    if (this.#found !== null) {
      tr.removeMark(this.#found.from, this.#found.to, link).addMark(this.#found.from, this.#found.to, mark);
    } else if (selection.empty) {
      const words = this.#words.value.trim() || this.#address.value.trim();
      const marks = mark.addToSet(tr.storedMarks || selection.$from.marks());
      tr.replaceSelectionWith(schema.text(words, marks), false);
      tr.setSelection(TextSelection.create(tr.doc, selection.from + words.length)).removeStoredMark(link);
    } else {
      tr.removeMark(selection.from, selection.to, link).addMark(selection.from, selection.to, mark);
    }
    this.#view.dispatch(tr.scrollIntoView());
    this.close();
  }

  #remove() {
    const { from, to } = this.#found ?? this.#view.state.selection;
    this.#view.dispatch(this.#view.state.tr.removeMark(from, to, link));
    this.close();
  }

  #showError(words) {
    this.#error.textContent = words;
    this.#error.hidden = words === "";
    this.#address.setAttribute("aria-invalid", String(words !== ""));
    this.#address.closest(".field").classList.toggle("wrong", words !== "");
  }
}
