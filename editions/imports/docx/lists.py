"""Counting the items of lists."""

from collections.abc import Mapping

from lxml import etree

from editions.imports.docx.ooxml import get_attribute, new_element, qualified_name, remove_element
from editions.imports.docx.package import DocxPackage
from editions.imports.source_document import ITEM_BOOKMARK

_ABSTRACT = qualified_name("w:abstractNum")


def extract_list_parts(package: DocxPackage) -> dict[str, bytes]:
    """The parts that define lists: the numbering, and of the styles only those for numbering."""
    parts = {}
    for kind in ("styles", "numbering"):
        root = package.parse_part(package.part_of_kind(kind))
        if root is None:
            continue
        for style in root.findall(qualified_name("w:style")):
            if get_attribute(style, name="w:type") != "numbering":
                remove_element(style)
        parts[kind] = etree.tostring(root)
    return parts


def read_list_starts(package: DocxPackage) -> dict[tuple[str, int], int]:
    """The number at which each list begins at each level, by the list's id; lists that begin at 1 are left
    out."""
    root = package.parse_part(package.part_of_kind("numbering"))
    if root is None:
        return {}
    kinds = {get_attribute(kind, name="w:abstractNumId"): kind for kind in root.findall(_ABSTRACT)}
    starts: dict[tuple[str, int], int] = {}
    for entry in root.findall(qualified_name("w:num")):
        identifier = get_attribute(entry, name="w:numId")
        kind = kinds.get(get_attribute(entry, "w:abstractNumId"))
        levels = [] if kind is None else kind.findall(qualified_name("w:lvl"))
        own = [(each, "w:start") for each in levels]
        own += [(each, "w:startOverride") for each in entry.findall(qualified_name("w:lvlOverride"))]
        for each, name in own:
            level, start = get_attribute(each, name="w:ilvl"), get_attribute(each, name)
            if level.isdecimal() and start.isdecimal():
                starts[identifier, int(level)] = int(start)
    return {key: start for key, start in starts.items() if start > 1}


class ListCounter:
    """Counts the items of lists. mammoth starts again at 1 where a list continues after other paragraphs, so
    the number is put into the item as a bookmark, which becomes ``<a id="item-3">``. ``starts`` are the
    numbers at which lists begin."""

    def __init__(self, starts: Mapping[tuple[str, int], int]) -> None:
        self._starts = starts
        self._counts: dict[tuple[str, int], int] = {}

    def count(self, paragraph: etree._Element) -> None:
        """Count ``paragraph`` if it is a list item."""
        numbering = paragraph.find(f"{qualified_name('w:pPr')}/{qualified_name('w:numPr')}")
        identifier, level = get_attribute(numbering, "w:numId"), int(get_attribute(numbering, "w:ilvl") or 0)
        if not identifier:
            return
        for deeper in [key for key in self._counts if key[0] == identifier and key[1] > level]:
            del self._counts[deeper]
        before = self._counts.get((identifier, level), self._starts.get((identifier, level), 1) - 1)
        number = self._counts[identifier, level] = before + 1
        if number > 1:
            paragraph.insert(1, new_element("w:bookmarkStart", w_name=f"{ITEM_BOOKMARK}{number}"))
