"""Which column of a file holds what: for a known format, by a guess, or as a person described it."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from subscribers.imports.columns.status_columns import StatusColumn


@dataclass(frozen=True, kw_only=True)
class ColumnLayout:
    """``titles`` are those of the file; ``header_row`` is the number of their row, 0 if there is none.

    ``places`` are the columns, counted from 0, for each of
    :data:`subscribers.imports.columns.column_titles.FIELDS`, in the order of preference. ``statuses`` tell
    who left, ``ignored`` columns do not although they look like it. ``tag_separator`` is between tags, if it
    is known.
    """

    titles: tuple[str, ...]
    header_row: int
    places: Mapping[str, tuple[int, ...]]
    statuses: tuple[StatusColumn, ...] = ()
    tag_separator: str | None = None
    ignored: tuple[int, ...] = ()

    @property
    def names(self) -> tuple[int, ...]:
        """The columns of the name, in the order in which they are read."""
        parts = tuple(place for part in ("given", "middle", "family") for place in self.places.get(part, ()))
        return parts + self.places.get("name", ())

    @property
    def used(self) -> frozenset[int]:
        """Every column that is used for something."""
        held = {place for places in self.places.values() for place in places}
        return frozenset(held | {column.place for column in self.statuses})

    @property
    def meaning(self) -> Mapping[str, tuple[str, ...]]:
        """The titles for each of our columns, for display."""
        shown = {
            "email": self.places.get("email", ()),
            "name": self.names,
            **{
                field: self.places.get(field, ())
                for field in ("organisation", "country", "sectors", "language", "tags")
            },
        }
        return MappingProxyType(
            {ours: tuple(self.titles[place] for place in places) for ours, places in shown.items() if places}
        )

    @property
    def unused(self) -> tuple[str, ...]:
        """The titles of all other columns."""
        used = self.used
        return tuple(title for place, title in enumerate(self.titles) if place not in used and title)
