"""Building HTML from formatted text, as readers of documents do."""

from collections.abc import Sequence
from dataclasses import dataclass

from lxml import etree

from editions.imports.source_document import ITEM_BOOKMARK


@dataclass(frozen=True, kw_only=True)
class TextFormat:
    """The format of text. ``shift`` is ``sup``, ``sub`` or empty; ``size`` is in points, 0 where a
    reader does not say it here."""

    bold: bool = False
    italic: bool = False
    strikethrough: bool = False
    shift: str = ""
    hidden: bool = False
    size: float = 0.0
    href: str = ""


def append_text(into: etree._Element, text: str, format: TextFormat) -> None:
    """Add ``text`` in this format at the end of ``into``."""
    if not text:
        return
    tags = [
        tag
        for tag, applies in (
            ("a", bool(format.href)),
            ("strong", format.bold),
            ("em", format.italic),
            ("s", format.strikethrough),
            (format.shift, bool(format.shift)),
        )
        if applies
    ]
    for tag in tags:
        into = etree.SubElement(into, tag)
        if tag == "a":
            into.set("href", format.href)
    if len(into):
        into[-1].tail = (into[-1].tail or "") + text
    else:
        into.text = (into.text or "") + text


def append_image(into: etree._Element, number: int, *, href: str) -> None:
    """Add the picture with this number, linked to ``href`` if it is not empty."""
    if href:
        into = etree.SubElement(into, "a", {"href": href})
    etree.SubElement(into, "img", {"src": str(number)})


def make_list_item(content: Sequence[etree._Element], first_number: int = 0) -> etree._Element:
    """A list item: its paragraphs become lines, and the lists in it stay lists. ``first_number`` is where its
    list begins, if it begins with this item and not at 1."""
    item = etree.Element("li")
    if first_number:
        etree.SubElement(item, "a", {"id": f"{ITEM_BOOKMARK}{first_number}"})
    nested = [block for block in content if block.tag in {"ul", "ol"}]
    lines = [block for block in content if block.tag not in {"ul", "ol"}]
    for number, block in enumerate(lines):
        if number:
            etree.SubElement(item, "br")
        for inner in block if block.tag == "blockquote" else (block,):
            append_text(item, inner.text or "", TextFormat())
            item.extend(list(inner))
    item.extend(nested)
    return item
