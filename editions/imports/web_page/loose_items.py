"""Text of a list outside its items, as people write who forget a tag. Browsers show it, so it is text."""

from lxml import etree

_KEPT = frozenset({"li", "ul", "ol", "menu", "dir", "p", "div"})


def wrap_loose_items(listed: etree._Element) -> None:
    """Put text and inline elements that are in a list, but in none of its items, into items."""
    children: list[etree._Element] = []
    loose = _start_item(listed.text, children)
    listed.text = None
    for child in list(listed):
        if isinstance(child.tag, str) and child.tag not in _KEPT:
            if loose is None:
                loose = etree.Element("li")
                children.append(loose)
            loose.append(child)
            continue
        tail, child.tail = child.tail, None
        children.append(child)
        loose = _start_item(tail, children)
    listed[:] = children


def _start_item(text: str | None, children: list[etree._Element]) -> etree._Element | None:
    if not text or not text.strip():
        return None
    item = etree.Element("li")
    item.text = text
    children.append(item)
    return item
