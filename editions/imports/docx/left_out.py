"""What is lost with an element of a Word document that is left out whole."""

from collections.abc import Mapping
from functools import cached_property

from lxml import etree

from editions.imports.docx.ooxml import (
    ALL_TEXT,
    INSTRUCTIONS,
    DocxPackage,
    Relationship,
    add_fragment,
    get_attribute,
    plain_text,
    qualified_name,
    read_link_address,
)

_NOTES = {"w:footnoteReference": "footnote", "w:endnoteReference": "endnote", "w:commentReference": "comment"}
_GRAPHICS = {"c:chart": "r:id", "dgm:relIds": "r:dm"}


class LeftOutReader:
    """Reads the words that go with an element: its text of every kind, the addresses of its links, and what
    its charts, notes and comments say. ``links`` are the relationships of its part."""

    def __init__(self, package: DocxPackage, links: Mapping[str, Relationship]) -> None:
        self._package = package
        self._links = links

    def read(self, element: etree._Element) -> str:
        found = [self.read_own(element)]
        for name, kind in _NOTES.items():
            for reference in element.iter(qualified_name(name)):
                found.append(self._notes.get((kind, get_attribute(reference, name="w:id")), ""))
        return " ".join(filter(None, found))

    def read_own(self, element: etree._Element) -> str:
        """Return the words of ``element`` without those of its notes and comments."""
        art = [path.get("string", "") for path in element.iter(qualified_name("v:textpath"))]
        graphics = [
            read_graphic(self._package, self._links.get(graphic.get(qualified_name(attribute), "")))
            for name, attribute in _GRAPHICS.items()
            for graphic in element.iter(qualified_name(name))
        ]
        words = [plain_text(element, *ALL_TEXT), *art, *graphics, *self._read_addresses(element)]
        return " ".join(filter(None, words))

    def _read_addresses(self, element: etree._Element) -> list[str]:
        instructions = [piece.text or "" for piece in element.iter(*map(qualified_name, INSTRUCTIONS))]
        simple = [get_attribute(each, name="w:instr") for each in element.iter(qualified_name("w:fldSimple"))]
        addresses = [read_link_address(each) for each in ("".join(instructions), *simple)]
        for link in element.iter(qualified_name("w:hyperlink"), qualified_name("a:hlinkClick")):
            addresses.append(read_target(self._links, link))
        return [address for address in addresses if address and not address.startswith("#")]

    @cached_property
    def _notes(self) -> Mapping[tuple[str, str], str]:
        return {
            (kind, get_attribute(note, name="w:id")): words
            for kind in _NOTES.values()
            for note, words in read_notes(self._package, kind)
        }


def read_notes(package: DocxPackage, kind: str) -> list[tuple[etree._Element, str]]:
    """Return each note of a ``kind``, such as ``comment``, with its words."""
    part = package.part_of_kind(f"{kind}s")
    root = package.parse_part(part)
    reader = LeftOutReader(package, package.relationships(part))
    found = [] if root is None else root.findall(qualified_name(f"w:{kind}"))
    return [(note, reader.read_own(note)) for note in found]


def read_target(links: Mapping[str, Relationship], link: etree._Element) -> str:
    """Return the address, with its fragment, of a ``w:hyperlink`` or ``a:hlinkClick``; empty if it has
    none."""
    relation = links.get(link.get(qualified_name("r:id"), ""))
    if relation is None or relation.kind != "hyperlink":
        return ""
    fragment = get_attribute(link, name="w:anchor") or get_attribute(link, name="w:docLocation")
    return add_fragment(relation.target, fragment)


def read_graphic(package: DocxPackage, relation: Relationship | None) -> str:
    """Return the text of a chart's or SmartArt's part. A chart keeps the words and numbers of its axes and
    series as values."""
    root = None if relation is None or relation.external else package.parse_part(relation.target)
    if root is None:
        return ""
    values = [value.text or "" for value in root.iter(qualified_name("c:v"))]
    return " ".join([plain_text(root, "a:t"), *values]).strip()
