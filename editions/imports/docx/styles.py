"""The roles of paragraphs and the formats of runs, by their styles, their sizes and their lists."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from lxml import etree

from editions.imports.docx.ooxml import (
    NAMESPACES,
    DocxPackage,
    ancestors,
    get_attribute,
    is_enabled,
    new_element,
    qualified_name,
    remove_element,
)
from editions.imports.html.tree import TextFormat
from editions.imports.source_document import ITEM_BOOKMARK

_BOLD = qualified_name("w:b")
_DEFAULT_SIZE = 10.0  # As the standard has it where a document does not say.
FACT_BOOKMARK = "fact-"
"""The beginning of the name of a bookmark that says something about its paragraph, such as ``fact-size-140``.
mammoth keeps bookmarks, and nothing else about how a paragraph looks."""
_MAX_LENGTH = 300
_ABSTRACT = qualified_name("w:abstractNum")


class WordParagraphRole(StrEnum):
    """The role of a paragraph; the value is the style name given to mammoth."""

    document_title = "Title"
    subtitle = "Subtitle"
    heading = "Heading"
    caption = "Caption"
    quote = "Quote"
    bullet = "ListBullet"
    """An item of a bulleted list, by its style alone."""

    number = "ListNumber"
    """An item of a numbered list, by its style alone."""

    contents = "Contents"
    body = ""


@dataclass(frozen=True, kw_only=True)
class ParagraphStyle:
    """A paragraph's role, its ``level`` from 1 (0 for none) and its ``w:numPr``."""

    role: WordParagraphRole = WordParagraphRole.body
    level: int = 0
    numbering: etree._Element | None = None


_ROLES_BY_NAME = (
    (re.compile(r"title|book title"), WordParagraphRole.document_title),
    (re.compile(r"subtitle"), WordParagraphRole.subtitle),
    (re.compile(r"heading (?P<level>[1-9])"), WordParagraphRole.heading),
    (re.compile(r"caption"), WordParagraphRole.caption),
    (re.compile(r"(intense )?quote|quotations|block text"), WordParagraphRole.quote),
    (re.compile(r"toc .*|table of figures|contents .*|index .*|.* index"), WordParagraphRole.contents),
    (re.compile(r"list bullet( (?P<level>[1-5]))?"), WordParagraphRole.bullet),
    (re.compile(r"list number( (?P<level>[1-5]))?"), WordParagraphRole.number),
)


class WordStyles:
    """The styles of one document, by id. ``default_size`` is that of its type, in points."""

    def __init__(self, root: etree._Element | None) -> None:
        found = [] if root is None else root.findall("w:style", NAMESPACES)
        self._styles = {get_attribute(style, name="w:styleId"): style for style in found}
        self._looks: dict[str, TextFormat] = {}
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
        role, level = WordParagraphRole.body, 0
        outline = get_attribute(properties, "w:outlineLvl")
        chain = [*self._inheritance(get_attribute(properties, "w:pStyle"))]
        for style in chain:
            role, level = _role_from_name(get_attribute(style, "w:name").casefold())
            if role is WordParagraphRole.body:
                role, level = _role_from_outline(get_attribute(style, "w:pPr/w:outlineLvl"))
            if role is not WordParagraphRole.body:
                break
        if role is WordParagraphRole.body and outline:
            role, level = _role_from_outline(outline)
        numbering = (style.find("w:pPr/w:numPr", NAMESPACES) for style in chain)
        return ParagraphStyle(
            role=role, level=level, numbering=next((found for found in numbering if found is not None), None)
        )

    def run_style(self, properties: etree._Element | None) -> TextFormat:
        chain = [*self._inheritance(get_attribute(properties, "w:rStyle"))]
        own = [style.find("w:rPr", NAMESPACES) for style in chain]
        return TextFormat(
            bold=any(is_enabled(each, "w:b") for each in own),
            italic=any(is_enabled(each, "w:i") for each in own),
            hidden=any(is_enabled(each, "w:vanish") for each in own),
            size=next((size for each in own if (size := read_size(each))), 0.0),
        )

    def paragraph_look(self, properties: etree._Element | None) -> TextFormat:
        """Return how the style of a paragraph with these ``w:pPr`` sets its text."""
        identifier = get_attribute(properties, "w:pStyle") or self._default_paragraph
        if identifier not in self._looks:
            own = [style.find("w:rPr", NAMESPACES) for style in self._inheritance(identifier)]
            bold = next((each for each in own if each is not None and each.find(_BOLD) is not None), None)
            size = next((size for each in own if (size := read_size(each))), 0.0)
            self._looks[identifier] = TextFormat(bold=is_enabled(bold, "w:b"), size=size)
        return self._looks[identifier]

    def alignment(self, properties: etree._Element | None) -> str:
        """Return the alignment of a paragraph with these ``w:pPr``, such as ``right``."""
        if own := get_attribute(properties, "w:jc"):
            return own
        chain = self._inheritance(get_attribute(properties, "w:pStyle") or self._default_paragraph)
        return next((found for style in chain if (found := get_attribute(style, "w:pPr/w:jc"))), "")

    def default_language(self, script: str = "w:val") -> str:
        """Word's default language, such as ``en-GB``; with ``w:eastAsia`` that of East Asian text."""
        return "" if self._defaults is None else self._defaults.get(qualified_name(script), "")

    def _inheritance(self, style: str) -> Iterator[etree._Element]:
        seen: set[str] = set()
        while style in self._styles and style not in seen:
            seen.add(style)
            yield self._styles[style]
            style = get_attribute(self._styles[style], "w:basedOn")


def read_size(properties: etree._Element | None) -> float:
    """Return the size of type in ``w:rPr``, in points; 0 when there is none."""
    written = get_attribute(properties, "w:sz")
    # Word counts in half points.
    return int(written) / 2 if written.isdecimal() and 0 < int(written) < 4000 else 0.0


def _role_from_name(name: str) -> tuple[WordParagraphRole, int]:
    for pattern, role in _ROLES_BY_NAME:
        if found := pattern.fullmatch(name):
            return role, int(
                found.groupdict().get("level") or role in {WordParagraphRole.bullet, WordParagraphRole.number}
            )
    return WordParagraphRole.body, 0


def _role_from_outline(level: str) -> tuple[WordParagraphRole, int]:
    if re.fullmatch("[0-8]", level):
        return WordParagraphRole.heading, int(level) + 1
    return WordParagraphRole.body, 0


class Typography:
    def __init__(self, root: etree._Element, styles: WordStyles) -> None:
        self._styles = styles
        sizes: Counter[float] = Counter()
        for paragraph in root.iter(qualified_name("w:p")):
            for size, _, length in self._runs(paragraph):
                sizes[size] += length
        self._body_size = sizes.most_common(1)[0][0] if sizes else styles.default_size

    def facts(self, paragraph: etree._Element, role: WordParagraphRole) -> list[str]:
        """Return what marks a paragraph that may be a title: its size, and whether it is all bold."""
        if role not in {WordParagraphRole.body, WordParagraphRole.document_title}:
            return []
        runs = [*self._runs(paragraph)]
        if not runs or sum(length for _, _, length in runs) > _MAX_LENGTH:
            return []
        size = round(100 * min(size for size, _, _ in runs) / self._body_size)
        return [*([f"size-{size}"] if size != 100 else []), *(["bold"] if all(b for _, b, _ in runs) else [])]

    def _runs(self, paragraph: etree._Element) -> Iterator[tuple[float, bool, int]]:
        """Yield the size, boldness and length of each run with visible text."""
        properties = paragraph.find(qualified_name("w:pPr"))
        look = self._styles.paragraph_look(properties)
        for run in paragraph.iter(qualified_name("w:r")):
            length = sum(len((text.text or "").strip()) for text in run.findall(qualified_name("w:t")))
            if not length or next(ancestors(run, "w:p"), None) is not paragraph:
                continue
            own = run.find(qualified_name("w:rPr"))
            style = self._styles.run_style(own)
            size = read_size(own) or style.size or look.size or self._styles.default_size
            has_own = own is not None and own.find(qualified_name("w:b")) is not None
            yield size, is_enabled(own, "w:b") if has_own else style.bold or look.bold, length


def add_facts(paragraph: etree._Element, facts: list[str]) -> None:
    for fact in facts:
        paragraph.insert(1, new_element("w:bookmarkStart", w_name=f"{FACT_BOOKMARK}{fact}"))


def extract_list_parts(package: DocxPackage) -> dict[str, bytes]:
    """Return the parts that define lists: the numbering, and of the styles only those for numbering."""
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
    """Return the number at which each list begins at each level, by the list's id, unless that is 1."""
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
