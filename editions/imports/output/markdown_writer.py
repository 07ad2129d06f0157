"""HTML blocks as Markdown that reads the same.

Every character that Markdown would interpret where it is, and no other, is escaped, so that the files stay
pleasant to edit. The result is rendered and compared: a block whose text would change is written again
without its formatting and with all punctuation escaped.
"""

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
_SPACE = re.compile(r"\s+")
_ANY_PUNCTUATION = re.compile(r"[!-/:-@\[-`{-~]")
# Escaped anywhere; at either end of a text because of what may come next to it.
_ALWAYS_ESCAPED = re.compile(
    r"[\\`*\[\]]"
    r"|(?<![^\W_])_|_(?![^\W_])"
    r"|~(?=~)|(?<=~)~|^~|~$"
    r"|<(?=[A-Za-z/!?])|<$"
    r"|&(?=#?\w*(?:;|$))"
    r"|!$"
)
_ESCAPED_AT_START = re.compile(r"#{1,6}(?=\s|$)|[>|]|[-+](?=\s|$)|[-:](?=[-|:\s]*$)|=(?==*\s*$)")
_NUMBER_AT_START = re.compile(r"^(\d{1,9})([.)])(?=\s|$)")
_BLOCKS = frozenset({"p", "li", "td", "th", "h2", "h3"})


def write_markdown(blocks: Sequence[etree._Element], *, language: str) -> str:
    """``blocks``, as :func:`~editions.imports.html.cleaner.clean_chapter` leaves them, as Markdown."""
    return "\n\n".join(_write_verified(block, language) for block in blocks)


def escape_text(text: str, *, at_start: bool, in_cell: bool) -> str:
    """``text`` so that Markdown reads it literally. ``at_start`` is the beginning of a line.

    >>> escape_text("1. *Not* a list", at_start=True, in_cell=False)
    '1\\\\. \\\\*Not\\\\* a list'
    """
    escaped = _ALWAYS_ESCAPED.sub(r"\\\g<0>", text)
    if in_cell:
        return escaped.replace("|", "\\|")
    if at_start and _ESCAPED_AT_START.match(escaped):
        return f"\\{escaped}"
    return _NUMBER_AT_START.sub(r"\1\\\2", escaped) if at_start else escaped


def _write_verified(block: etree._Element, language: str) -> str:
    expected = _without_spaces(text_content(block))
    written = _write(block, escape_text)
    if _without_spaces(_rendered_text(written, language)) == expected:
        return written
    plain = deepcopy(block)
    for element in plain.iter(*_BLOCKS):
        if element.find("p") is None:
            write_spans([InlineSpan(text=span.text) for span in read_own_spans(element)], element)
    return _write(plain, _escape_all_punctuation)


def _rendered_text(written: str, language: str) -> str:
    return html.unescape(_TAG.sub("", render_markdown(written, language=language).html))


def _without_spaces(text: str) -> str:
    return _SPACE.sub("", text)


def _escape_all_punctuation(text: str, *, at_start: bool, in_cell: bool) -> str:  # noqa: ARG001 - as escape_text
    return _ANY_PUNCTUATION.sub(r"\\\g<0>", text)


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
        return str(
            self.escape_words(
                str(el), at_start=_is_at_line_start(el), in_cell=bool({"td", "th"} & set(parent_tags or ()))
            )
        )

    def convert_a(self, el: Any, text: str, parent_tags: Any) -> str:  # noqa: ARG002 - markdownify's own
        address = el.get("href").replace("@@", "@%40")
        plain = re.fullmatch(r"[^\s()<>&]*", address)
        return f"[{text}]({address})" if plain else f"[{text}](<{address.replace('&', '&amp;')}>)"

    def convert_br(self, el: Any, text: str, parent_tags: Any) -> str:  # noqa: ARG002 - markdownify's own
        return " " if "_inline" in parent_tags else "\\\n"


def _is_at_line_start(node: Any) -> bool:
    """Whether ``node`` is the first on its line."""
    while node.previous_sibling is None and node.parent is not None and node.parent.name not in _BLOCKS:
        node = node.parent
    return node.previous_sibling is None or node.previous_sibling.name == "br"
