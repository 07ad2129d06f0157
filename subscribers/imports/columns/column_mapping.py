"""Map the columns of a file to ours: by the program that wrote it, by a columns file, or by a guess."""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePath

from locales.phrase import gettext_noop
from subscribers.csv_format import COLUMNS, SEPARATOR, SheetRow, unescape_formulas
from subscribers.errors import ImportFileError, quote_for_message
from subscribers.imports.columns.column_titles import HeaderRow, find_header, find_known_format
from subscribers.imports.columns.columns_file import ColumnsFile, write_columns_text
from subscribers.imports.columns.layout_guess import (
    ColumnCorrections,
    LayoutGuess,
    correct_layout,
    correct_statuses,
    describe_doubt,
    doubtful_columns,
)
from subscribers.imports.columns.layouts import (
    ColumnLayout,
    LayoutReader,
    OwnColumns,
    RawRow,
    are_turned,
    find_own_columns,
    fit_width,
    make_listmonk_reader,
)
from subscribers.imports.columns.status_columns import (
    EVERY_ROW,
    StatusColumn,
    StatusColumnCount,
    StatusReader,
    ease_dates_of_change,
    guess_statuses,
    make_status_column,
)
from subscribers.imports.columns.status_titles import (
    StatusKind,
    StatusTitle,
    classify_labels,
)
from subscribers.imports.columns.status_words import (
    StatusMeaning,
    fold,
)

OWN = "partner-mailer"
TABLE = "your table of columns"
GUESS = "guessed from titles and cells"
FILE_NAME = "the name of the file"
"""In place of a column's title, where the name of the file says who left."""
_OWN_WITH_STATUS = frozenset({*COLUMNS, "status"})
_NOTHING_SAID = ColumnCorrections()


class DoubtfulColumnsError(ImportFileError):
    """It is not certain what some columns hold. ``doubts`` say so in sentences; ``layout`` is what they were
    taken for, and ``counts`` are values that are not understood.
    """

    def __init__(
        self,
        name: str,
        doubts: Sequence[str],
        layout: ColumnLayout,
        *,
        counts: Sequence[StatusColumnCount] = (),
        row: int | None = None,
    ) -> None:
        self.doubts = tuple(doubts)
        self.layout = layout
        self.counts = tuple(counts)
        super().__init__(
            name,
            " ".join(doubts),
            row,
            advice="Nothing was imported. Save the following as columns.toml, correct it, and import with "
            "--columns columns.toml. A column that tells who left goes into [status]; one that does not goes "
            "there as ignored.",
            columns_text=write_columns_text(layout, counts),
        )


class UnknownStatusesError(ImportFileError):
    """Values of columns that tell who left are not understood; ``counts`` are all their values."""

    def __init__(self, name: str, layout: ColumnLayout, counts: Sequence[StatusColumnCount]) -> None:
        self.counts = tuple(counts)
        unknown = [count for count in counts if count.unknown]
        named = "; ".join(
            f"{quote_for_message(count.column)} has "
            + ", ".join(f"{quote_for_message(value.value)} ×{value.rows:,}" for value in count.unknown[:10])
            + (f" and {len(count.unknown) - 10:,} other values" if len(count.unknown) > 10 else "")
            for count in unknown
        )
        super().__init__(
            name,
            gettext_noop("nothing was imported, because it is not clear who left: %(values)s.")
            % {"values": named},
            advice="Say what each value means: save the following as columns.toml, enter the values, and "
            "import with --columns columns.toml. A column that is not about leaving goes into "
            f"[status] as ignored = [{quote_for_message(unknown[0].column)}].",
            columns_text=write_columns_text(layout, counts),
        )


@dataclass(frozen=True, kw_only=True)
class ColumnMapping:
    """How to convert rows, by ``own`` columns of ours or by a ``reader`` of others.

    ``maker`` is the program that wrote the file, or how else its columns were told. ``meaning`` maps our
    columns to the file's, for display; ``unused`` are the file's other columns. ``first`` is the index of
    the first row of people among the rows that were looked at. ``asking`` notes tags of our own columns that
    may say who left. ``read_row`` raises
    :class:`subscribers.errors.DetailError` for a row that is refused.
    """

    maker: str
    meaning: Mapping[str, tuple[str, ...]]
    unused: tuple[str, ...]
    read_row: Callable[[SheetRow], RawRow]
    first: int = 1
    notes: tuple[str, ...] = ()
    reader: LayoutReader | None = field(default=None, repr=False)
    own: OwnColumns | None = None
    asking: StatusReader | None = field(default=None, repr=False)

    @property
    def layout(self) -> ColumnLayout | None:
        return self.reader.layout if self.reader else None

    @property
    def may_suppress(self) -> bool:
        """Whether a row can suppress an address; our own columns say nothing of leaving."""
        return self.own is None

    @property
    def counts(self) -> tuple[StatusColumnCount, ...]:
        """What the values of the columns about status were taken for, as far as rows have been read."""
        return self.reader.statuses.counts() if self.reader else ()

    @property
    def suppresses_all(self) -> bool:
        columns = self.layout.statuses if self.layout else ()
        return any(column.kind is StatusKind.everybody for column in columns)

    def require_understood(self, name: str) -> None:
        """Raise :class:`UnknownStatusesError`, after the last row, if a status was not understood."""
        if self.own is not None and self.asking is not None and (counts := self.asking.counts()):
            places = {column: (place,) for column, place in self.own.places.items()}
            layout = ColumnLayout(titles=self.own.titles, header_row=1, places=places)
            raise UnknownStatusesError(name, layout, counts)
        if self.layout is not None and any(count.unknown for count in self.counts):
            raise UnknownStatusesError(name, self.layout, self.counts)

    def columns_text(self, *, sheet: str | None = None) -> str:
        return write_columns_text(self.layout, self.counts, sheet=sheet) if self.layout else ""


def find_mapping(
    rows: Sequence[SheetRow],
    name: str,
    *,
    columns_file: ColumnsFile | None = None,
    corrections: ColumnCorrections = _NOTHING_SAID,
    told: StatusMeaning | None = None,
    sheet: str = "",
    sectors: Collection[str] = (),
) -> ColumnMapping:
    """Return the mapping for a file that begins with ``rows``, or the one that ``columns_file`` describes;
    without such a file, what was guessed is changed by ``corrections``. ``told`` is what its program says of
    everybody in it; otherwise its name, with those of its archive and ``sheet``, and the lines above its
    header may."""
    if told is not None:
        corrections = replace(corrections, file_meaning=corrections.file_meaning or told)
    labels = [*(part.removesuffix(PurePath(part).suffix) for part in name.split("/")), sheet]
    everybody = classify_labels(labels)
    may_be_own = columns_file is None and corrections == _NOTHING_SAID and len(rows) > 0
    own = find_own_columns(rows[0], name) if may_be_own and everybody is None else None
    if own and not _is_directory(own, rows[1:]):
        return _map_own(own)
    header = find_header(rows, name, wanted=columns_file.header if columns_file else corrections.header)
    cells = [row.cells for row in rows[header.first :] if not row.is_empty]
    if everybody is None:
        above = (row.cells for row in rows if row.number in header.skipped)
        everybody = classify_labels([cell for several in above for cell in several if cell.strip()])
    if columns_file is not None:
        return _map_by_columns_file(header, cells, name, columns_file, sectors, everybody)
    if header.number and {"email", "attributes"} <= set(map(fold, header.titles)):
        return _map_listmonk(header, cells, sectors, corrections, everybody)
    return _map_by_guess(header, cells, name, everybody, sectors, corrections)


def _is_directory(own: OwnColumns, rows: Sequence[SheetRow]) -> bool:
    """Return whether a list that is not an export of ours has names as a directory writes them."""
    place = own.places.get("name")
    if place is None or len(own.places) == len(COLUMNS):
        return False
    return are_turned([row.cells[place] for row in rows if place < len(row.cells)])


def _map_own(own: OwnColumns) -> ColumnMapping:
    tags = own.places.get("tags")
    asking = StatusReader(
        (), titles=own.titles, watched={} if tags is None else {tags: re.compile(SEPARATOR)}, asks=True
    )

    def read_row(row: SheetRow) -> RawRow:
        asking.read(fit_width(row.cells, len(own.titles)))
        cells = unescape_formulas(own.pick_cells(row.cells))
        email, name, organisation, country, sectors, language, tags = cells
        return RawRow(email, name, organisation, country, sectors, language, tags)

    return ColumnMapping(
        maker=OWN,
        meaning={column: (own.titles[place],) for column, place in own.places.items()},
        unused=(),
        read_row=read_row,
        own=own,
        asking=asking,
    )


def _map_listmonk(
    header: HeaderRow,
    cells: Sequence[Sequence[str]],
    sectors: Collection[str],
    corrections: ColumnCorrections,
    everybody: StatusTitle | None,
) -> ColumnMapping:
    folded = [fold(title) for title in header.titles]
    attributes = folded.index("attributes")
    places: dict[str, tuple[int, ...]] = {
        column: (folded.index(column),) for column in ("email", "name") if column in folded
    }
    # There is no status in what listmonk itself would import.
    place = folded.index("status") if "status" in folded else None
    status = () if place is None else (make_status_column(header.titles[place], place),)
    layout = ColumnLayout(titles=header.titles, header_row=header.number, places=places, statuses=status)
    columns = header.by_column(cells)
    others, _ = guess_statuses(header.titles, columns, taken=layout.used | {attributes})
    statuses = ease_dates_of_change((*status, *others), columns)
    layout = correct_statuses(replace(layout, statuses=statuses), corrections)
    layout = _add_everybody(layout, everybody, cells, said=corrections.file_meaning)
    reader = LayoutReader(layout, sectors=sectors, is_strict=True, unwatched={attributes})
    return replace(
        _make_mapping("listmonk", header, reader),
        meaning=dict(layout.meaning) | dict.fromkeys(COLUMNS[2:], (header.titles[attributes],)),
        unused=tuple(title for title in layout.unused if title != header.titles[attributes]),
        read_row=make_listmonk_reader(reader, attributes),
    )


def _map_by_columns_file(
    header: HeaderRow,
    cells: Sequence[Sequence[str]],
    name: str,
    columns_file: ColumnsFile,
    sectors: Collection[str],
    everybody: StatusTitle | None,
) -> ColumnMapping:
    layout = _lay_out_by_columns_file(header, header.by_column(cells), name, columns_file)
    said = columns_file.status_columns.get(FILE_NAME, {})
    layout = _add_everybody(layout, everybody, cells, said=said.get(None, said.get(fold(EVERY_ROW))))
    reader = LayoutReader(
        layout,
        sectors=sectors,
        is_strict=True,
        divided={"sectors", "tags"} - columns_file.separators.keys(),
        unwatched=set(layout.ignored),
    )
    mapping = _make_mapping(TABLE, header, reader)
    return replace(mapping, read_row=lambda row: columns_file.translate(reader.read(row)))


def _lay_out_by_columns_file(
    header: HeaderRow, columns: Sequence[Sequence[str]], name: str, columns_file: ColumnsFile
) -> ColumnLayout:
    """Return what each column of the file ``name`` is. Raise ImportFileError if there is no column that
    ``columns_file`` names, and DoubtfulColumnsError if another one may say who left.
    """
    folded = [title.casefold() for title in header.titles]

    def find(title: str) -> int:
        if " ".join(title.split()).casefold() not in folded:
            raise ImportFileError(
                name,
                gettext_noop("there is no column %(text)s, although %(name)s names it.")
                % {"text": quote_for_message(title), "name": columns_file.name},
                header.number or 1,
            )
        return folded.index(" ".join(title.split()).casefold())

    places = {ours: tuple(map(find, titles)) for ours, titles in columns_file.columns.items()}
    named = []
    for title, values in columns_file.status_columns.items():
        if title == FILE_NAME:
            continue
        column = make_status_column(header.titles[find(title)], find(title), columns[find(title)])
        known = {value: meaning for value, meaning in values.items() if value is not None}
        named.append(replace(column, values=known, any_value=values.get(None), unknown=None))
    set_aside = set(map(find, columns_file.status_ignored))
    taken = {place for several in places.values() for place in several}
    # A column that nobody named may still tell who left.
    found, doubtful = guess_statuses(
        header.titles,
        columns,
        taken=taken | set_aside | {column.place for column in named},
        has_titles=header.number > 0,
    )
    layout = ColumnLayout(
        titles=header.titles,
        header_row=header.number,
        places=places,
        statuses=ease_dates_of_change((*named, *found), columns),
        ignored=tuple(sorted(set_aside)),
    )
    if doubtful:
        raise DoubtfulColumnsError(
            name,
            [describe_doubt(header.titles[place]) for place in doubtful],
            replace(layout, statuses=(*layout.statuses, *doubtful_columns(header.titles, doubtful))),
            row=header.number or None,
        )
    return layout


def _map_by_guess(
    header: HeaderRow,
    cells: Sequence[Sequence[str]],
    name: str,
    everybody: StatusTitle | None,
    sectors: Collection[str],
    corrections: ColumnCorrections,
) -> ColumnMapping:
    known = find_known_format(header.titles) if header.number else None
    guess = LayoutGuess(header, cells, known)
    columns = header.by_column(cells)
    layout = correct_layout(guess.layout, corrections, columns)
    doubts = [] if corrections.names_email else list(guess.doubts)
    if "email" not in layout.places:
        doubts.insert(0, _describe_missing_email(header))
    doubts += [
        describe_doubt(header.titles[place]) for place in guess.doubtful if not corrections.settles(place)
    ]
    if doubts:
        raise DoubtfulColumnsError(name, doubts, layout, counts=guess.counts, row=header.number or None)
    layout = _add_everybody(layout, everybody, cells, said=corrections.file_meaning)
    is_own = {title.casefold() for title in header.titles} <= _OWN_WITH_STATUS
    reader = LayoutReader(
        layout,
        sectors=sectors,
        is_strict=is_own or (known is not None and known.name == "Mailchimp"),
        unwatched=corrections.unwatched,
        turned=any(are_turned(columns[place]) for place in layout.places.get("name", ())),
    )
    maker = OWN if is_own else known.name if known else GUESS
    return _make_mapping(maker, header, reader)


def _add_everybody(
    layout: ColumnLayout,
    everybody: StatusTitle | None,
    rows: Sequence[Sequence[str]],
    *,
    said: StatusMeaning | None,
) -> ColumnLayout:
    """Add what the names of the list say of all in it, where no column says more than that they once agreed;
    or what a person ``said`` of them."""
    if said in {StatusMeaning.active, StatusMeaning.nothing}:
        return layout
    if said is None and (everybody is None or any(_tells_who_left(one, rows) for one in layout.statuses)):
        return layout
    meaning = said or (everybody.meaning if everybody and everybody.is_certain else None)
    column = StatusColumn(
        title=FILE_NAME, place=layout.places["email"][0], kind=StatusKind.everybody, meaning=meaning
    )
    return replace(layout, statuses=(*layout.statuses, column))


def _describe_everybody(layout: ColumnLayout) -> tuple[str, ...]:
    return tuple(
        gettext_noop(
            "The name of the file or its sheet, or a line above the header, says %(value)s, and no column "
            "says otherwise, so nobody in it gets mail. If that is wrong, change it there."
        )
        % {"value": column.meaning.value}
        for column in layout.statuses
        if column.title == FILE_NAME and column.meaning
    )


def _tells_who_left(column: StatusColumn, rows: Sequence[Sequence[str]]) -> bool:
    said = {column.read(row[column.place]) for row in rows if column.place < len(row)}
    if column.kind is StatusKind.status:
        return bool(said - {StatusMeaning.nothing})
    return bool(said - {StatusMeaning.nothing, StatusMeaning.active})


def _make_mapping(maker: str, header: HeaderRow, reader: LayoutReader) -> ColumnMapping:
    return ColumnMapping(
        maker=maker,
        meaning=reader.layout.meaning,
        unused=reader.layout.unused,
        read_row=reader.read,
        first=header.first,
        notes=(*_describe_header(header), *_describe_everybody(reader.layout)),
        reader=reader,
    )


def _describe_header(header: HeaderRow) -> tuple[str, ...]:
    if header.number == 0:
        return (
            gettext_noop(
                "No row names the columns, so they were told by what is in them; the first row counts."
            ),
        )
    if not header.skipped:
        return ()
    first, last = header.skipped[0], header.skipped[-1]
    words = (
        gettext_noop("Row %(first)s above the header (row %(number)s) was skipped.")
        if first == last
        else gettext_noop("Rows %(first)s to %(last)s above the header (row %(number)s) were skipped.")
    )
    return (words % {"first": first, "last": last, "number": header.number},)


def _describe_missing_email(header: HeaderRow) -> str:
    if header.number == 0:
        return gettext_noop("There are no titles, and no column is full of addresses.")
    return gettext_noop(
        "There is no email column, and it is required: no title names one, and no column "
        "is full of addresses."
    )
