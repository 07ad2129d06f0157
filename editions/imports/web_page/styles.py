"""How the text of an element is shown: whether at all, and in what type."""

import re
from dataclasses import dataclass, replace

from lxml import etree

from editions.imports.html.formatted_text import TextFormat
from editions.imports.web_page.css import Declarations, StyleSheet

_BASE_SIZE = 16.0
_MIN_SIZE = 2.0
"""Pixels. Smaller type is there for inboxes and spam filters, not for readers."""
_BOLD_WEIGHT = 600
_BOLD = frozenset({"b", "strong"})
_ITALIC = frozenset({"i", "em", "cite", "dfn", "var"})
_STRUCK = frozenset({"s", "strike", "del"})
_BLOCK_DISPLAYS = frozenset({"block", "table", "flex", "grid", "list-item", "table-row", "table-cell"})
_LENGTH = re.compile(r"(\d*\.?\d+)\s*(px|pt|em|rem|%|pc|in|cm|mm)?")
_PIXELS = {"px": 1.0, "pt": 4 / 3, "pc": 16.0, "in": 96.0, "cm": 96 / 2.54, "mm": 96 / 25.4, None: 1.0}
_SIZE_WORDS = {
    "xx-small": 9.0,
    "x-small": 10.0,
    "small": 13.0,
    "medium": 16.0,
    "large": 18.0,
    "x-large": 24.0,
    "xx-large": 32.0,
}
_FONT_SIZES = {"1": 10.0, "2": 13.0, "3": 16.0, "4": 18.0, "5": 24.0, "6": 32.0, "7": 48.0}
_ALIGNMENTS = {"right": "right", "end": "right", "center": "center"}


_PLAIN = TextFormat()


@dataclass(frozen=True, kw_only=True)
class ShownStyle:
    """How text is shown: in which format, in type of how many pixels, with which ``alignment``, and whether a
    new line in the source is one on the page."""

    format: TextFormat = _PLAIN
    size: float = _BASE_SIZE
    alignment: str = ""
    is_block: bool = False
    keeps_lines: bool = False

    @property
    def is_hidden(self) -> bool:
        """Whether readers do not see it."""
        return self.format.hidden or self.size <= _MIN_SIZE


class PageStyles:
    """The styles of one page."""

    def __init__(self, root: etree._Element) -> None:
        self._sheet = StyleSheet("\n".join(style.text or "" for style in root.iter("style")))

    def declarations(self, element: etree._Element) -> Declarations:
        """What the page says of ``element``."""
        return self._sheet.declarations(element)

    def compute(self, element: etree._Element, outer: ShownStyle) -> ShownStyle:
        """The style of ``element`` within text of the style ``outer``."""
        said = {name: value for name, (value, _) in self._sheet.declarations(element).items()}
        tag = str(element.tag)
        align = said.get("text-align") or (element.get("align") or "").lower()
        return ShownStyle(
            format=replace(
                outer.format,
                bold=_read_bold(said, tag, outer.format.bold),
                italic=_read_italic(said, tag, outer.format.italic),
                strikethrough=outer.format.strikethrough
                or tag in _STRUCK
                or "line-through" in f"{said.get('text-decoration')} {said.get('text-decoration-line')}",
                shift=tag if tag in {"sup", "sub"} else outer.format.shift,
                hidden=outer.format.hidden or element.get("hidden") is not None or _hides(said),
            ),
            size=_read_size(said, element, outer.size),
            alignment=_ALIGNMENTS.get(align, "") if align else outer.alignment,
            is_block=said.get("display") in _BLOCK_DISPLAYS,
            keeps_lines=tag == "pre" or _keeps_lines(said.get("white-space", ""), outer.keeps_lines),
        )


def read_pixels(written: str) -> float | None:
    """A length in pixels; None when it is none, or relative."""
    found = _LENGTH.fullmatch(written.strip())
    if not found or found[2] in {"em", "rem", "%"}:
        return None
    return float(found[1]) * _PIXELS[found[2]]


def _hides(said: dict[str, str]) -> bool:
    return (
        said.get("display") == "none"
        or said.get("visibility") in {"hidden", "collapse"}
        or said.get("opacity") in {"0", "0.0", ".0"}
        or (
            said.get("overflow") == "hidden"
            and any(read_pixels(said.get(name, "")) == 0 for name in ("max-height", "height"))
        )
    )


def _keeps_lines(white_space: str, outer: bool) -> bool:
    return white_space.startswith("pre") if white_space else outer


def _read_bold(said: dict[str, str], tag: str, outer: bool) -> bool:
    weight = said.get("font-weight", "")
    if not weight and re.search(r"\b(bold|[6-9]00)\b", said.get("font", "")):
        weight = "bold"
    if weight.isdecimal():
        return int(weight) >= _BOLD_WEIGHT
    return weight in {"bold", "bolder"} if weight else outer or tag in _BOLD


def _read_italic(said: dict[str, str], tag: str, outer: bool) -> bool:
    slant = said.get("font-style", "")
    return slant in {"italic", "oblique"} if slant else outer or tag in _ITALIC


def _read_size(said: dict[str, str], element: etree._Element, outer: float) -> float:
    written = said.get("font-size", "")
    if not written and "font" in said:
        found = re.search(r"(\d*\.?\d+(?:px|pt|em|rem|%))", said["font"])
        written = found[1] if found else ""
    if not written and element.tag == "font":
        return _FONT_SIZES.get(element.get("size") or "", outer)
    if written in _SIZE_WORDS:
        return _SIZE_WORDS[written]
    found = _LENGTH.fullmatch(written)
    if not found:
        return outer
    number, unit = float(found[1]), found[2]
    if unit in {"em", "%"}:
        return outer * (number if unit == "em" else number / 100)
    return number * (_BASE_SIZE if unit == "rem" else _PIXELS[unit])
