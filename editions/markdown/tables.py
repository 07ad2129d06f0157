"""Tables: numbers to the right, and whether a table fits the screen of a phone.

One that does not becomes a list of rows there, each cell after the heading of its column. The headings are in
the cells of every such table, hidden, because few email programs can take them from anywhere else.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markdown_it.token import Token

from locales.languages import display_width, text_direction

LABEL = "cell_label"
WIDE_CLASS = "tw"

_UNITS = "%|‰|°C?|[km]?m[²³]?|ha|k?g|t|h|min|[kMG]?Wh?|[kKMB]|bn|[A-Z]{3}|[$€£¥₩₮万亿億元円원]+"
_NUMBER = re.compile(rf"[^\w\s]{{0,2}}\s?(?:[A-Z]{{3}}|[$€£¥₩₮])?\s?\d[\d\s.,’'\u202f]*\s?(?:{_UNITS})?")
_NOTHING = re.compile(r"[-–—.…]*|n/?a", re.IGNORECASE)
_UNBROKEN = re.compile(r"\S+")
# Pixels: what a phone of 375 has between its gutters, what a sheet has at a desk, and what a character and
# the padding of a cell take, measured in Arial at 16 pixels.
_PHONE, _SHEET = 335, 520
_CHARACTER, _PADDING = 8.4, 16
_READABLE = 90
_SMALLER = 0.82
# French has a space before a colon, and Chinese and Japanese a colon as wide as a character.
_COLONS = {"fr": "\u00a0: ", "zh": "：", "ja": "："}


@dataclass(frozen=True, kw_only=True)
class _Cell:
    opening: Token
    inline: Token

    @property
    def text(self) -> str:
        return "".join(child.content for child in self.inline.children or []).strip()


def arrange_tables(tokens: Sequence[Token], *, language: str) -> bool:
    """Align columns of numbers, unless Markdown does, and prepare wide tables for phones; return whether
    there are any."""
    has_wide = False
    end = "left" if text_direction(language) == "rtl" else "right"
    for opening, rows in _find_tables(tokens):
        columns = list(zip(*rows, strict=True))
        opening.attrs |= {"class": "tb", "cellpadding": "6", "cellspacing": "0", "border": "0"}
        for column in columns:
            if _is_numeric(column):
                for cell in column:
                    if "style" not in cell.opening.attrs:
                        cell.opening.attrSet("style", f"text-align:{end}")
        if _measure(columns) > _PHONE:
            has_wide = True
            opening.attrSet("class", f"tb {WIDE_CLASS}")
            _label_cells(rows, _COLONS.get(language.partition("-")[0], ": "))
    return has_wide


def find_oversized_tables(tokens: Sequence[Token]) -> Iterator[int]:
    """Yield the line of each table in ``tokens`` that is wider than an email, counted from zero."""
    for opening, rows in _find_tables(tokens):
        widths = (_longest_word(column) + _PADDING for column in zip(*rows, strict=True))
        if sum(widths) * _SMALLER > _SHEET:
            yield opening.map[0] if opening.map else 0


def _find_tables(tokens: Sequence[Token]) -> Iterator[tuple[Token, list[list[_Cell]]]]:
    """Yield the opening token of each table, and its rows."""
    opening: Token | None = None
    rows: list[list[_Cell]] = []
    for index, token in enumerate(tokens):
        if token.type == "table_open":
            opening, rows = token, []
        elif token.type == "tr_open":
            rows.append([])
        elif token.type in {"th_open", "td_open"}:
            rows[-1].append(_Cell(opening=token, inline=tokens[index + 1]))
        elif token.type == "table_close" and opening:
            yield opening, rows


def _is_numeric(column: Sequence[_Cell]) -> bool:
    texts = [cell.text for cell in column[1:]]
    numbers = [text for text in texts if _NUMBER.fullmatch(text)]
    return bool(numbers) and all(_NUMBER.fullmatch(text) or _NOTHING.fullmatch(text) for text in texts)


def _measure(columns: Sequence[Sequence[_Cell]]) -> float:
    """Return the pixels that a table needs to read well: no word broken, no column of single words."""
    return sum(
        max(_longest_word(column), min(_READABLE, max(_text_width(cell.text) for cell in column))) + _PADDING
        for column in columns
    )


def _longest_word(column: Sequence[_Cell]) -> float:
    words = (word for cell in column for word in _UNBROKEN.findall(cell.text))
    return max(map(_word_width, words), default=0)


def _word_width(word: str) -> float:
    # A line may break between any two Chinese or Japanese characters.
    return _CHARACTER * 2 if display_width(word) > len(word) else _text_width(word)


def _text_width(text: str) -> float:
    return _CHARACTER * display_width(text)


def _label_cells(table: Sequence[Sequence[_Cell]], colon: str) -> None:
    """Put the heading of its column before the text of each cell but the first, which names the row."""
    head, *rows = table
    for row in rows:
        for heading, cell in list(zip(head, row, strict=True))[1:]:
            if heading.text and cell.text:
                label = Token(LABEL, "", 0, meta={"text": f"{heading.text}{colon}"})
                cell.inline.children = [label, *(cell.inline.children or [])]
