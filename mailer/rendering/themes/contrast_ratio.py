"""Contrast between two colours, as the Web Content Accessibility Guidelines measure it."""

from functools import lru_cache

MIN_TEXT_CONTRAST = 4.5
"""The minimum contrast of text with its background (WCAG 2.2, success criterion 1.4.3, level AA)."""


@lru_cache(maxsize=1024)
def measure_contrast(one: str, other: str) -> float:
    """The ratio of two colours written ``#rrggbb``, from 1 (the same) to 21 (black on white)."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    red, green, blue = (_linear(int(colour[place : place + 2], 16) / 255) for place in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(value: float) -> float:
    return value / 12.92 if value <= 0.04045 else float(((value + 0.055) / 1.055) ** 2.4)
