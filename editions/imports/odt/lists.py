"""Numbering the items of lists, as LibreOffice shows them."""

from dataclasses import dataclass

from lxml import etree

from editions.imports.odt.odf import get_attribute, prefixed_name
from editions.imports.odt.styles import Styles

_XML_ID = "{http://www.w3.org/XML/1998/namespace}id"
_MAX_NUMBER = 999_999_999
"""The largest number that begins a list in Markdown."""


@dataclass
class _OpenList:
    style: str
    next_number: int
    numbered: bool
    name: str
    is_first: bool = True


class ListNumbering:
    """Counts the items of a document's lists; lists that are open are in each other."""

    def __init__(self, styles: Styles) -> None:
        self._styles = styles
        self._open: list[_OpenList] = []
        self._by_style: dict[tuple[str, int], int] = {}
        self._by_name: dict[str, int] = {}

    def enter(self, element: etree._Element) -> None:
        """Enter a list."""
        inherited = self._open[-1].style if self._open else ""
        style = get_attribute(element, "text:style-name") or inherited or self._style_of_paragraph(element)
        level = len(self._open) + 1
        numbered, number = self._styles.list_level(style, level)
        if get_attribute(element, "text:continue-numbering") == "true":
            number = self._by_style.get((style, level), number)
        if continued := get_attribute(element, "text:continue-list"):
            number = self._by_name.get(continued, self._by_style.get((style, level), number))
        name = element.get(_XML_ID, "")
        self._open.append(_OpenList(style=style, next_number=number, numbered=numbered, name=name))

    def count(self, item: etree._Element) -> tuple[bool, int, bool]:
        """Count ``item``: whether it is numbered, its number, and whether it begins its list or says its
        number."""
        listed = self._open[-1]
        written = get_attribute(item, "text:start-value")
        if written.isascii() and written.isdecimal():
            listed.next_number = min(int(written), _MAX_NUMBER)
        number = listed.next_number
        listed.next_number += 1
        is_first, listed.is_first = listed.is_first, False
        return listed.numbered, number, is_first

    def leave(self) -> None:
        """Leave the list entered last."""
        listed = self._open.pop()
        self._by_style[listed.style, len(self._open) + 1] = listed.next_number
        if listed.name:
            self._by_name[listed.name] = listed.next_number

    def _style_of_paragraph(self, element: etree._Element) -> str:
        """The list style of the first paragraph's style, for a list that names none."""
        for part in element.iter():
            if prefixed_name(part) in {"text:p", "text:h"}:
                return self._styles.paragraph_list_style(get_attribute(part, "text:style-name"))
        return ""
