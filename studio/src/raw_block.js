// A block that the editor cannot show: its Markdown, as written, to be read and changed as text.

/** Makes the view of a raw block; `label` is what stands above it. */
export function makeRawBlockView(label) {
  return (node) => {
    const dom = document.createElement("div");
    dom.className = "raw";
    const title = dom.appendChild(document.createElement("p"));
    title.contentEditable = "false";
    title.textContent = label;
    const contentDOM = dom.appendChild(document.createElement("pre"));
    contentDOM.setAttribute("data-why", node.attrs.why);
    contentDOM.spellcheck = false;
    contentDOM.dir = "auto";
    return { dom, contentDOM, ignoreMutation: (record) => title.contains(record.target) };
  };
}
