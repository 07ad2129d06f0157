"""Colours as style sheets write them, brought to ``#rrggbb``."""

import re
from functools import lru_cache

from PIL import ImageColor

_PARTS = re.compile(r"rgba?\(\s*(\d+)[\s,]+(\d+)[\s,]+(\d+)\s*(?:[,/]\s*([\d.]+%?)\s*)?\)")
_TOKENS = re.compile(r"[\w-]+\([^)]*\)|[^\s,]+")


@lru_cache(maxsize=4096)
def read_colour(value: str, ground: str = "#ffffff") -> str | None:
    """``value`` as ``#rrggbb``, laid over ``ground`` where it lets light through; None where it paints
    nothing or is no colour of its own (``transparent``, ``inherit``, ``none``)."""
    word = value.strip().lower()
    if found := _PARTS.fullmatch(word):
        red, green, blue = (min(int(part), 255) for part in found.groups()[:3])
        return _lay_over((red, green, blue), _read_alpha(found[4]), ground)
    try:
        channels = ImageColor.getrgb(word)
    except ValueError:
        return None
    alpha = channels[3] / 255 if len(channels) == 4 else 1.0
    return _lay_over((channels[0], channels[1], channels[2]), alpha, ground)


@lru_cache(maxsize=1024)
def find_colour(value: str, ground: str = "#ffffff") -> str | None:
    """The colour within a shorthand such as ``background: #fff url(a.png)``."""
    return next(filter(None, (read_colour(token, ground) for token in _TOKENS.findall(value))), None)


def _read_alpha(written: str | None) -> float:
    if written is None:
        return 1.0
    return float(written[:-1]) / 100 if written.endswith("%") else float(written)


def _lay_over(colour: tuple[int, int, int], alpha: float, ground: str) -> str | None:
    if alpha <= 0:
        return None
    below = (int(ground[place : place + 2], 16) for place in (1, 3, 5))
    mixed = (round(alpha * over + (1 - alpha) * under) for over, under in zip(colour, below, strict=True))
    return "#" + "".join(f"{channel:02x}" for channel in mixed)
