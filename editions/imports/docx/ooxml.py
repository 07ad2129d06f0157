"""Names in Word's XML, small operations on its elements, and what its fields and equations say."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from lxml import etree

from editions.imports.office_archive import XmlNames

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
    """Return the attribute ``name`` of the element at ``path`` below ``element``; empty when there is
    none."""
    found = element if element is None or not path else element.find(path, NAMESPACES)
    return found.get(qualified_name(name), "") if found is not None else ""


def is_enabled(properties: etree._Element | None, name: str) -> bool:
    found = None if properties is None else properties.find(name, NAMESPACES)
    return found is not None and get_attribute(found) not in {"0", "false", "off", "none"}


def plain_text(element: etree._Element, name: str = "w:t") -> str:
    """Return the text below ``element`` on one line, with a space at the end of each paragraph."""
    ends = {qualified_name(end) for end in ("w:p", "w:br", "w:cr", "w:tab", "w:ptab", "a:p")}
    found = [
        " " if part.tag in ends else part.text or "" for part in element.iter(qualified_name(name), *ends)
    ]
    return " ".join("".join(found).split())


def new_element(name: str, **attributes: str) -> etree._Element:
    """Return a new element; attributes are named ``w_val`` for ``w:val``."""
    return etree.Element(
        qualified_name(name),
        {qualified_name(key.replace("_", ":", 1)): text for key, text in attributes.items()},
        nsmap=NAMESPACES,
    )


def remove_element(element: etree._Element) -> None:
    """Remove ``element`` and the text after it: in Word's files there is none."""
    replace_element(element, ())


def unwrap_element(element: etree._Element) -> list[etree._Element]:
    children = list(element)
    replace_element(element, children)
    return children


def replace_element(element: etree._Element, others: Iterable[etree._Element]) -> None:
    parent = element.getparent()
    if parent is None:
        return
    index = parent.index(element)
    parent[index : index + 1] = list(others)


def ancestors(element: etree._Element, name: str) -> Iterator[etree._Element]:
    return element.iterancestors(qualified_name(name))


def to_transitional(root: etree._Element) -> etree._Element:
    """Return ``root`` with the transitional namespaces, where it has those of Strict Open XML."""
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


_LINEAR = frozenset({"m:oMath", "m:oMathPara", "m:r", "m:t"})


def is_linear(equation: etree._Element) -> bool:
    """Return whether ``equation`` has no fractions, roots or the like, without which its signs would be
    wrong."""
    return all(prefixed_name(part) in _LINEAR for part in _equation_parts(equation))


def _equation_parts(equation: etree._Element) -> list[etree._Element]:
    """Return the parts of an equation that are not formatting."""
    return [
        part
        for part in equation.iter()
        if prefixed_name(part).startswith("m:")
        and not prefixed_name(part).endswith("Pr")
        and not any(prefixed_name(ancestor).endswith("Pr") for ancestor in part.iterancestors())
    ]


_HYPERLINK = re.compile(r"\s*HYPERLINK\b", re.IGNORECASE)
_TOKEN = re.compile(r'\\(?P<switch>[a-zA-Z])|["“”](?P<quoted>[^"“”]*)["“”]|(?P<bare>[^\s"“”]+)')
# Switches with a value of their own: the part of the page, the text shown on hover, the window.
_VALUED_SWITCHES = frozenset("lot")


def read_link_address(instruction: str) -> str | None:
    """Return the address in a field's instruction, with its fragment; None when it is no link.

    >>> read_link_address('HYPERLINK "https://example.org/page" \\\\l "part"')
    'https://example.org/page#part'
    """
    found = _HYPERLINK.match(instruction)
    if not found:
        return None
    address, fragment, switch = "", "", ""
    for token in _TOKEN.finditer(instruction, found.end()):
        if token["switch"]:
            switch = token["switch"].lower()
            continue
        value = token["quoted"] if token["quoted"] is not None else token["bare"]
        if switch == "l":
            fragment = fragment or value
        elif switch not in _VALUED_SWITCHES:
            address = address or value
        switch = ""
    return add_fragment(address.strip(), fragment.strip())


def add_fragment(address: str, fragment: str) -> str:
    """Return ``address`` with ``fragment``, unless it has one."""
    return f"{address}#{fragment}" if fragment and "#" not in address else address


@dataclass
class _OpenField:
    instructions: list[etree._Element] = field(default_factory=list)
    in_result: bool = False


class FieldReader:
    """Follows the fields of a part in reading order, and puts the whole address of a link where mammoth looks
    for it."""

    def __init__(self) -> None:
        self._open: list[_OpenField] = []

    def read_mark(self, mark: etree._Element) -> None:
        """Read a ``w:fldChar``: the beginning, the middle or the end of a field."""
        kind = get_attribute(mark, name="w:fldCharType")
        if kind == "begin":
            self._open.append(_OpenField())
        elif kind == "separate" and self._open:
            _rewrite(self._open[-1].instructions)
            self._open[-1].in_result = True
        elif kind == "end" and self._open:
            self._open.pop()

    def read_instruction(self, instruction: etree._Element) -> None:
        """Read a ``w:instrText``, a piece of a field's instruction."""
        if self._open and not self._open[-1].in_result:
            self._open[-1].instructions.append(instruction)


def _rewrite(instructions: list[etree._Element]) -> None:
    address = read_link_address("".join(piece.text or "" for piece in instructions))
    if address is None:
        return
    for piece in instructions[1:]:
        piece.text = ""
    instructions[0].text = (
        f' HYPERLINK \\l "{address[1:]}"' if address.startswith("#") else f' HYPERLINK "{address}"'
    )
