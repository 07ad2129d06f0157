"""Figures of fewer than five people are not shown, and nothing that is shown gives one away.

The field calls this statistical disclosure control. A figure is hidden because it is small, or because those
beside it and a total would reveal one that is. Both look the same, so that the difference tells nothing.
"""

from typing import Final

SMALLEST_SHOWN: Final = 5
"""The smallest figure that is shown. Zero is shown too: it is a figure of nobody."""

HIDDEN: Final = "–"
"""How a hidden figure is shown to people."""

HIDDEN_NOTE: Final = (
    f"{HIDDEN} stands for fewer than five people, or for a figure that would reveal fewer than five."
)
"""The sentence below a table that hides figures."""

Figure = int | None
"""A number of people; None if it is hidden."""


def format_figure(figure: Figure) -> str:
    """A figure as shown to people: ``1,200``, or a dash if it is hidden."""
    return HIDDEN if figure is None else f"{figure:,}"


def is_small(number: int) -> bool:
    """Whether a figure is of so few people that it is not shown."""
    return 0 < number < SMALLEST_SHOWN
