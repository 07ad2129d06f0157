"""Lists whose items have letters or roman numerals, which CommonMark does not have.

The signs are Pandoc's: ``a.``, ``A.``, ``i.`` or ``I.``, with a full stop or a closing bracket. A single
capital needs two spaces after it, so that "B. Russell" at the beginning of a line stays a name. One such line
alone is no list either: the next item must follow.
"""

import re

from markdown_it import MarkdownIt
from markdown_it.rules_block.list import list_block
from markdown_it.rules_block.state_block import StateBlock

_MARKER = re.compile(r"([A-Z](?=[.)](?: {2}|\t))|[a-z]|[ivxlc]{2,8}|[IVXLC]{2,8})([.)])[ \t]+\S")
_NUMERALS = (
    (100, "c"),
    (90, "xc"),
    (50, "l"),
    (40, "xl"),
    (10, "x"),
    (9, "ix"),
    (5, "v"),
    (4, "iv"),
    (1, "i"),
)
_STYLES = {"a": "lower-alpha", "A": "upper-alpha", "i": "lower-roman", "I": "upper-roman"}


def use_lettered_lists(parser: MarkdownIt) -> None:
    """Make ``parser`` read such lists as ordered ones with the attributes ``type`` and ``style``."""
    parser.block.ruler.before(
        "list", "lettered_list", _read_list, {"alt": ["paragraph", "reference", "blockquote"]}
    )


def write_marker(number: int, kind: str) -> str:
    """The sign of item ``number`` in a list whose ``type`` is ``kind``: ``a.``, ``iv.``, or ``4.`` in
    others."""
    if kind.lower() == "i":
        sign = _to_roman(number)
    elif kind.lower() == "a" and 1 <= number <= 26:
        sign = chr(ord("a") + number - 1)
    else:
        return f"{number}."
    return f"{sign.upper() if kind.isupper() else sign}."


def _read_list(state: StateBlock, start_line: int, end_line: int, silent: bool) -> bool:
    """Read a list by writing digits in place of its signs, as many as they have characters, for the rule that
    reads numbered lists."""
    sign = "" if state.is_code_block(start_line) else _sign_at(state, start_line)
    kind = _find_kind(state, start_line, end_line, sign) if sign else ""
    # As in CommonMark, only a list from its beginning can follow a paragraph without a blank line.
    if not kind or silent:
        return bool(kind) and _read_sign(sign, kind) == 1
    source, position = state.src, len(state.tokens)
    state.src = _write_digits(state, start_line, end_line, kind)
    try:
        found = list_block(state, start_line, end_line, silent)
    finally:
        state.src = source
    if not found:
        return False
    opening, number = state.tokens[position], _read_sign(sign, kind)
    # The digits may have had too few places.
    opening.attrs.pop("start", None)
    if number != 1:
        opening.attrs["start"] = number
    opening.attrSet("type", kind)
    opening.attrSet("style", f"list-style-type:{_STYLES[kind]}")
    return True


def _sign_at(state: StateBlock, line: int) -> str:
    start = state.bMarks[line] + state.tShift[line]
    found = _MARKER.match(state.src, start, state.eMarks[line])
    return found[1] if found else ""


def _find_kind(state: StateBlock, start_line: int, end_line: int, sign: str) -> str:
    """The ``type`` of the list that begins with ``sign``: that in which another item follows; else empty."""
    following = _find_next_sign(state, start_line, end_line)
    for kind in ("i", "a") if sign.islower() else ("I", "A"):
        number = _read_sign(sign, kind)
        if number and _read_sign(following, kind) == number + 1:
            return kind
    return ""


def _find_next_sign(state: StateBlock, start_line: int, end_line: int) -> str:
    """The next sign as far in as the one on ``start_line``; empty if other text comes first."""
    after_blank = False
    for line in range(start_line + 1, end_line):
        if state.isEmpty(line):
            after_blank = True
        elif state.sCount[line] > state.sCount[start_line]:
            after_blank = False
        elif sign := _sign_at(state, line) if state.sCount[line] == state.sCount[start_line] else "":
            return sign
        elif after_blank or state.sCount[line] < state.blkIndent:
            return ""
    return ""


def _write_digits(state: StateBlock, start_line: int, end_line: int, kind: str) -> str:
    source, expected = state.src, 0
    for line in range(start_line, end_line):
        sign = _sign_at(state, line) if state.sCount[line] == state.sCount[start_line] else ""
        if number := _read_sign(sign, kind):
            # "i." after "b." begins another list.
            if expected and number != expected:
                break
            expected = number + 1
            start = state.bMarks[line] + state.tShift[line]
            digits = str(number).zfill(len(sign))[-len(sign) :]
            source = f"{source[:start]}{digits}{source[start + len(sign) :]}"
    return source


def _read_sign(sign: str, kind: str) -> int:
    """The number that ``sign`` stands for in a list of ``kind``; 0 if it is no sign of such a list."""
    if not sign or sign.isupper() != kind.isupper():
        return 0
    small = sign.lower()
    if kind.lower() == "a":
        return ord(small) - ord("a") + 1 if len(small) == 1 else 0
    number, rest = 0, small
    for value, numeral in _NUMERALS:
        while rest.startswith(numeral):
            number, rest = number + value, rest.removeprefix(numeral)
    return number if not rest and _to_roman(number) == small else 0


def _to_roman(number: int) -> str:
    text = ""
    for value, numeral in _NUMERALS:
        while number >= value:
            text, number = text + numeral, number - value
    return text
