"""Which paragraphs are items of which list, and with what number."""

from lxml import etree

from editions.word.docx.ooxml import get_attribute, new_element, qualified_name, remove_element
from editions.word.docx.package import DocxPackage

ITEM_BOOKMARK = "item-"
"""How the bookmark of a list's item begins; its number follows."""


def extract_list_parts(package: DocxPackage) -> dict[str, bytes]:
    """What says which paragraphs are items of which list; of the styles, only those that say it."""
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
    """Counts the items of lists: one that goes on after other paragraphs goes on counting, and mammoth would
    begin again at one. The number is left as a bookmark in the item, which becomes ``<a id="item-3">``."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, int], int] = {}
        self._last = ""

    def count(self, paragraph: etree._Element) -> None:
        """Count ``paragraph`` if it is an item."""
        numbering = paragraph.find(f"{qualified_name('w:pPr')}/{qualified_name('w:numPr')}")
        identifier, level = get_attribute(numbering, "w:numId"), int(get_attribute(numbering, "w:ilvl") or 0)
        if identifier:
            for deeper in [key for key in self._counts if key[0] == identifier and key[1] > level]:
                del self._counts[deeper]
            number = self._counts[identifier, level] = self._counts.get((identifier, level), 0) + 1
            if number > 1 and identifier != self._last:
                paragraph.insert(1, new_element("w:bookmarkStart", w_name=f"{ITEM_BOOKMARK}{number}"))
        self._last = identifier
