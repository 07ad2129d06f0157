"""Small operations on an HTML tree."""

from lxml import etree

HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")

_SPACED_AFTER = frozenset({"br", "p", "li", "td", "th", "tr", "ul", "ol", "blockquote"})


def text_content(element: etree._Element) -> str:
    """The text of ``element`` without note marks, with a space at the end of each block or line."""
    if element.tag == "sup" and element.find("a[@href]") is not None:
        return ""
    parts = [element.text or ""]
    for child in element:
        parts += [text_content(child), " " if child.tag in _SPACED_AFTER else "", child.tail or ""]
    return "".join(parts)


def has_picture(element: etree._Element) -> bool:
    """Whether there is a picture in ``element``."""
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
