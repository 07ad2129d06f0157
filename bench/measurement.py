"""A measured figure, the bar it must meet, and the table that shows them."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Bound(StrEnum):
    """Whether the bar is a minimum or a maximum."""

    at_least = "at least"
    """The figure must not fall below the bar."""

    at_most = "at most"
    """The figure must not rise above the bar."""


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """One row of the table. ``measured`` is None if it could not be measured; ``bar`` is None if there is
    none.

    ``note`` gives details, or says why it was not measured.
    """

    what: str
    measured: float | None = None
    unit: str = "×"
    bound: Bound = Bound.at_least
    bar: float | None = None
    note: str = ""

    @property
    def verdict(self) -> str:
        if self.measured is None:
            return "not measured"
        if self.bar is None:
            return ""
        good = self.measured >= self.bar if self.bound is Bound.at_least else self.measured <= self.bar
        return "met" if good else "BELOW THE BAR"


def print_table(figures: Iterable[Measurement]) -> None:
    print(f"{'':<62}{'measured':>12}{'bar':>20}", flush=True)
    for figure in figures:
        measured = "–" if figure.measured is None else _format_number(figure.measured, figure.unit)
        bar = "" if figure.bar is None else f"{figure.bound} {_format_number(figure.bar, figure.unit)}"
        print(f"{figure.what:<62}{measured:>12}{bar:>20}  {figure.verdict}".rstrip(), flush=True)
        if figure.note:
            print(f"    {figure.note}", flush=True)


def _format_number(number: float, unit: str) -> str:
    digits = 0 if number >= 100 else 1 if number >= 10 else 2
    return f"{number:,.{digits}f} {unit}"
