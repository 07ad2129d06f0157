"""The names of Word's XML, and how to take a piece out of it without losing the words behind."""

from collections.abc import Iterable, Iterator

from lxml import etree

NAMES = {
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
_PREFIXES = {uri: prefix for prefix, uri in NAMES.items()}
# "Strict Open XML", which Word offers in its save dialogue, has the same names under other addresses.
_STRICT = {
    "http://purl.oclc.org/ooxml/wordprocessingml/main": NAMES["w"],
    "http://purl.oclc.org/ooxml/officeDocument/relationships": NAMES["r"],
    "http://purl.oclc.org/ooxml/drawingml/wordprocessingDrawing": NAMES["wp"],
    "http://purl.oclc.org/ooxml/drawingml/main": NAMES["a"],
    "http://purl.oclc.org/ooxml/drawingml/picture": NAMES["pic"],
    "http://purl.oclc.org/ooxml/drawingml/chart": NAMES["c"],
    "http://purl.oclc.org/ooxml/drawingml/diagram": NAMES["dgm"],
    "http://purl.oclc.org/ooxml/officeDocument/math": NAMES["m"],
}


def full(name: str) -> str:
    """``w:p`` as lxml writes it, with the whole address of its prefix."""
    prefix, _, local = name.partition(":")
    return f"{{{NAMES[prefix]}}}{local}"


def short(element: etree._Element) -> str:
    """The name of ``element`` as ``w:p``; its bare local name where the prefix is none of ours."""
    if not isinstance(element.tag, str):
        return ""
    address, _, local = element.tag.removeprefix("{").rpartition("}")
    prefix = _PREFIXES.get(address)
    return f"{prefix}:{local}" if prefix else local


def value(element: etree._Element | None, path: str = "", name: str = "w:val") -> str:
    """The attribute ``name`` of what lies at ``path`` below ``element``; empty when there is none."""
    found = element if element is None or not path else element.find(path, NAMES)
    return found.get(full(name), "") if found is not None else ""


def is_on(properties: etree._Element | None, name: str) -> bool:
    """Whether a switch such as ``w:b`` is set in ``properties``."""
    found = None if properties is None else properties.find(name, NAMES)
    return found is not None and value(found) not in {"0", "false", "off", "none"}


def words(element: etree._Element, name: str = "w:t") -> str:
    """The words below ``element``, on one line: a paragraph's end is a space."""
    ends = {full("w:p"), full("w:br"), full("w:tab"), full("a:p")}
    found = [" " if part.tag in ends else part.text or "" for part in element.iter(full(name), *ends)]
    return " ".join("".join(found).split())


def make(name: str, **attributes: str) -> etree._Element:
    """A new element; attributes are named ``w_val`` for ``w:val``."""
    return etree.Element(
        full(name), {full(key.replace("_", ":", 1)): text for key, text in attributes.items()}, nsmap=NAMES
    )


def remove(element: etree._Element) -> None:
    """Take ``element`` out; Word's own files have no words between elements, others may."""
    replace(element, ())


def unwrap(element: etree._Element) -> list[etree._Element]:
    """Put the children of ``element`` into its place, and name them."""
    children = list(element)
    replace(element, children)
    return children


def replace(element: etree._Element, others: Iterable[etree._Element]) -> None:
    """Put ``others`` into the place of ``element``."""
    parent = element.getparent()
    if parent is None:
        return
    place = parent.index(element)
    parent[place : place + 1] = list(others)


def ancestors(element: etree._Element, name: str) -> Iterator[etree._Element]:
    """The elements called ``name`` around ``element``, the nearest first."""
    return element.iterancestors(full(name))


def to_transitional(root: etree._Element) -> etree._Element:
    """``root`` with the usual addresses, where it uses those of Strict Open XML."""
    if not any(address in _STRICT for address in root.nsmap.values()):
        return root
    for element in root.iter():
        if isinstance(element.tag, str):
            element.tag = _usual(element.tag)
        for name, text in list(element.attrib.items()):
            if (usual := _usual(str(name))) != name:
                del element.attrib[name]
                element.set(usual, text)
    return root


def _usual(name: str) -> str:
    address, brace, local = name.removeprefix("{").rpartition("}")
    return f"{{{_STRICT.get(address, address)}}}{local}" if brace else name
