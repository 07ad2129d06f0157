"""Adding formatted text to an element of HTML."""

from lxml import etree

from editions.imports.odt.styles import TextFormat


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


def append_image(into: etree._Element, number: int, href: str) -> None:
    """Add the picture with this number, linked to ``href`` if it is not empty."""
    if href:
        into = etree.SubElement(into, "a", {"href": href})
    etree.SubElement(into, "img", {"src": str(number)})
