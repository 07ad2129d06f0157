"""The axis of a chart: round numbers to read it by, and how they are written."""

from dataclasses import dataclass
from math import ceil, floor, log10

_STEPS = (1, 2, 2.5, 5, 10)
_THOUSANDS = ((1_000_000_000, "bn"), (1_000_000, "m"), (1_000, "k"))


@dataclass(frozen=True, kw_only=True)
class Axis:
    """An axis from 0 to ``top``, with a line at each of ``ticks``."""

    top: float
    ticks: tuple[float, ...]

    def place(self, value: float) -> float:
        """Where ``value`` lies between the foot (0) and the top (100) of the axis, in per cent."""
        return 100 * min(max(value / self.top, 0), 1)


def choose_axis(largest: float, *, lines: int = 4, whole: bool = True) -> Axis:
    """Choose an axis that holds ``largest`` with at most ``lines`` round steps; ``whole`` allows only whole
    numbers at the ticks."""
    if largest <= 0:
        return Axis(top=1, ticks=(0, 1))
    step = _choose_step(largest / lines)
    if whole and step != int(step):
        step = float(ceil(step))
    number = ceil(round(largest / step, 9))
    return Axis(top=step * number, ticks=tuple(step * index for index in range(number + 1)))


def shorten_number(value: float) -> str:
    """Write a number in at most four letters: 950, 1.5k, 12k, 2m."""
    for size, letter in _THOUSANDS:
        # 999,600 are a million and not 1000k.
        if value >= size * 0.9995:
            return f"{_round_to_two(value / size)}{letter}"
    return f"{value:.3g}"


def _round_to_two(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0") if value < 9.95 else f"{value:.0f}"


def _choose_step(least: float) -> float:
    size = 10.0 ** floor(log10(least))
    return next(step * size for step in _STEPS if step * size >= least * (1 - 1e-9))
