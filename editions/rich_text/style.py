"""The ways in which one block can be written in Markdown."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

_BULLET = re.compile(r" {0,3}([-*+])(?=\s|$)")
_OTHER = {"-": "*", "*": "-", "+": "-", ".": ")", ")": "."}
_NUMBER = re.compile(r" {0,3}\d{1,9}([.)])(?=\s|$)")


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
    """A way to write a block: ``em`` is the sign of emphasis, ``bullet`` that of items, ``delimiter`` what
    follows the number of an item."""

    escapes: Escapes = Escapes.none
    em: str = "*"
    bullet: str = "-"
    delimiter: str = "."


def detect_style(source: str) -> Style:
    """The style of a block that is written as ``source``, as far as it can be told from its first line."""
    bullet, number = _BULLET.match(source), _NUMBER.match(source)
    return Style(bullet=bullet[1] if bullet else "-", delimiter=number[1] if number else ".")


def list_styles(base: Style) -> Iterator[Style]:
    """All styles to try, beginning with the one that reads best; none has fewer backslashes than ``base``."""
    levels = list(Escapes)
    for escapes in levels[levels.index(base.escapes) :]:
        for em in ("*", "_"):
            yield replace(base, escapes=escapes, em=em)


def other_style(style: Style) -> Style:
    """``style`` with other signs for lists."""
    return replace(style, bullet=_OTHER[style.bullet], delimiter=_OTHER[style.delimiter])
