"""The tree that every format is converted to: reading it, and building it from formatted text."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from lxml import etree

from editions.imports.source_document import BOLD_ATTRIBUTE, ITEM_BOOKMARK, SIZE_ATTRIBUTE

HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")

_SPACED_AFTER = frozenset({"br", "p", "li", "td", "th", "tr", "ul", "ol", "blockquote"})
_MEASURED = "data-measured"
"""The size and the length of a paragraph, until its size can be compared with that of the whole."""
_MAX_TITLE_LENGTH = 120


def text_content(element: etree._Element) -> str:
    if element.tag == "sup" and element.find("a[@href]") is not None:
        return ""
    parts = [element.text or ""]
    for child in element:
        parts += [text_content(child), " " if child.tag in _SPACED_AFTER else "", child.tail or ""]
    return "".join(parts)


def has_picture(element: etree._Element) -> bool:
    return any(True for _ in element.iter("img"))


def detach(element: etree._Element) -> None:
    """Remove ``element`` from its parent, but keep the text after it."""
    parent = element.getparent()
    if parent is None:
        return
    before = element.getprevious()
    tail = element.tail or ""
    if before is not None:
        before.tail = (before.tail or "") + tail
    else:
        parent.text = (parent.text or "") + tail
    element.tail = None
    parent.remove(element)


@dataclass(frozen=True, kw_only=True)
class TextFormat:
    """The format of text. ``shift`` is ``sup``, ``sub`` or empty; ``size`` is in points, 0 if unknown."""

    bold: bool = False
    italic: bool = False
    strikethrough: bool = False
    shift: str = ""
    hidden: bool = False
    size: float = 0.0
    href: str = ""


def append_text(into: etree._Element, text: str, format: TextFormat) -> None:
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
    """Return a list item: its paragraphs become lines, and the lists in it stay lists. ``first_number`` is
    where its list begins, if it begins with this item and not at 1."""
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


class TypeMeasure:
    def __init__(self) -> None:
        self._sizes: Counter[float] = Counter()
        self._is_bold = True

    def add(self, text: str, *, size: float, bold: bool) -> None:
        self._sizes[size] += len(text)
        self._is_bold = self._is_bold and bold

    def write(self, block: etree._Element) -> None:
        if self._sizes:
            block.set(_MEASURED, f"{self._sizes.most_common(1)[0][0]:.2f}:{self._sizes.total()}")
            if self._is_bold:
                block.set(BOLD_ATTRIBUTE, "")


def is_possible_title(block: etree._Element, text: str) -> bool:
    """Return whether ``block``, which was measured, is a short paragraph all in bold."""
    return block.get(BOLD_ATTRIBUTE) is not None and 0 < len(text) <= _MAX_TITLE_LENGTH


def compare_sizes(body: etree._Element) -> None:
    """Write the size of each paragraph's type in percent of that of most of the text."""
    sizes: Counter[float] = Counter()
    measured: list[tuple[etree._Element, float]] = []
    for line in body.iter("p"):
        if written := str(line.attrib.pop(_MEASURED, "")):
            size, _, length = written.partition(":")
            sizes[float(size)] += int(length)
            measured.append((line, float(size)))
    usual = sizes.most_common(1)[0][0] if sizes else 0.0
    for line, shown in measured if usual else ():
        if (percent := round(shown / usual * 100)) != 100:
            line.set(SIZE_ATTRIBUTE, str(percent))
