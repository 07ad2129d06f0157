"""How a length is shared among values, so that even the smallest can be seen."""

from collections.abc import Sequence


def spread_widths(values: Sequence[float], whole: float, *, least: float) -> list[float]:
    """Share the length ``whole`` among ``values`` in proportion, but give none that counts less than
    ``least``; 0 stays 0. What the small ones get more, the largest give.

    If there is no room for that, all that count get the same. A bar of 100,000 readers with one in doubt
    must show the one.
    """
    total = sum(values)
    counting = sum(1 for value in values if value > 0)
    if total <= 0 or whole <= 0:
        return [0.0] * len(values)
    if counting * least >= whole:
        # A single short bar must be seen, too.
        return [max(whole, least) / counting if value > 0 else 0.0 for value in values]
    small = _find_small(values, whole, least)
    rest = sum(value for index, value in enumerate(values) if index not in small)
    room = whole - least * len(small)
    return [
        least if index in small else room * value / rest if value > 0 else 0.0
        for index, value in enumerate(values)
    ]


def _find_small(values: Sequence[float], whole: float, least: float) -> set[int]:
    """Find which values would get less than ``least``, also once the others have given way."""
    small: set[int] = set()
    while True:
        rest = sum(value for index, value in enumerate(values) if index not in small)
        room = whole - least * len(small)
        more = {
            index
            for index, value in enumerate(values)
            if index not in small and value > 0 and room * value / rest < least
        }
        if not more:
            return small
        small |= more
