"""Figures of fewer than five people are not shown, and nothing that is shown gives one away.

The field calls this statistical disclosure control. A figure is hidden because it is small, or because those
beside it and a total would reveal one that is. Both look the same, so that the difference tells nothing.
"""

from collections.abc import Sequence
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


def hide_groups(people: int, numbers: Sequence[int]) -> tuple[Figure, ...]:
    """Hide figures of groups that may overlap, each among the same ``people``, whose number is shown.

    A group is hidden if it is small, or if those outside it are few: their number would be a subtraction
    away. Among too few people every group is hidden.
    """
    if is_small(people):
        return (None,) * len(numbers)
    return tuple(None if is_small(number) or is_small(people - number) else number for number in numbers)


def hide_parts(numbers: Sequence[int]) -> tuple[Figure, ...]:
    """Hide the small ones among figures that add up to a total that is shown.

    What is hidden adds up to the total less what is shown. So as many further figures are hidden, smallest
    first, as it takes for any of them to be five or more for all that anybody can tell; at worst all, zeros
    too.
    """
    hidden = {place for place, number in enumerate(numbers) if is_small(number)}
    while hidden and not _are_protected([numbers[place] for place in hidden]):
        shown = [(number, place) for place, number in enumerate(numbers) if number and place not in hidden]
        if not shown:
            return (None,) * len(numbers)
        hidden.add(min(shown)[1])
    return tuple(None if place in hidden else number for place, number in enumerate(numbers))


def _are_protected(numbers: Sequence[int]) -> bool:
    """Whether each of the hidden ``numbers``, none of them zero, may be five or more by their sum."""
    return len(numbers) >= 2 and sum(numbers) - (len(numbers) - 1) >= SMALLEST_SHOWN
