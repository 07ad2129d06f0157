"""The roles of paragraphs and the formats of runs, by their style or the style it is based on.

Word's built-in styles have English names in the file in every language: "Überschrift 1" is ``heading 1``. A
custom style counts as the style it is based on.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from lxml import etree

from editions.imports.docx.ooxml import NAMESPACES, get_attribute, is_enabled, qualified_name


class ParagraphRole(StrEnum):
    """The role of a paragraph; the value is the style name given to mammoth."""

    document_title = "Title"
    """The document's title."""

    subtitle = "Subtitle"
    """The line below the title."""

    heading = "Heading"
    """A heading, of some level."""

    caption = "Caption"
    """The text below a picture."""

    quote = "Quote"
    """A quotation set apart."""

    bullet = "ListBullet"
    """An item of a bulleted list, by its style alone."""

    number = "ListNumber"
    """An item of a numbered list, by its style alone."""

    contents = "Contents"
    """A line of the table of contents; the email has its own."""

    body = ""
    """An ordinary paragraph."""


@dataclass(frozen=True, kw_only=True)
class ParagraphStyle:
    """A paragraph's role. ``level`` counts from 1, or is 0 where there is none; ``numbering`` is its
    ``w:numPr``, if any."""

    role: ParagraphRole = ParagraphRole.body
    level: int = 0
    numbering: etree._Element | None = None


@dataclass(frozen=True, kw_only=True)
class RunStyle:
    """The format of a character style, or of the text of a paragraph style. ``size`` is in half points, or 0
    where the style does not say."""

    bold: bool = False
    italic: bool = False
    hidden: bool = False
    size: int = 0


_ROLES_BY_NAME = (
    (re.compile(r"title|book title"), ParagraphRole.document_title),
    (re.compile(r"subtitle"), ParagraphRole.subtitle),
    (re.compile(r"heading (?P<level>[1-9])"), ParagraphRole.heading),
    (re.compile(r"caption"), ParagraphRole.caption),
    (re.compile(r"(intense )?quote|quotations|block text"), ParagraphRole.quote),
    (re.compile(r"toc .*|table of figures|contents .*|index .*|.* index"), ParagraphRole.contents),
    (re.compile(r"list bullet( (?P<level>[1-5]))?"), ParagraphRole.bullet),
    (re.compile(r"list number( (?P<level>[1-5]))?"), ParagraphRole.number),
)


_BOLD = qualified_name("w:b")
_DEFAULT_SIZE = 20  # Ten points, as the standard has it where a document does not say.


class Styles:
    """The styles of one document, by id. ``default_size`` is that of its type, in half points."""

    def __init__(self, root: etree._Element | None) -> None:
        found = [] if root is None else root.findall("w:style", NAMESPACES)
        self._styles = {get_attribute(style, name="w:styleId"): style for style in found}
        self._looks: dict[str, RunStyle] = {}
        self._default_paragraph = next(
            (
                get_attribute(style, name="w:styleId")
                for style in found
                if get_attribute(style, name="w:type") == "paragraph"
                and get_attribute(style, name="w:default") in {"1", "true", "on"}
            ),
            "",
        )
        self.default_size = (
            0 if root is None else read_size(root.find("w:docDefaults/w:rPrDefault/w:rPr", NAMESPACES))
        ) or _DEFAULT_SIZE
        self._defaults = (
            None if root is None else root.find("w:docDefaults/w:rPrDefault/w:rPr/w:lang", NAMESPACES)
        )

    def paragraph_style(self, properties: etree._Element | None) -> ParagraphStyle:
        """The style of a paragraph with these ``w:pPr``."""
        role, level = ParagraphRole.body, 0
        outline = get_attribute(properties, "w:outlineLvl")
        chain = [*self._inheritance(get_attribute(properties, "w:pStyle"))]
        for style in chain:
            role, level = _role_from_name(get_attribute(style, "w:name").casefold())
            if role is ParagraphRole.body:
                role, level = _role_from_outline(get_attribute(style, "w:pPr/w:outlineLvl"))
            if role is not ParagraphRole.body:
                break
        if role is ParagraphRole.body and outline:
            role, level = _role_from_outline(outline)
        numbering = (style.find("w:pPr/w:numPr", NAMESPACES) for style in chain)
        return ParagraphStyle(
            role=role, level=level, numbering=next((found for found in numbering if found is not None), None)
        )

    def run_style(self, properties: etree._Element | None) -> RunStyle:
        """The character style of a run with these ``w:rPr``."""
        chain = [*self._inheritance(get_attribute(properties, "w:rStyle"))]
        own = [style.find("w:rPr", NAMESPACES) for style in chain]
        return RunStyle(
            bold=any(is_enabled(each, "w:b") for each in own),
            italic=any(is_enabled(each, "w:i") for each in own),
            hidden=any(is_enabled(each, "w:vanish") for each in own),
            size=next((size for each in own if (size := read_size(each))), 0),
        )

    def paragraph_look(self, properties: etree._Element | None) -> RunStyle:
        """How the style of a paragraph with these ``w:pPr`` sets its text."""
        identifier = get_attribute(properties, "w:pStyle") or self._default_paragraph
        if identifier not in self._looks:
            own = [style.find("w:rPr", NAMESPACES) for style in self._inheritance(identifier)]
            bold = next((each for each in own if each is not None and each.find(_BOLD) is not None), None)
            size = next((size for each in own if (size := read_size(each))), 0)
            self._looks[identifier] = RunStyle(bold=is_enabled(bold, "w:b"), size=size)
        return self._looks[identifier]

    def alignment(self, properties: etree._Element | None) -> str:
        """The alignment of a paragraph with these ``w:pPr``, such as ``right``."""
        if own := get_attribute(properties, "w:jc"):
            return own
        chain = self._inheritance(get_attribute(properties, "w:pStyle") or self._default_paragraph)
        return next((found for style in chain if (found := get_attribute(style, "w:pPr/w:jc"))), "")

    def default_language(self, script: str = "w:val") -> str:
        """Word's default language, such as ``en-GB``; with ``w:eastAsia`` that of Chinese, Japanese or Korean
        text."""
        return "" if self._defaults is None else self._defaults.get(qualified_name(script), "")

    def _inheritance(self, style: str) -> Iterator[etree._Element]:
        """The style with this id, the one it is based on, and so on."""
        seen: set[str] = set()
        while style in self._styles and style not in seen:
            seen.add(style)
            yield self._styles[style]
            style = get_attribute(self._styles[style], "w:basedOn")


def read_size(properties: etree._Element | None) -> int:
    """The size of type in ``w:rPr``, in half points; 0 when there is none."""
    written = get_attribute(properties, "w:sz")
    return int(written) if written.isdecimal() and 0 < int(written) < 4000 else 0


def _role_from_name(name: str) -> tuple[ParagraphRole, int]:
    for pattern, role in _ROLES_BY_NAME:
        if found := pattern.fullmatch(name):
            return role, int(
                found.groupdict().get("level") or role in {ParagraphRole.bullet, ParagraphRole.number}
            )
    return ParagraphRole.body, 0


def _role_from_outline(level: str) -> tuple[ParagraphRole, int]:
    return (
        (ParagraphRole.heading, int(level) + 1) if re.fullmatch("[0-8]", level) else (ParagraphRole.body, 0)
    )
