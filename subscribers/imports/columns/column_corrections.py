"""What a person says about the columns of a file, laid over what they were taken for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from subscribers.imports.columns.column_layout import ColumnLayout
from subscribers.imports.columns.status_columns import StatusColumn
from subscribers.imports.columns.status_guess import make_status_column
from subscribers.imports.columns.status_titles import StatusKind
from subscribers.imports.columns.status_words import StatusMeaning


class ColumnUse(StrEnum):
    """What a column of a file is used for."""

    unused = "unused"
    """It is left out."""

    email = "email"
    """The address."""

    given = "given"
    """The given name."""

    middle = "middle"
    """What stands between the given and the family name."""

    family = "family"
    """The family name."""

    name = "name"
    """The whole name."""

    organisation = "organisation"
    """The organisation."""

    country = "country"
    """The country."""

    sectors = "sectors"
    """The sectors that a person follows."""

    language = "language"
    """The language of their mail."""

    tags = "tags"
    """Labels of the team."""

    status = "status"
    """It tells who left."""


@dataclass(frozen=True, kw_only=True)
class ColumnCorrections:
    """``header`` is the number of the row that names the columns, 0 for none, None if it is to be found.

    ``uses`` are what single columns are used for, by their place from 0; all others are used as they were
    guessed. ``meanings`` say what the values of a column about status mean, by its place and by the folded
    value, or by one of :data:`~subscribers.imports.columns.status_columns.DESCRIPTIONS` for all such cells.
    ``file_meaning`` is what the name of the file says of everybody in it, None for what it was taken for.
    """

    header: int | None = None
    uses: Mapping[int, ColumnUse] = field(default_factory=dict)
    meanings: Mapping[int, Mapping[str, StatusMeaning]] = field(default_factory=dict)
    file_meaning: StatusMeaning | None = None

    def settles(self, place: int) -> bool:
        """Whether they say what the column at ``place`` is."""
        return place in self.uses or place in self.meanings

    @property
    def names_email(self) -> bool:
        """Whether they say which column has the addresses."""
        return ColumnUse.email in self.uses.values()

    @property
    def unwatched(self) -> frozenset[int]:
        """The columns of which they say that nothing in them counts."""
        return frozenset(place for place, use in self.uses.items() if use is ColumnUse.unused)


def correct_layout(
    layout: ColumnLayout, corrections: ColumnCorrections, sample: Sequence[Sequence[str]]
) -> ColumnLayout:
    """Return ``layout`` as a person corrected it; ``sample`` are the first cells of each column.

    Places that the file does not have are passed over: it may be another sheet than before.
    """
    uses = {place: use for place, use in sorted(corrections.uses.items()) if place < len(layout.titles)}
    chosen: dict[str, tuple[int, ...]] = {}
    for place, use in uses.items():
        if use not in {ColumnUse.unused, ColumnUse.status}:
            chosen[use.value] = (*chosen.get(use.value, ()), place)
    kept = {name: tuple(place for place in held if place not in uses) for name, held in layout.places.items()}
    # What a person chose counts before what was guessed.
    places = {name: chosen.get(name, ()) + kept.get(name, ()) for name in {**kept, **chosen}}
    known = {column.place: column for column in layout.statuses}
    told = [
        known.get(place) or make_status_column(layout.titles[place], place, sample[place])
        for place, use in uses.items()
        if use is ColumnUse.status
    ]
    statuses = [column for column in layout.statuses if column.place not in uses]
    return correct_statuses(
        replace(
            layout,
            places={name: held for name, held in places.items() if held},
            statuses=(*statuses, *told),
            ignored=tuple(place for place in layout.ignored if place not in uses),
        ),
        corrections,
    )


def correct_statuses(layout: ColumnLayout, corrections: ColumnCorrections) -> ColumnLayout:
    """Return ``layout`` with what a person said the values of its columns about status mean."""
    known = {column.place for column in layout.statuses}
    named = [
        StatusColumn(
            title=layout.titles[place],
            place=place,
            kind=StatusKind.status,
            values=dict(values),
            # Only some of its words count: it was searched for them, and is about something else.
            unknown=StatusMeaning.nothing,
        )
        for place, values in corrections.meanings.items()
        if place < len(layout.titles) and place not in known and place not in corrections.uses
    ]
    changed = [
        column if column.kind is StatusKind.everybody else _name_values(column, corrections)
        for column in layout.statuses
    ]
    return replace(layout, statuses=(*changed, *named))


def _name_values(column: StatusColumn, corrections: ColumnCorrections) -> StatusColumn:
    values = corrections.meanings.get(column.place)
    if not values:
        return column
    return replace(column, values={**column.values, **values})
