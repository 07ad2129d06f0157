"""Writing nodes as Markdown, in the style of the text around them."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from editions.rich_text.nodes import BREAK, LIST_KINDS, MARK_ORDER, Block, BlockKind, Mark, MarkKind, Text

_BULLET = re.compile(r" {0,3}([-*+])(?=\s|$)")
_OTHER = {"-": "*", "*": "-", "+": "-", ".": ")", ")": "."}
_NUMBER = re.compile(r" {0,3}\d{1,9}([.)])(?=\s|$)")
_PUNCTUATION = re.compile(r"[!-/:-@\[-`{-~]")
# What begins or ends something: _ not within a word, ~ only beside another, & only before an entity, ! only
# before a picture.
_SIGNS = re.compile(
    r"[\\`*\[\]<]|(?<![^\W_])_|_(?![^\W_])|~(?=~)|(?<=~)~|&(?=#?\w+;)|!(?=\[)|(?<=\s)#(?=#*$)"
)
_LINE_START = re.compile(
    r"(?:#{1,6}(?=\s|$)|[-+=>|:]|~~~|(?:\d{1,9}|[A-Za-z]|[ivxlcIVXLC]{2,8})(?=[.)](?:\s|$)))"
)
_SPACE_AT_START = re.compile(r"\A[^\S ]+")
_SPACE_AT_END = re.compile(r"[^\S ]+\Z")
_AUTOLINK = re.compile(r"https?://[^\s<>]+|[A-Za-z0-9._+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+")
_IN_TITLE = re.compile(r'["\\&]')
_IN_HREF = re.compile(r"[<>\\]|&(?=#?\w+;)")
_IN_BARE_HREF = re.compile(r"\\(?=[!-/:-@\[-`{-~])|&(?=#?\w+;)")
_BARE_HREF = re.compile(r"[^\s<>\x00-\x1f]+")


class Escapes(StrEnum):
    """Which characters get a backslash."""

    none = "none"
    """None: most text means itself."""

    light = "light"
    """Those that begin something in Markdown where they are."""

    heavy = "heavy"
    """All punctuation."""


@dataclass(frozen=True, kw_only=True)
class Style:
    """The signs of a block: of emphasis, of items, and what follows the number of an item."""

    escapes: Escapes = Escapes.none
    em: str = "*"
    bullet: str = "-"
    delimiter: str = "."


def detect_style(source: str) -> Style:
    """Return the style of a block that is written as ``source``, as far as its first line tells."""
    bullet, number = _BULLET.match(source), _NUMBER.match(source)
    return Style(bullet=bullet[1] if bullet else "-", delimiter=number[1] if number else ".")


def list_styles(base: Style) -> Iterator[Style]:
    """Yield all styles to try, the one that reads best first; none has fewer backslashes than ``base``."""
    levels = list(Escapes)
    for escapes in levels[levels.index(base.escapes) :]:
        for em in ("*", "_"):
            yield replace(base, escapes=escapes, em=em)


def other_style(style: Style) -> Style:
    """Return ``style`` with other signs for lists."""
    return replace(style, bullet=_OTHER[style.bullet], delimiter=_OTHER[style.delimiter])


def write_inline(texts: tuple[Text, ...], style: Style) -> str:
    lines: list[str] = []
    written: list[str] = []
    opened: list[Mark] = []
    for place, text in enumerate(texts):
        marks = _marks_at(texts, place, opened)
        kept = 0
        while kept < len(opened) and opened[kept] in marks:
            kept += 1
        while len(opened) > kept:
            written.append(_write_closing(opened.pop(), style))
        for mark in _sort_by_length([mark for mark in marks if mark not in opened], texts, place):
            written.append("[" if mark.kind is MarkKind.link else _sign(mark, style))
            opened.append(mark)
        if text is BREAK:
            lines.append(_finish_line(written, style) + "\\")
            written = []
        else:
            written.append(_write_text(texts, place, style))
    written += [_write_closing(mark, style) for mark in reversed(opened)]
    return "\n".join([*lines, _finish_line(written, style)])


def _marks_at(texts: tuple[Text, ...], place: int, opened: Sequence[Mark]) -> list[Mark]:
    """Return the marks of a text that have signs around it; those of a break stay open over it."""
    text = texts[place]
    if text is not BREAK:
        written = {MarkKind.code, MarkKind.link} if _is_autolink(texts, place) else {MarkKind.code}
        return [mark for mark in text.marks if mark.kind not in written]
    following = next((after for after in texts[place + 1 :] if after is not BREAK), BREAK)
    return [mark for mark in opened if mark in following.marks]


def _sort_by_length(marks: Sequence[Mark], texts: Sequence[Text], place: int) -> list[Mark]:
    """Return ``marks`` with what lasts longest outermost."""

    def length(mark: Mark) -> int:
        last = place
        while last < len(texts) and (mark in texts[last].marks or texts[last] is BREAK):
            last += 1
        return last

    return sorted(marks, key=lambda mark: (-length(mark), MARK_ORDER[mark.kind]))


def _write_closing(mark: Mark, style: Style) -> str:
    if mark.kind is not MarkKind.link:
        return _sign(mark, style)
    href = _write_href(mark.href)
    if not mark.title:
        return f"]({href})"
    title = _IN_TITLE.sub(_add_backslash, mark.title)
    return f']({href} "{title}")'


def _sign(mark: Mark, style: Style) -> str:
    return {MarkKind.em: style.em, MarkKind.strong: "**", MarkKind.strike: "~~"}[mark.kind]


def _write_href(href: str) -> str:
    if _BARE_HREF.fullmatch(href) and _is_balanced(href):
        return _IN_BARE_HREF.sub(_add_backslash, href)
    return f"<{_IN_HREF.sub(_add_backslash, href)}>"


def _add_backslash(sign: re.Match[str]) -> str:
    return f"\\{sign[0]}"


def _is_balanced(href: str) -> bool:
    depth = 0
    for character in href:
        depth += (character == "(") - (character == ")")
        if depth < 0:
            return False
    return depth == 0


def _is_autolink(texts: tuple[Text, ...], place: int) -> bool:
    """Return whether the text is a link that shows its whole address."""
    text = texts[place]
    link = text.marks[0] if text.marks else None
    if link is None or link.kind is not MarkKind.link or link.title or text.is_code:
        return False
    beside = texts[max(place - 1, 0) : place] + texts[place + 1 : place + 2]
    is_whole = link.href in {text.text, f"mailto:{text.text}"} and not any(
        link in near.marks for near in beside
    )
    return is_whole and bool(_AUTOLINK.fullmatch(text.text))


def _write_text(texts: tuple[Text, ...], place: int, style: Style) -> str:
    text = texts[place]
    if text.is_code:
        return _write_code(text.text)
    if _is_autolink(texts, place):
        return f"<{text.text}>"
    first = place == 0 or texts[place - 1] is BREAK
    last = place == len(texts) - 1 or texts[place + 1] is BREAK
    return _encode_spaces(escape_text(text.text, style.escapes), first=first, last=last)


def escape_text(text: str, escapes: Escapes) -> str:
    if escapes is Escapes.none:
        return text
    if escapes is Escapes.heavy:
        return _PUNCTUATION.sub(_add_backslash, text)
    return _SIGNS.sub(_add_backslash, text)


def _encode_spaces(text: str, *, first: bool, last: bool) -> str:
    """Return ``text`` with wide and unbreakable spaces at line ends as entities; the parser drops them."""
    if first:
        text = _SPACE_AT_START.sub(_as_entities, text)
    return _SPACE_AT_END.sub(_as_entities, text) if last else text


def _as_entities(spaces: re.Match[str]) -> str:
    return "".join(f"&#{ord(character)};" for character in spaces[0])


def _write_code(code: str) -> str:
    longest = max(map(len, re.findall("`+", code)), default=0)
    fence = next(
        "`" * length for length in range(1, longest + 2) if not re.search(f"(?<!`)`{{{length}}}(?!`)", code)
    )
    ends = code[0] == "`" or code[-1] == "`" or (code[0] == code[-1] == " " and code.strip(" ") != "")
    space = " " if ends else ""
    return f"{fence}{space}{code}{space}{fence}"


def _finish_line(written: Sequence[str], style: Style) -> str:
    """Return a line of text, which begins no block."""
    line = "".join(written)
    if style.escapes is Escapes.none or not (found := _LINE_START.match(line)):
        return line
    if found[0][-1].isalnum():
        return f"{found[0]}\\{line[found.end() :]}"
    return f"\\{line}"


def write_block(block: Block, style: Style) -> str:
    """Return the Markdown of a block in its canonical form, without a line end after it."""
    match block.kind:
        case BlockKind.raw:
            return block.source
        case BlockKind.paragraph:
            return write_inline(block.texts, style)
        case BlockKind.heading:
            return f"{'#' * block.level} {write_inline(block.texts, style)}".rstrip(" ")
        case BlockKind.horizontal_rule:
            return "---"
        case BlockKind.blockquote:
            return _prefix_lines(_write_siblings(block.blocks, style), "> ", "> ")
        case BlockKind.bullet_list | BlockKind.ordered_list:
            return _write_list(block, style)
    raise ValueError(block.kind)


def _write_list(block: Block, style: Style) -> str:
    items = []
    for number, item in enumerate(block.blocks, start=block.order):
        ordered = block.kind is BlockKind.ordered_list
        sign = f"{number}{style.delimiter} " if ordered else f"{style.bullet} "
        # Lists inside begin with the usual sign again.
        inner = _write_siblings(item.blocks, replace(style, bullet="-", delimiter="."), tight=block.tight)
        items.append(_prefix_lines(inner, sign, " " * len(sign)))
    return ("\n" if block.tight else "\n\n").join(items)


def _write_siblings(blocks: Sequence[Block], style: Style, *, tight: bool = False) -> str:
    written: list[str] = []
    before: Block | None = None
    for block in blocks:
        same = before is not None and before.kind is block.kind and block.kind in LIST_KINDS
        # Neighbouring lists with the same sign would be one.
        style = other_style(style) if same else style
        # Neither a second "- - -" for an item nor "---" below a paragraph, which would be its heading.
        written.append("___" if block.kind is BlockKind.horizontal_rule else write_block(block, style))
        before = block
    return ("\n" if tight else "\n\n").join(written)


def _prefix_lines(text: str, first: str, others: str) -> str:
    lines = text.split("\n")
    prefixed = [f"{first}{lines[0]}", *(f"{others}{line}" for line in lines[1:])]
    return "\n".join(line.rstrip(" ") if not line.strip(" >") else line for line in prefixed)
