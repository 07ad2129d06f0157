"""What a paragraph or a run is by its style, its own or one it is based on.

Word keeps the English names of its own styles in every language, so that "Überschrift 1" is ``heading 1`` in
the file; a style made by a person is what it is based on.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from lxml import etree

from editions.word.docx.ooxml import NAMES, full, is_on, value


class Role(StrEnum):
    """What a paragraph is for; the value is the style name mammoth is given."""

    document_title = "Title"
    """The document's title."""

    subtitle = "Subtitle"
    """The line below the title."""

    heading = "Heading"
    """A heading, of some level."""

    caption = "Caption"
    """The words below a picture."""

    quote = "Quote"
    """A quotation set apart."""

    bullet = "ListBullet"
    """An item of a list by its style alone."""

    number = "ListNumber"
    """An item of a numbered list by its style alone."""

    contents = "Contents"
    """A line of the table of contents, which a mail makes for itself."""

    body = ""
    """An ordinary paragraph."""


@dataclass(frozen=True, kw_only=True)
class ParagraphStyle:
    """``level`` counts from 1 and is 0 for what has none; ``numbering`` is its ``w:numPr``, if any."""

    role: Role = Role.body
    level: int = 0
    numbering: etree._Element | None = None


@dataclass(frozen=True, kw_only=True)
class RunStyle:
    """What a character style does to its words."""

    bold: bool = False
    italic: bool = False
    hidden: bool = False


_NAMED = (
    (re.compile(r"title|book title"), Role.document_title),
    (re.compile(r"subtitle"), Role.subtitle),
    (re.compile(r"heading (?P<level>[1-9])"), Role.heading),
    (re.compile(r"caption"), Role.caption),
    (re.compile(r"(intense )?quote|quotations|block text"), Role.quote),
    (re.compile(r"toc .*|table of figures|contents .*|index .*|.* index"), Role.contents),
    (re.compile(r"list bullet( (?P<level>[1-5]))?"), Role.bullet),
    (re.compile(r"list number( (?P<level>[1-5]))?"), Role.number),
)


class Styles:
    """The styles of one document, by id."""

    def __init__(self, root: etree._Element | None) -> None:
        found = [] if root is None else root.findall("w:style", NAMES)
        self._styles = {value(style, name="w:styleId"): style for style in found}
        self._defaults = None if root is None else root.find("w:docDefaults/w:rPrDefault/w:rPr/w:lang", NAMES)

    def paragraph(self, properties: etree._Element | None) -> ParagraphStyle:
        """What a paragraph with these ``w:pPr`` is."""
        role, level = Role.body, 0
        outline = value(properties, "w:outlineLvl")
        chain = [*self._chain(value(properties, "w:pStyle"))]
        for style in chain:
            role, level = _read_name(value(style, "w:name").casefold())
            if role is Role.body:
                role, level = _read_outline(value(style, "w:pPr/w:outlineLvl"))
            if role is not Role.body:
                break
        if role is Role.body and outline:
            role, level = _read_outline(outline)
        numbering = (style.find("w:pPr/w:numPr", NAMES) for style in chain)
        return ParagraphStyle(
            role=role, level=level, numbering=next((found for found in numbering if found is not None), None)
        )

    def run(self, properties: etree._Element | None) -> RunStyle:
        """What the character style of a run with these ``w:rPr`` does."""
        chain = [*self._chain(value(properties, "w:rStyle"))]
        own = [style.find("w:rPr", NAMES) for style in chain]
        return RunStyle(
            bold=any(is_on(each, "w:b") for each in own),
            italic=any(is_on(each, "w:i") for each in own),
            hidden=any(is_on(each, "w:vanish") for each in own),
        )

    def language(self, script: str = "w:val") -> str:
        """The document's language as Word has it, such as ``en-GB``; ``w:eastAsia`` asks for that of Chinese,
        Japanese or Korean words."""
        return "" if self._defaults is None else self._defaults.get(full(script), "")

    def _chain(self, style: str) -> Iterator[etree._Element]:
        """The style with this id, the one it is based on, and so on."""
        seen: set[str] = set()
        while style in self._styles and style not in seen:
            seen.add(style)
            yield self._styles[style]
            style = value(self._styles[style], "w:basedOn")


def _read_name(name: str) -> tuple[Role, int]:
    for pattern, role in _NAMED:
        if found := pattern.fullmatch(name):
            return role, int(found.groupdict().get("level") or role in {Role.bullet, Role.number})
    return Role.body, 0


def _read_outline(level: str) -> tuple[Role, int]:
    return (Role.heading, int(level) + 1) if re.fullmatch("[0-8]", level) else (Role.body, 0)
