"""Inline content as a flat list of spans with one format each, which Markdown cannot misread.

In Word anything can be bold: half a word, a space, the full stop after it. In Markdown emphasis can only
begin and end in certain places. So spaces are moved out of formatted spans, punctuation is moved out where it
would prevent emphasis from beginning or ending, and formatted spans that touch become one.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from itertools import groupby

from lxml import etree

from editions.imports.html.tree import TextFormat, append_text
from editions.markdown.writing_systems import is_cjk
from editions.unsafe_characters import remove_unsafe_characters

LINE_BREAK = "\v"
"""Stands for a line break; Word never writes this character."""

_SPACES = re.compile(r"[ \t\r\n\f]+")
_BLOCKS = frozenset({"ul", "ol", "li", "p"})
_WORD_JOINER = "\u2060"
# Unicode has raised and lowered forms of digits and signs, but not of most letters.
_SUPERSCRIPTS = dict(zip("0123456789+-=()n", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾ⁿ", strict=True))
_SUBSCRIPTS = dict(zip("0123456789+-=()", "₀₁₂₃₄₅₆₇₈₉₊₋₌₍₎", strict=True))
_SHIFTED_FORMS = {"sup": _SUPERSCRIPTS, "sub": _SUBSCRIPTS}


@dataclass(frozen=True, kw_only=True)
class InlineSpan:
    """Text in one format, linked to ``href`` if it is not empty, or :data:`LINE_BREAK`."""

    text: str
    strong: bool = False
    em: bool = False
    strikethrough: bool = False
    href: str = ""

    @property
    def is_plain(self) -> bool:
        return not (self.strong or self.em or self.strikethrough)

    def without_format(self, text: str) -> "InlineSpan":
        """Return ``text`` in place of this span, without its format."""
        return InlineSpan(text=text, href=self.href)


def split_double_at(text: str) -> str:
    """Return ``text`` with an invisible joiner between two ``@``, which would mark a place to fill in."""
    return re.sub("@(?=@)", f"@{_WORD_JOINER}", text)


def read_spans(element: etree._Element, format: InlineSpan | None = None) -> Iterator[InlineSpan]:
    """Yield the inline content of ``element``, unchanged."""
    format = format or InlineSpan(text="")
    if element.text:
        yield replace(format, text=element.text)
    for child in element:
        yield from _read_child(child, format)
        if child.tail:
            yield replace(format, text=child.tail)


def read_own_spans(block: etree._Element) -> Iterator[InlineSpan]:
    """Return the inline content of ``block`` without that of the lists within it."""
    inline = etree.Element("span")
    inline.text = block.text
    for child in block:
        if child.tag not in _BLOCKS:
            inline.append(deepcopy(child))
    return read_spans(inline)


def _read_child(child: etree._Element, format: InlineSpan) -> Iterator[InlineSpan]:
    if child.tag == "br":
        yield InlineSpan(text=LINE_BREAK)
    elif child.tag == "input":
        yield replace(format, text="☒" if child.get("checked") else "☐")
    elif child.tag in _SHIFTED_FORMS:
        forms = _SHIFTED_FORMS[str(child.tag)]
        for span in read_spans(child, format):
            is_shifted = span.text and all(character in forms for character in span.text)
            yield (
                replace(span, text="".join(forms[character] for character in span.text))
                if is_shifted
                else span
            )
    elif child.tag == "a":
        yield from read_spans(child, replace(format, href=child.get("href", "")))
    else:
        yield from read_spans(
            child,
            replace(
                format,
                strong=format.strong or child.tag in {"strong", "b"},
                em=format.em or child.tag in {"em", "i"},
                strikethrough=format.strikethrough or child.tag in {"s", "del"},
            ),
        )


def normalise_spans(spans: Iterable[InlineSpan]) -> list[InlineSpan]:
    """Return ``spans`` in a form that Markdown can express, with the same text."""
    merged = _merge_adjacent(_clean_text(spans))
    touching = _merge_adjacent(_align_touching_formats(_merge_adjacent(_move_spaces_out(merged))))
    return _merge_adjacent(_move_punctuation_out(touching))


def has_visible_text(text: str) -> bool:
    """Return whether ``text`` has a visible character: not only spaces, joiners and soft hyphens."""
    return any(unicodedata.category(character)[0] not in "ZC" for character in text)


def one_line_text(element: etree._Element) -> str:
    return "".join(
        " " if span.text == LINE_BREAK else span.text for span in normalise_spans(read_spans(element))
    )


def write_spans(spans: Sequence[InlineSpan], element: etree._Element) -> None:
    """Make ``spans`` the inline content of ``element``, before the blocks in it."""
    blocks = [child for child in element if child.tag in _BLOCKS]
    element[:] = []
    element.text = None
    for href, linked in groupby(spans, key=lambda span: span.href):
        # Several formats within one link are one link still.
        around = etree.SubElement(element, "a", {"href": href}) if href else element
        for span in linked:
            node: etree._Element | str = etree.Element("br") if span.text == LINE_BREAK else _to_element(span)
            if isinstance(node, str):
                append_text(around, node, TextFormat())
            else:
                around.append(node)
    element.extend(blocks)


def _to_element(span: InlineSpan) -> etree._Element | str:
    node: etree._Element | str = span.text
    for tag, applies in (("em", span.em), ("strong", span.strong), ("s", span.strikethrough)):
        if applies:
            wrapper = etree.Element(tag)
            if isinstance(node, str):
                wrapper.text = node
            else:
                wrapper.append(node)
            node = wrapper
    return node


def _clean_text(spans: Iterable[InlineSpan]) -> list[InlineSpan]:
    """Remove unsafe characters and extra spaces, and separate two ``@`` next to each other."""
    cleaned: list[InlineSpan] = []
    for span in spans:
        if span.text == LINE_BREAK:
            _strip_trailing(cleaned, is_space=_is_space)
            cleaned += [span] if cleaned and cleaned[-1].text != LINE_BREAK else []
            continue
        before = cleaned[-1].text if cleaned else LINE_BREAK
        text = _SPACES.sub(" ", remove_unsafe_characters(span.text))
        if before[-1] == LINE_BREAK:
            text = text.lstrip()
        elif before[-1] == " ":
            text = text.lstrip(" ")
        # With the character before it: the two may have different formats.
        text = split_double_at(before[-1] + text)[1:]
        if text:
            cleaned.append(replace(span, text=text))
    _strip_trailing(cleaned, is_space=lambda sign: _is_space(sign) or sign == LINE_BREAK)
    return cleaned


def _is_space(character: str) -> bool:
    """Return whether this is a space of any width; at the end of a line none of them shows."""
    return character != LINE_BREAK and character.isspace()


def _strip_trailing(spans: list[InlineSpan], *, is_space: Callable[[str], bool]) -> None:
    while spans:
        text = spans[-1].text
        end = len(text)
        while end and is_space(text[end - 1]):
            end -= 1
        if end:
            spans[-1] = replace(spans[-1], text=text[:end])
            return
        spans.pop()


def _merge_adjacent(spans: Iterable[InlineSpan]) -> list[InlineSpan]:
    merged: list[InlineSpan] = []
    for span in spans:
        if not span.text:
            continue
        before = merged[-1] if merged else None
        if before and replace(before, text=span.text) == span and LINE_BREAK not in {before.text, span.text}:
            merged[-1] = replace(span, text=before.text + span.text)
        else:
            merged.append(span)
    return merged


def _move_spaces_out(spans: Sequence[InlineSpan]) -> Iterator[InlineSpan]:
    """Move spaces out of both ends of formatted spans; within a link of several formats they stay in it."""
    for number, span in enumerate(spans):
        if span.text == LINE_BREAK or (span.is_plain and not span.href):
            yield span
            continue
        inner = span.text.strip()
        start = span.text.index(inner) if inner else len(span.text)
        before, after = (_neighbour_text(spans, number + offset, span) != "" for offset in (-1, 1))
        yield InlineSpan(text=span.text[:start], href=span.href if before else "")
        yield replace(span, text=inner)
        yield InlineSpan(text=span.text[start + len(inner) :], href=span.href if after else "")


def _align_touching_formats(spans: Sequence[InlineSpan]) -> Iterator[InlineSpan]:
    """Give a formatted span that touches another the first one's format; Markdown could not separate them."""
    before: InlineSpan | None = None
    for span in spans:
        touches = (
            before is not None and not before.is_plain and not span.is_plain and before.href == span.href
        )
        if touches and before is not None and span.text != LINE_BREAK:
            span = replace(span, strong=before.strong, em=before.em, strikethrough=before.strikethrough)
        yield span
        before = span


def _move_punctuation_out(spans: Sequence[InlineSpan]) -> Iterator[InlineSpan]:
    """Move punctuation out of formatted spans where a letter is outside: ``**Note:**it`` would not close,
    ``**Note**:it`` does. Next to Chinese, Japanese and Korean both do: see
    :mod:`editions.markdown.writing_systems`."""
    for number, span in enumerate(spans):
        if span.is_plain or span.text == LINE_BREAK:
            yield span
            continue
        before = _neighbour_text(spans, number - 1, span)
        after = _neighbour_text(spans, number + 1, span)
        text = span.text
        start = 1 if _is_punctuation(text[0]) and _is_letter(before[-1:]) else 0
        end = len(text) - (1 if _is_punctuation(text[-1]) and _is_letter(after[:1]) else 0)
        end = max(start, end)
        yield span.without_format(text[:start])
        yield replace(span, text=text[start:end])
        yield span.without_format(text[end:])


def _neighbour_text(spans: Sequence[InlineSpan], number: int, span: InlineSpan) -> str:
    """Return the text of the neighbouring span, if both are in the same link or in none."""
    if 0 <= number < len(spans) and spans[number].href == span.href:
        return spans[number].text
    return ""


def _is_letter(character: str) -> bool:
    """Return whether this prevents punctuation next to it from opening or closing emphasis."""
    return (
        bool(character)
        and not character.isspace()
        and not _is_punctuation(character)
        and not is_cjk(character)
    )


def _is_punctuation(character: str) -> bool:
    return unicodedata.category(character)[0] in "PS" and not is_cjk(character)
