"""Writing clean HTML as Markdown."""

import html
import re
from collections.abc import Sequence
from copy import deepcopy
from typing import Any

from lxml import etree
from markdownify import ATX, BACKSLASH, MarkdownConverter

from editions.imports.html.inline_spans import InlineSpan, read_own_spans, write_spans
from editions.imports.html.tree import text_content
from editions.markdown.renderer import render_markdown

_TAG = re.compile(r"<[^>]*>")
_ENTITY = re.compile(r"&(?=#?\w+;)")
_SPACE = re.compile(r"\s+")
_ANY_PUNCTUATION = re.compile(r"[!-/:-@\[-`{-~]")
# A backslash means something before punctuation, a star next to a word, a bracket before an address, and some
# at either end of a text because of what may come next to it.
_ESCAPED = re.compile(
    r"\\(?=[!-/:-@\[-`{-~]|$)|`"
    r"|(?<!\s)\*|\*(?!\s)"
    r"|\](?=[(\[:])"
    r"|(?<![^\W_])_|_(?![^\W_])"
    r"|~(?=~)|(?<=~)~|^~|~$"
    r"|<(?=[A-Za-z/!?])|<$"
    r"|&(?=#?\w*(?:;|$))"
)
_ESCAPED_IN_LINKS = re.compile(rf"[\[\]]|{_ESCAPED.pattern}")
_CAREFULLY_ESCAPED = re.compile(rf"[\\*\[\]]|!$|{_ESCAPED.pattern}")
_ESCAPED_AT_START = re.compile(r"#{1,6}(?=\s|$)|[>|]|[-+](?=\s|$)|[-:](?=[-|:\s]*$)|=(?==*\s*$)")
_NUMBER_AT_START = re.compile(r"^(\d{1,9})([.)])(?=\s|$)")
_DELIMITERS = {"": "---", "right": "---:", "center": ":---:"}
# What the renderer finds where something was read as other than text.
_MISREADINGS = frozenset({"raw-html", "picture-in-body", "empty-link", "nested-too-deep"})
_BLOCKS = frozenset({"p", "li", "td", "th", "h2", "h3"})


def write_markdown(blocks: Sequence[etree._Element], *, language: str) -> str:
    """Return ``blocks``, as :func:`~editions.imports.html.cleaner.clean_chapter` leaves them, as Markdown."""
    return "\n\n".join(_write_verified(block, language) for block in blocks)


def escape_text(text: str, *, at_start: bool, in_cell: bool, in_link: bool = False, ends: str = "") -> str:
    """Return ``text`` so that Markdown reads it literally. ``at_start`` is the beginning of a line; ``ends``
    is the name of the element after it.

    >>> escape_text("1. *Not* a list", at_start=True, in_cell=False)
    '1\\\\. \\\\*Not\\\\* a list'
    """
    loose = in_link and text.count("[") != text.count("]")
    escaped = (_ESCAPED_IN_LINKS if loose else _ESCAPED).sub(r"\\\g<0>", text)
    if ends == "a" and escaped.endswith("!"):
        escaped = f"{escaped[:-1]}\\!"
    return _escape_place(escaped, at_start=at_start, in_cell=in_cell)


def _escape_little(text: str, *, at_start: bool, in_cell: bool, **_: Any) -> str:
    return _escape_place(text, at_start=at_start, in_cell=in_cell)


def _escape_carefully(text: str, *, at_start: bool, in_cell: bool, **_: Any) -> str:
    return _escape_place(_CAREFULLY_ESCAPED.sub(r"\\\g<0>", text), at_start=at_start, in_cell=in_cell)


def _escape_place(escaped: str, *, at_start: bool, in_cell: bool) -> str:
    """Escape what means something only at the beginning of a line, or in a table."""
    if in_cell:
        return escaped.replace("|", "\\|")
    if at_start and _ESCAPED_AT_START.match(escaped):
        return f"\\{escaped}"
    return _NUMBER_AT_START.sub(r"\1\\\2", escaped) if at_start else escaped


def _escape_all_punctuation(text: str, **_: Any) -> str:
    return _ANY_PUNCTUATION.sub(r"\\\g<0>", text)


def _write_verified(block: etree._Element, language: str) -> str:
    for escape in (_escape_little, escape_text, _escape_carefully):
        written = _write(block, escape)
        if _reads_the_same(block, written, language, with_formats=escape is not _escape_carefully):
            return written
    for with_links in (True, False):
        written = _write(_without_formats(block, with_links=with_links), _escape_all_punctuation)
        if _reads_the_same(block, written, language, with_formats=False):
            break
    return written


def _without_formats(block: etree._Element, *, with_links: bool) -> etree._Element:
    plain = deepcopy(block)
    for element in plain.iter(*_BLOCKS):
        if element.find("p") is None:
            spans = [
                InlineSpan(text=span.text, href=span.href if with_links else "")
                for span in read_own_spans(element)
            ]
            write_spans(spans, element)
    return plain


def _reads_the_same(block: etree._Element, written: str, language: str, *, with_formats: bool) -> bool:
    """Return whether ``written`` has the words of ``block``; ``with_formats`` is also as many formats."""
    rendered = render_markdown(written, language=language)
    if any(problem.code in _MISREADINGS for problem in rendered.problems):
        return False
    text = html.unescape(_TAG.sub("", rendered.html))
    if _without_spaces(text) != _without_spaces(text_content(block)):
        return False
    tags = ("a", "strong", "em", "s") if with_formats else ()
    return all(
        len(re.findall(rf"<{tag}[ >]", rendered.html)) == sum(1 for _ in block.iter(tag)) for tag in tags
    )


def _without_spaces(text: str) -> str:
    return _SPACE.sub("", text)


def _write(block: etree._Element, escape: Any) -> str:
    converter = _MarkdownConverter(
        heading_style=ATX, newline_style=BACKSLASH, bullets="-", autolinks=False, escape_misc=False
    )
    converter.escape_words = escape
    return converter.convert(etree.tostring(block, encoding="unicode", with_tail=False)).strip("\n")


class _MarkdownConverter(MarkdownConverter):
    """markdownify with our own escaping."""

    escape_words: Any = staticmethod(escape_text)

    def process_text(self, el: Any, parent_tags: Any = None) -> str:
        around = set(parent_tags or ())
        return str(
            self.escape_words(
                str(el),
                at_start=_is_at_line_start(el),
                in_cell=bool({"td", "th"} & around),
                in_link="a" in around,
                ends=getattr(el.next_sibling, "name", None) or "",
            )
        )

    def convert_tr(self, el: Any, text: str, parent_tags: Any) -> str:
        written = str(super().convert_tr(el, text, parent_tags))  # type: ignore[misc] # its stubs lack it
        columns = [cell.get("align") or "" for cell in el.find_all("th")]
        if not any(columns):
            return written
        row, _, end = written.rpartition("| --- " * len(columns))
        return f"{row}{''.join(f'| {_DELIMITERS[column]} ' for column in columns)}{end}"

    def convert_a(self, el: Any, text: str, parent_tags: Any) -> str:  # noqa: ARG002 - markdownify's own
        address = el.get("href").replace("@@", "@%40")
        address = _ENTITY.sub("&amp;", address)
        plain = re.fullmatch(r"[^\s()<>]*", address)
        return f"[{text}]({address})" if plain else f"[{text}](<{address}>)"

    def convert_br(self, el: Any, text: str, parent_tags: Any) -> str:  # noqa: ARG002 - markdownify's own
        return " " if "_inline" in parent_tags else "\\\n"


def _is_at_line_start(node: Any) -> bool:
    while node.previous_sibling is None and node.parent is not None and node.parent.name not in _BLOCKS:
        node = node.parent
    return node.previous_sibling is None or node.previous_sibling.name == "br"
