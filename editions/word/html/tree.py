"""Small questions about a tree of HTML."""

from lxml import etree

_SPACED_AFTER = frozenset({"br", "p", "li", "td", "th", "tr", "ul", "ol", "blockquote"})


def text_content(element: etree._Element) -> str:
    """The words of ``element``; the end of a block or line is a space, and note marks are none of them."""
    if element.tag == "sup" and element.find("a[@href]") is not None:
        return ""
    parts = [element.text or ""]
    for child in element:
        parts += [text_content(child), " " if child.tag in _SPACED_AFTER else "", child.tail or ""]
    return "".join(parts)


def detach(element: etree._Element) -> None:
    """Take ``element`` out of its parent, and leave the words behind it."""
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
