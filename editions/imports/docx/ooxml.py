"""Names in Word's XML, and small operations on its elements."""

from collections.abc import Iterable, Iterator

from lxml import etree

from editions.imports.xml_names import XmlNames

NAMESPACES = {
    "w": "http://schemas.openxmlformats.org/wordprocessingml/2006/main",
    "r": "http://schemas.openxmlformats.org/officeDocument/2006/relationships",
    "wp": "http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing",
    "a": "http://schemas.openxmlformats.org/drawingml/2006/main",
    "pic": "http://schemas.openxmlformats.org/drawingml/2006/picture",
    "c": "http://schemas.openxmlformats.org/drawingml/2006/chart",
    "dgm": "http://schemas.openxmlformats.org/drawingml/2006/diagram",
    "mc": "http://schemas.openxmlformats.org/markup-compatibility/2006",
    "m": "http://schemas.openxmlformats.org/officeDocument/2006/math",
    "v": "urn:schemas-microsoft-com:vml",
    "o": "urn:schemas-microsoft-com:office:office",
    "dc": "http://purl.org/dc/elements/1.1/",
}
# "Strict Open XML", which Word can save, has the same names in other namespaces.
_STRICT_NAMESPACES = {
    "http://purl.oclc.org/ooxml/wordprocessingml/main": NAMESPACES["w"],
    "http://purl.oclc.org/ooxml/officeDocument/relationships": NAMESPACES["r"],
    "http://purl.oclc.org/ooxml/drawingml/wordprocessingDrawing": NAMESPACES["wp"],
    "http://purl.oclc.org/ooxml/drawingml/main": NAMESPACES["a"],
    "http://purl.oclc.org/ooxml/drawingml/picture": NAMESPACES["pic"],
    "http://purl.oclc.org/ooxml/drawingml/chart": NAMESPACES["c"],
    "http://purl.oclc.org/ooxml/drawingml/diagram": NAMESPACES["dgm"],
    "http://purl.oclc.org/ooxml/officeDocument/math": NAMESPACES["m"],
}


_NAMES = XmlNames(NAMESPACES)
qualified_name = _NAMES.qualified_name
prefixed_name = _NAMES.prefixed_name


def get_attribute(element: etree._Element | None, path: str = "", name: str = "w:val") -> str:
    """The attribute ``name`` of the element at ``path`` below ``element``; empty when there is none."""
    found = element if element is None or not path else element.find(path, NAMESPACES)
    return found.get(qualified_name(name), "") if found is not None else ""


def is_enabled(properties: etree._Element | None, name: str) -> bool:
    """Whether a switch such as ``w:b`` is set in ``properties``."""
    found = None if properties is None else properties.find(name, NAMESPACES)
    return found is not None and get_attribute(found) not in {"0", "false", "off", "none"}


def plain_text(element: etree._Element, name: str = "w:t") -> str:
    """The text below ``element`` on one line, with a space at the end of each paragraph."""
    ends = {qualified_name(end) for end in ("w:p", "w:br", "w:cr", "w:tab", "w:ptab", "a:p")}
    found = [
        " " if part.tag in ends else part.text or "" for part in element.iter(qualified_name(name), *ends)
    ]
    return " ".join("".join(found).split())


def new_element(name: str, **attributes: str) -> etree._Element:
    """A new element; attributes are named ``w_val`` for ``w:val``."""
    return etree.Element(
        qualified_name(name),
        {qualified_name(key.replace("_", ":", 1)): text for key, text in attributes.items()},
        nsmap=NAMESPACES,
    )


def remove_element(element: etree._Element) -> None:
    """Remove ``element`` and the text after it: in Word's files there is none."""
    replace_element(element, ())


def unwrap_element(element: etree._Element) -> list[etree._Element]:
    """Replace ``element`` with its children, and return them."""
    children = list(element)
    replace_element(element, children)
    return children


def replace_element(element: etree._Element, others: Iterable[etree._Element]) -> None:
    """Replace ``element`` with ``others``."""
    parent = element.getparent()
    if parent is None:
        return
    index = parent.index(element)
    parent[index : index + 1] = list(others)


def ancestors(element: etree._Element, name: str) -> Iterator[etree._Element]:
    """The ancestors of ``element`` called ``name``, the nearest first."""
    return element.iterancestors(qualified_name(name))


def to_transitional(root: etree._Element) -> etree._Element:
    """``root`` with the transitional namespaces, where it has those of Strict Open XML."""
    if not any(address in _STRICT_NAMESPACES for address in root.nsmap.values()):
        return root
    for element in root.iter():
        if isinstance(element.tag, str):
            element.tag = _transitional_name(element.tag)
        for name, text in list(element.attrib.items()):
            if (usual := _transitional_name(str(name))) != name:
                del element.attrib[name]
                element.set(usual, text)
    return root


def _transitional_name(name: str) -> str:
    address, brace, local = name.removeprefix("{").rpartition("}")
    return f"{{{_STRICT_NAMESPACES.get(address, address)}}}{local}" if brace else name
