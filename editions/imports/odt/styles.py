"""The roles of paragraphs and the formats of spans, by their styles, and the numbers of lists."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from lxml import etree

from editions.imports.html.tree import TextFormat
from editions.imports.odt.odf import NAMESPACES, get_attribute, prefixed_name, qualified_name

_MAX_LEVELS = 10
_BOLD_WEIGHT = 600
_DEFAULT_SIZE = 12.0
# Bold and italic there only say that it is the first row, which a mail shows in its own way.
_TABLE_HEADINGS = frozenset({"table heading", "table head"})
_SIZE = re.compile(r"(\d+(?:\.\d+)?)(pt|%)")
_XML_ID = "{http://www.w3.org/XML/1998/namespace}id"
_MAX_NUMBER = 999_999_999
"""The largest number that begins a list in Markdown."""


class OdtParagraphRole(StrEnum):
    """What a paragraph is for; the value is its class in the HTML, where it has one."""

    document_title = "title"
    subtitle = "subtitle"
    caption = "caption"
    heading = "heading"
    quote = "quote"
    contents = "contents"
    body = ""


_ROLES_BY_NAME = (
    (
        re.compile(r"title|titel|titre|título|titolo|rubrik|заголовок документа|标题|表題|제목|гарчиг"),
        OdtParagraphRole.document_title,
    ),
    (
        re.compile(
            r"subtitle|untertitel|sous-titre|subtítulo|sottotitolo|underrubrik|подзаголовок|副标题|副題|부제"
        ),
        OdtParagraphRole.subtitle,
    ),
    (re.compile(r"heading ?(?P<level>[1-9]|10)"), OdtParagraphRole.heading),
    (
        re.compile(r"caption|illustration|figure|drawing|beschriftung|légende|题注|図表番号"),
        OdtParagraphRole.caption,
    ),
    (re.compile(r"(intense )?quote|quotations|block ?text|block quotation"), OdtParagraphRole.quote),
    (
        re.compile(
            r"toc ?\d|contents (heading|\d+)|(illustration|table|object|user)? ?index .*|.* index \d+"
        ),
        OdtParagraphRole.contents,
    ),
)


class OdtStyles:
    def __init__(self, content: etree._Element, styles: etree._Element | None) -> None:
        roots = [root for root in (styles, content) if root is not None]
        self._styles: dict[tuple[str, str], etree._Element] = {}
        self._list_levels: dict[str, dict[int, etree._Element]] = {}
        self._defaults: dict[str, etree._Element] = {}
        # Those of the content come last: both files count their automatic styles from P1.
        for root in roots:
            for style in root.iter(qualified_name("style:style")):
                key = get_attribute(style, "style:family"), get_attribute(style, "style:name")
                self._styles[key] = style
            for style in root.iter(qualified_name("style:default-style")):
                self._defaults[get_attribute(style, "style:family")] = style
            for listed in root.iter(qualified_name("text:list-style")):
                self._list_levels[get_attribute(listed, "style:name")] = _read_list_levels(listed)
        self._base = self._apply_chain("paragraph", "Standard", TextFormat(size=self._default_size()))

    def paragraph_role(self, style: str) -> tuple[OdtParagraphRole, int]:
        for name in (*self._names("paragraph", style), style):
            role, level = _role_from_name(name)
            if role is not OdtParagraphRole.body:
                return role, level
        return OdtParagraphRole.body, 0

    def paragraph_format(self, style: str) -> TextFormat:
        """Return the format of a paragraph's text, as far as it differs from the document's ordinary text."""
        if any(_plain_name(name) in _TABLE_HEADINGS for name in self._names("paragraph", style)):
            return replace(self._base, bold=False, italic=False)
        own = self._apply_chain("paragraph", style, TextFormat(size=self._default_size()))
        return replace(
            own, bold=own.bold and not self._base.bold, italic=own.italic and not self._base.italic
        )

    def _names(self, family: str, style: str) -> Iterator[str]:
        """Yield the names of a style and of those it is based on, as people and the file write them."""
        for each in self._inheritance(family, style):
            yield get_attribute(each, "style:display-name")
            yield get_attribute(each, "style:name")

    def text_format(self, style: str, outer: TextFormat) -> TextFormat:
        """Return the format of a span with this style within text of the format ``outer``."""
        return self._apply_chain("text", style, outer)

    def paragraph_list_style(self, style: str) -> str:
        """Return the list style that comes with a paragraph style; empty when there is none."""
        found = (
            get_attribute(each, "style:list-style-name") for each in self._inheritance("paragraph", style)
        )
        return next((name for name in found if name), "")

    def list_level(self, style: str, level: int) -> tuple[bool, int]:
        """Return whether a list is numbered at this ``level``, which counts from 1, and its first number."""
        found = self._list_levels.get(style, {}).get(level)
        if found is None or prefixed_name(found) != "text:list-level-style-number":
            return False, 1
        start = get_attribute(found, "text:start-value")
        return bool(get_attribute(found, "style:num-format")), int(start) if start.isdecimal() else 1

    def graphic_property(self, style: str, name: str) -> str:
        """Return a property of a picture's style, such as ``fo:clip``; empty when there is none."""
        return self._find_property("graphic", style, name)

    def column_alignment(self, style: str) -> str:
        """Return how a paragraph's text is aligned: ``right``, ``center`` or empty."""
        alignment = self._find_property("paragraph", style, "fo:text-align")
        return {"end": "right", "right": "right", "center": "center"}.get(alignment, "")

    def _find_property(self, family: str, style: str, name: str) -> str:
        for each in self._inheritance(family, style):
            properties = each.find(f"style:{family}-properties", NAMESPACES)
            if properties is not None and (value := get_attribute(properties, name)):
                return value
        return ""

    def default_language(self, script: str = "") -> str:
        """Return the language set for all text, such as ``en-GB``; ``-asian`` is that of CJK text."""
        chain = [*self._inheritance("paragraph", "Standard")]
        if "paragraph" in self._defaults:
            chain.append(self._defaults["paragraph"])
        for style in chain:
            properties = style.find("style:text-properties", NAMESPACES)
            if properties is None:
                continue
            prefix = "style" if script else "fo"
            language = get_attribute(properties, f"{prefix}:language{script}")
            country = get_attribute(properties, f"{prefix}:country{script}")
            if language and language != "none":
                return f"{language}-{country}" if country and country != "none" else language
        return ""

    def _default_size(self) -> float:
        default = self._defaults.get("paragraph")
        properties = None if default is None else default.find("style:text-properties", NAMESPACES)
        return _DEFAULT_SIZE if properties is None else _read_size(properties, _DEFAULT_SIZE)

    def _apply_chain(self, family: str, style: str, outer: TextFormat) -> TextFormat:
        for each in reversed([*self._inheritance(family, style)]):
            properties = each.find("style:text-properties", NAMESPACES)
            if properties is not None:
                outer = _apply_properties(properties, outer)
        return outer

    def _inheritance(self, family: str, style: str) -> Iterator[etree._Element]:
        seen: set[str] = set()
        while (family, style) in self._styles and style not in seen:
            seen.add(style)
            yield self._styles[family, style]
            style = get_attribute(self._styles[family, style], "style:parent-style-name")


def _read_list_levels(style: etree._Element) -> dict[int, etree._Element]:
    levels: dict[int, etree._Element] = {}
    for level in style:
        written = get_attribute(level, "text:level") if isinstance(level.tag, str) else ""
        if written.isdecimal() and 1 <= int(written) <= _MAX_LEVELS:
            levels[int(written)] = level
    return levels


def _apply_properties(properties: etree._Element, outer: TextFormat) -> TextFormat:
    """Return ``outer`` with what these ``style:text-properties`` say; they may also take a format away."""
    weight = get_attribute(properties, "fo:font-weight")
    slant = get_attribute(properties, "fo:font-style")
    line = get_attribute(properties, "style:text-line-through-style") or get_attribute(
        properties, "style:text-line-through-type"
    )
    position = get_attribute(properties, "style:text-position").partition(" ")[0]
    display = get_attribute(properties, "text:display")
    return replace(
        outer,
        bold=_is_bold(weight) if weight else outer.bold,
        italic=slant in {"italic", "oblique"} if slant else outer.italic,
        strikethrough=line != "none" if line else outer.strikethrough,
        shift=_read_shift(position) if position else outer.shift,
        hidden=display == "none" if display else outer.hidden,
        size=_read_size(properties, outer.size),
    )


def _read_size(properties: etree._Element, outer: float) -> float:
    """Return the size of type in points; a percentage is of that around it."""
    found = _SIZE.fullmatch(get_attribute(properties, "fo:font-size"))
    if not found:
        return outer
    return outer * float(found[1]) / 100 if found[2] == "%" else float(found[1])


def _is_bold(weight: str) -> bool:
    return int(weight) >= _BOLD_WEIGHT if weight.isdecimal() else weight == "bold"


def _read_shift(position: str) -> str:
    """Return ``super``, ``sub`` or a percentage, which is negative below the line."""
    if position in {"super", "sub"}:
        return "sup" if position == "super" else "sub"
    number = position.removesuffix("%")
    if number.lstrip("-").replace(".", "", 1).isdecimal() and float(number):
        return "sub" if number.startswith("-") else "sup"
    return ""


def _plain_name(name: str) -> str:
    return name.replace("_20_", " ").replace("_", " ").casefold().strip()


def _role_from_name(name: str) -> tuple[OdtParagraphRole, int]:
    plain = _plain_name(name)
    for pattern, role in _ROLES_BY_NAME:
        if found := pattern.fullmatch(plain):
            return role, int(found.groupdict().get("level") or 0)
    return OdtParagraphRole.body, 0


@dataclass
class _OpenList:
    style: str
    next_number: int
    numbered: bool
    name: str
    is_first: bool = True


class ListNumbering:
    def __init__(self, styles: OdtStyles) -> None:
        self._styles = styles
        self._open: list[_OpenList] = []
        self._by_style: dict[tuple[str, int], int] = {}
        self._by_name: dict[str, int] = {}

    def enter(self, element: etree._Element) -> None:
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
        """Count ``item``: whether it is numbered, its number, and whether that has to be said."""
        listed = self._open[-1]
        written = get_attribute(item, "text:start-value")
        if written.isascii() and written.isdecimal():
            listed.next_number = min(int(written), _MAX_NUMBER)
        number = listed.next_number
        listed.next_number += 1
        is_first, listed.is_first = listed.is_first, False
        return listed.numbered, number, is_first

    def leave(self) -> None:
        listed = self._open.pop()
        self._by_style[listed.style, len(self._open) + 1] = listed.next_number
        if listed.name:
            self._by_name[listed.name] = listed.next_number

    def _style_of_paragraph(self, element: etree._Element) -> str:
        """Return the list style of the first paragraph's style, for a list that names none."""
        for part in element.iter():
            if prefixed_name(part) in {"text:p", "text:h"}:
                return self._styles.paragraph_list_style(get_attribute(part, "text:style-name"))
        return ""
