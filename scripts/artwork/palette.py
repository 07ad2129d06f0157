"""The colours: a sector's colour and three tints of it, one dark ink, one warm accent, and the paper."""

from dataclasses import dataclass

Colour = tuple[int, int, int]


def read_colour(text: str) -> Colour:
    """Parse ``#0b6a8f`` into red, green and blue from 0 to 255."""
    return int(text[1:3], 16), int(text[3:5], 16), int(text[5:7], 16)


def mix(colour: Colour, other: Colour, share: float) -> Colour:
    """Mix ``share`` (0 to 1) of ``other`` into ``colour``."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(colour, other, strict=True))
    return red, green, blue


PAPER = read_colour("#f4f1ea")
WHITE = read_colour("#fcfaf6")
INK = read_colour("#1d2733")
WARM = read_colour("#e0a03c")

SECTOR_COLOURS = {
    "education": read_colour("#0b6a8f"),
    "culture": read_colour("#8b3a62"),
    "natural-sciences": read_colour("#2d6f3f"),
    "social-and-human-sciences": read_colour("#9a4a12"),
    "communication-and-information": read_colour("#4a4fa3"),
    "cross-cutting": read_colour("#5a6068"),
}


@dataclass(frozen=True, kw_only=True)
class Palette:
    """A sector's colour at four strengths, from full to barely there."""

    deep: Colour
    mid: Colour
    soft: Colour
    faint: Colour

    @classmethod
    def of(cls, sector: str) -> "Palette":
        """Return the palette of a sector; raises KeyError if it has no colour."""
        deep = SECTOR_COLOURS[sector]
        return cls(
            deep=deep, mid=mix(deep, WHITE, 0.40), soft=mix(deep, WHITE, 0.66), faint=mix(deep, WHITE, 0.84)
        )
