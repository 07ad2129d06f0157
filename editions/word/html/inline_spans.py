"""Inline content laid flat: words with their looks, and no nesting left that Markdown could misread.

Word lets anything be bold: half a word, a space, the full stop after it. Markdown opens and closes emphasis
only at certain places. So words are first cut into spans of one look each; then spaces leave the looks, marks
leave them where they would keep them from opening or closing, and looks that touch each other become one.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace

from lxml import etree

from editions.markdown.cjk import is_cjk
from editions.source.text_file import remove_unsafe

BREAK = "\v"
"""Stands for a line break; Word writes no such character."""

_SPACES = re.compile(r"[ \t\r\n\f]+")
_BLOCKS = frozenset({"ul", "ol", "li", "p"})
_JOINER = "\u2060"
# Digits and signs have raised and lowered forms of their own; most letters do not.
_RAISED = dict(zip("0123456789+-=()n", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾ⁿ", strict=True))
_LOWERED = dict(zip("0123456789+-=()", "₀₁₂₃₄₅₆₇₈₉₊₋₌₍₎", strict=True))
_SHIFTED = {"sup": _RAISED, "sub": _LOWERED}


@dataclass(frozen=True, kw_only=True)
class Span:
    """Words of one look. ``href`` is where they lead; a line break is a span of its own, :data:`BREAK`."""

    text: str
    strong: bool = False
    em: bool = False
    struck: bool = False
    href: str = ""

    @property
    def is_plain(self) -> bool:
        return not (self.strong or self.em or self.struck)

    def looks_like(self, other: "Span") -> bool:
        """Whether both can be one span."""
        return replace(self, text="") == replace(other, text="") and BREAK not in {self.text, other.text}

    def plainly(self, text: str) -> "Span":
        """``text`` in the place of this span, without its looks."""
        return Span(text=text, href=self.href)


def join_signs(text: str) -> str:
    """``text`` with an invisible joiner between two ``@``, which mark a place that is filled per reader."""
    return re.sub("@(?=@)", f"@{_JOINER}", text)


def read_spans(element: etree._Element, look: Span | None = None) -> Iterator[Span]:
    """The inline content of ``element``, as it stands."""
    look = look or Span(text="")
    if element.text:
        yield replace(look, text=element.text)
    for child in element:
        yield from _read_child(child, look)
        if child.tail:
            yield replace(look, text=child.tail)


def read_own_spans(block: etree._Element) -> Iterator[Span]:
    """The inline content of ``block`` without that of the lists within it."""
    inline = etree.Element("span")
    inline.text = block.text
    for child in block:
        if child.tag not in _BLOCKS:
            inline.append(deepcopy(child))
    return read_spans(inline)


def _read_child(child: etree._Element, look: Span) -> Iterator[Span]:
    if child.tag == "br":
        yield Span(text=BREAK)
    elif child.tag == "input":
        yield replace(look, text="☒" if child.get("checked") else "☐")
    elif child.tag in _SHIFTED:
        forms = _SHIFTED[str(child.tag)]
        for span in read_spans(child, look):
            shifted = span.text and all(sign in forms for sign in span.text)
            yield replace(span, text="".join(forms[sign] for sign in span.text)) if shifted else span
    elif child.tag == "a":
        yield from read_spans(child, replace(look, href=child.get("href", "")))
    else:
        yield from read_spans(
            child,
            replace(
                look,
                strong=look.strong or child.tag in {"strong", "b"},
                em=look.em or child.tag in {"em", "i"},
                struck=look.struck or child.tag in {"s", "del"},
            ),
        )


def settle_spans(spans: Iterable[Span]) -> list[Span]:
    """``spans`` so that Markdown can carry them; their words stay what they are."""
    merged = _merge(_clean(spans))
    touching = _merge(_part_touching(_merge(_free_spaces(merged))))
    return _merge(_free_marks(touching))


def is_visible(text: str) -> bool:
    """Whether anything of ``text`` is seen: spaces, joiners and soft hyphens alone are not."""
    return any(unicodedata.category(sign)[0] not in "ZC" for sign in text)


def line_of(element: etree._Element) -> str:
    """The words of ``element`` on one line, without their looks."""
    return "".join(" " if span.text == BREAK else span.text for span in settle_spans(read_spans(element)))


def write_spans(spans: Sequence[Span], element: etree._Element) -> None:
    """Make ``spans`` the inline content of ``element``, before what blocks it has."""
    blocks = [child for child in element if child.tag in _BLOCKS]
    element[:] = []
    element.text = None
    for span in spans:
        node: etree._Element | str = etree.Element("br") if span.text == BREAK else _dress(span)
        if isinstance(node, str):
            _append_text(element, node)
        else:
            element.append(node)
    element.extend(blocks)


def _dress(span: Span) -> etree._Element | str:
    node: etree._Element | str = span.text
    looks = (("em", span.em), ("strong", span.strong), ("s", span.struck), ("a", bool(span.href)))
    for tag, wanted in looks:
        if wanted:
            around = etree.Element(tag)
            if tag == "a":
                around.set("href", span.href)
            if isinstance(node, str):
                around.text = node
            else:
                around.append(node)
            node = around
    return node


def _append_text(element: etree._Element, text: str) -> None:
    if len(element):
        element[-1].tail = (element[-1].tail or "") + text
    else:
        element.text = (element.text or "") + text


def _clean(spans: Iterable[Span]) -> list[Span]:
    """No unsafe characters, spaces as one, none at the ends of a line, and no two ``@`` side by side."""
    kept: list[Span] = []
    for span in spans:
        if span.text == BREAK:
            _strip_end(kept, " ")
            kept += [span] if kept and kept[-1].text != BREAK else []
            continue
        before = kept[-1].text if kept else BREAK
        text = _SPACES.sub(" ", remove_unsafe(span.text))
        if before[-1] in {" ", BREAK}:
            text = text.lstrip(" ")
        # The sign before counts too: two of them may come from two looks.
        text = join_signs(before[-1] + text)[1:]
        if text:
            kept.append(replace(span, text=text))
    _strip_end(kept, f" {BREAK}")
    return kept


def _strip_end(spans: list[Span], signs: str) -> None:
    while spans and not spans[-1].text.rstrip(signs):
        spans.pop()
    if spans:
        spans[-1] = replace(spans[-1], text=spans[-1].text.rstrip(signs))


def _merge(spans: Iterable[Span]) -> list[Span]:
    merged: list[Span] = []
    for span in spans:
        if not span.text:
            continue
        if merged and merged[-1].looks_like(span):
            merged[-1] = replace(span, text=merged[-1].text + span.text)
        else:
            merged.append(span)
    return merged


def _free_spaces(spans: Sequence[Span]) -> Iterator[Span]:
    """Spaces at either end of a look, and looks of nothing but spaces, become plain."""
    for span in spans:
        if span.text == BREAK or (span.is_plain and not span.href):
            yield span
            continue
        inner = span.text.strip()
        start = span.text.index(inner) if inner else len(span.text)
        yield Span(text=span.text[:start])
        yield replace(span, text=inner)
        yield Span(text=span.text[start + len(inner) :])


def _part_touching(spans: Sequence[Span]) -> Iterator[Span]:
    """Two looks without a sign between them would run into one another: the second gives up its italics, or
    takes over the look of the first."""
    before: Span | None = None
    for span in spans:
        touches = (
            before is not None and not before.is_plain and not span.is_plain and before.href == span.href
        )
        if touches and before is not None and span.text != BREAK:
            span = replace(span, strong=before.strong, em=before.em, struck=before.struck)
        yield span
        before = span


def _free_marks(spans: Sequence[Span]) -> Iterator[Span]:
    """Marks at either end of a look become plain where a letter stands outside: ``**Note:**it`` would not
    close, ``**Note**:it`` does. Beside Chinese, Japanese and Korean both do (see :mod:`editions.markdown.cjk`)."""
    for number, span in enumerate(spans):
        if span.is_plain or span.text == BREAK:
            yield span
            continue
        before = _neighbour(spans, number - 1, span)
        after = _neighbour(spans, number + 1, span)
        text = span.text
        start = 1 if _is_mark(text[0]) and _is_letter(before[-1:]) else 0
        end = len(text) - (1 if _is_mark(text[-1]) and _is_letter(after[:1]) else 0)
        end = max(start, end)
        yield span.plainly(text[:start])
        yield replace(span, text=text[start:end])
        yield span.plainly(text[end:])


def _neighbour(spans: Sequence[Span], number: int, span: Span) -> str:
    """The words of the span beside, as far as they stand on the same side of a link's bracket."""
    if 0 <= number < len(spans) and spans[number].href == span.href:
        return spans[number].text
    return ""


def _is_letter(character: str) -> bool:
    """Whether this keeps a mark beside it from opening or closing emphasis."""
    return bool(character) and not character.isspace() and not _is_mark(character) and not is_cjk(character)


def _is_mark(character: str) -> bool:
    return unicodedata.category(character)[0] in "PS" and not is_cjk(character)
