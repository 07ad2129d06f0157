"""Colours as written in style sheets, converted to ``#rrggbb``."""

import re
from functools import lru_cache

from PIL import ImageColor

_PARTS = re.compile(r"rgba?\(\s*(\d+)[\s,]+(\d+)[\s,]+(\d+)\s*(?:[,/]\s*([\d.]+%?)\s*)?\)")
_TOKENS = re.compile(r"[\w-]+\([^)]*\)|[^\s,]+")


@lru_cache(maxsize=4096)
def parse_colour(value: str, background: str = "#ffffff") -> str | None:
    """``value`` as ``#rrggbb``, blended with ``background`` if it is translucent; None if it is fully
    transparent or not a colour of its own (``transparent``, ``inherit``, ``none``)."""
    word = value.strip().lower()
    if found := _PARTS.fullmatch(word):
        red, green, blue = (min(int(part), 255) for part in found.groups()[:3])
        return _blend((red, green, blue), _parse_alpha(found[4]), background)
    try:
        channels = ImageColor.getrgb(word)
    except ValueError:
        return None
    alpha = channels[3] / 255 if len(channels) == 4 else 1.0
    return _blend((channels[0], channels[1], channels[2]), alpha, background)


@lru_cache(maxsize=1024)
def find_colour(value: str, background: str = "#ffffff") -> str | None:
    """The colour in a shorthand such as ``background: #fff url(a.png)``."""
    return next(filter(None, (parse_colour(token, background) for token in _TOKENS.findall(value))), None)


def _parse_alpha(written: str | None) -> float:
    if written is None:
        return 1.0
    return float(written[:-1]) / 100 if written.endswith("%") else float(written)


def _blend(colour: tuple[int, int, int], alpha: float, background: str) -> str | None:
    if alpha <= 0:
        return None
    below = (int(background[place : place + 2], 16) for place in (1, 3, 5))
    mixed = (round(alpha * over + (1 - alpha) * under) for over, under in zip(colour, below, strict=True))
    return "#" + "".join(f"{channel:02x}" for channel in mixed)
