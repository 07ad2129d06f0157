"""A campaign by country and sector of its readers."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mailer.campaigns.report.disclosure import Figure


@dataclass(frozen=True, kw_only=True)
class BreakdownRow:
    """The readers of one country, or of several with too few readers to be shown apart.

    ``countries`` are alpha-2 codes; None stands for unknown. ``sent`` got the mail. ``not_sent`` did not, or
    not yet: refused, failed, in doubt, suppressed or still to do. ``left`` have left since
    (:class:`mailer.campaigns.departures.Departures`). ``by_sector`` are those of ``sent`` who follow a
    sector, in the order of the breakdown's sectors; somebody who follows two is counted in both.
    ``no_sector`` follow none. A figure is None if it is hidden.
    """

    countries: tuple[str | None, ...]
    sent: Figure
    not_sent: Figure
    left: Figure
    by_sector: tuple[Figure, ...]
    no_sector: Figure


@dataclass(frozen=True, kw_only=True)
class Breakdown:
    """A campaign by country × sector: ``rows`` by readers, largest first, with what was put together and the
    unknown last.

    ``sectors`` are slugs. ``total`` is of all countries. ``rows`` is empty if everybody is in one row, which
    would only repeat the total, or if there are too few readers to tell them apart.
    """

    sectors: tuple[str, ...]
    rows: tuple[BreakdownRow, ...]
    total: BreakdownRow

    @property
    def hides(self) -> bool:
        """Whether any figure is hidden."""
        return any(None in (row.sent, row.not_sent, row.left, row.no_sector, *row.by_sector) for row in self)

    def __iter__(self) -> Iterator[BreakdownRow]:
        yield from (*self.rows, self.total)

    def as_dict(self) -> dict[str, Any]:
        """The breakdown in the form of the JSON output; a hidden figure is null."""
        return {"countries": [self._row(row) for row in self.rows], "total": self._row(self.total)}

    def _row(self, row: BreakdownRow) -> dict[str, Any]:
        figures: Mapping[str, Figure] = {"sent": row.sent, "not_sent": row.not_sent, "left": row.left}
        sectors = dict(zip(self.sectors, row.by_sector, strict=True))
        return {"countries": list(row.countries), **figures, "sectors": sectors, "no_sector": row.no_sector}
