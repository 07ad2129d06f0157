"""Counting the items of lists."""

from lxml import etree

from editions.imports.docx.ooxml import get_attribute, new_element, qualified_name, remove_element
from editions.imports.docx.package import DocxPackage
from editions.imports.source_document import ITEM_BOOKMARK


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


class ListCounter:
    """Counts the items of lists. mammoth would start again at 1 where a list continues after other
    paragraphs, so the number is put into the item as a bookmark, which becomes ``<a id="item-3">``."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, int], int] = {}
        self._last = ""

    def count(self, paragraph: etree._Element) -> None:
        """Count ``paragraph`` if it is a list item."""
        numbering = paragraph.find(f"{qualified_name('w:pPr')}/{qualified_name('w:numPr')}")
        identifier, level = get_attribute(numbering, "w:numId"), int(get_attribute(numbering, "w:ilvl") or 0)
        if identifier:
            for deeper in [key for key in self._counts if key[0] == identifier and key[1] > level]:
                del self._counts[deeper]
            number = self._counts[identifier, level] = self._counts.get((identifier, level), 0) + 1
            if number > 1 and identifier != self._last:
                paragraph.insert(1, new_element("w:bookmarkStart", w_name=f"{ITEM_BOOKMARK}{number}"))
        self._last = identifier
