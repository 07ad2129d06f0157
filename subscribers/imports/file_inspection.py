"""A first look at a file: how it is read, and what its columns are taken for."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from subscribers.csv_format import SheetRow
from subscribers.errors import ImportFileError
from subscribers.imports.columns.column_mapping import ColumnMapping, DoubtfulColumnsError
from subscribers.imports.columns.layout_guess import ColumnUse
from subscribers.imports.columns.layouts import ColumnLayout
from subscribers.imports.file_parts import RawPart, ReadOptions, find_part_mapping, open_raw_parts

SAMPLES = 3
"""How many values of a column are shown."""
_TOP_ROWS, _TOP_CELLS, _LONGEST_CELL = 12, 6, 80


@dataclass(frozen=True, kw_only=True)
class InspectedColumn:
    """A column: its ``place`` from 0, its title, the first different values in it, and what it is used for.

    ``is_filled`` says whether any of the rows that were looked at has something in it.
    """

    place: int
    title: str
    samples: tuple[str, ...]
    use: ColumnUse
    is_filled: bool = True


@dataclass(frozen=True, kw_only=True)
class InspectedFile:
    """How a file is read; see :class:`~subscribers.imports.file_parts.RawPart`.

    ``top`` are its first rows that are not empty, each with its number and its first cells, to choose the one
    that names the columns; ``header`` is that row's number, 0 if none does, None if it is not known.
    ``columns`` is empty unless the file is a single one with a header. ``members`` is the number of files in
    an archive, 0 for a single file.
    """

    form: str
    encoding: str = ""
    certain: bool = True
    delimiter: str = ""
    sheets: tuple[str, ...] = ()
    sheet: str = ""
    top: tuple[tuple[int, tuple[str, ...]], ...] = ()
    header: int | None = None
    columns: tuple[InspectedColumn, ...] = ()
    members: int = 0


def inspect_file(path: Path, options: ReadOptions, *, sectors: Collection[str] = ()) -> InspectedFile:
    """Look at the beginning of the file at ``path``.

    Raises:
        ImportFileError: it cannot be read, or is hostile. What its columns hold is no reason.
    """
    with open_raw_parts(path, options) as found:
        parts = list(found)
    part = parts[0]
    if part.member:
        return InspectedFile(form=f"{len(parts)} × {part.form}", members=len(parts))
    header, columns = _inspect_columns(part, options, sectors)
    return InspectedFile(
        form=part.form,
        encoding=part.encoding,
        certain=part.certain,
        delimiter=part.delimiter,
        sheets=part.sheets,
        sheet=part.sheet,
        top=tuple(_list_top(part.first)),
        header=header,
        columns=columns,
    )


def _list_top(rows: Sequence[SheetRow]) -> Iterator[tuple[int, tuple[str, ...]]]:
    filled = [row for row in rows if not row.is_empty][:_TOP_ROWS]
    for row in filled:
        cells = [shorten_cell(cell) for cell in row.cells if cell.strip()]
        yield row.number, tuple(cells[:_TOP_CELLS])


def _inspect_columns(
    part: RawPart, options: ReadOptions, sectors: Collection[str]
) -> tuple[int | None, tuple[InspectedColumn, ...]]:
    try:
        mapping = find_part_mapping(part, options, sectors=sectors)
    except DoubtfulColumnsError as doubt:
        layout, first = doubt.layout, _find_first(part.first, doubt.layout.header_row)
    except ImportFileError:
        return None, ()
    else:
        if mapping.layout is None:
            return _inspect_own(part, mapping)
        layout, first = mapping.layout, mapping.first
    uses = _list_uses(layout)
    return layout.header_row, _list_columns(part.first[first:], layout.titles, uses)


def _find_first(rows: Sequence[SheetRow], header: int) -> int:
    """The place of the first row of people among ``rows``, below the row numbered ``header``."""
    return next((place for place, row in enumerate(rows) if row.number > header), len(rows))


def _inspect_own(part: RawPart, mapping: ColumnMapping) -> tuple[int | None, tuple[InspectedColumn, ...]]:
    titles = part.first[0].cells
    ours = {title: ColumnUse(column) for column, (title,) in mapping.meaning.items()}
    uses = {
        place: use
        for place, title in enumerate(titles)
        if (use := ours.get(title.strip().removeprefix("\ufeff"))) is not None
    }
    return part.first[0].number, _list_columns(part.first[mapping.first :], titles, uses)


def _list_uses(layout: ColumnLayout) -> dict[int, ColumnUse]:
    told = {column.place: ColumnUse.status for column in layout.statuses if column.title in layout.titles}
    held = {
        place: ColumnUse(name)
        for name, places in layout.places.items()
        if name in list(ColumnUse)
        for place in places
    }
    return {**told, **held}


def _list_columns(
    rows: Sequence[SheetRow], titles: Sequence[str], uses: dict[int, ColumnUse]
) -> tuple[InspectedColumn, ...]:
    columns = []
    for place, title in enumerate(titles):
        cells = (row.cells[place].strip() for row in rows if place < len(row.cells))
        filled = list(dict.fromkeys(cell for cell in cells if cell))
        columns.append(
            InspectedColumn(
                place=place,
                title=shorten_cell(title),
                samples=tuple(map(shorten_cell, filled[:SAMPLES])),
                use=uses.get(place, ColumnUse.unused),
                is_filled=bool(filled),
            )
        )
    return tuple(columns)


def shorten_cell(cell: str) -> str:
    """``cell`` on one line, as it is shown."""
    text = " ".join(cell.split())
    return text if len(text) <= _LONGEST_CELL else f"{text[: _LONGEST_CELL - 1]}…"
