"""Open a file for import: its format and rows, what its columns are taken for, and a first look at both."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from types import MappingProxyType

from locales.phrase import gettext_noop
from subscribers.csv_format import SheetRow
from subscribers.errors import ImportFileError, SubscriberError, quote_for_message
from subscribers.imports.columns.column_mapping import (
    ColumnMapping,
    DoubtfulColumnsError,
    find_mapping,
)
from subscribers.imports.columns.columns_file import ColumnsFile
from subscribers.imports.columns.layout_guess import ColumnCorrections, ColumnUse
from subscribers.imports.columns.layouts import ColumnLayout
from subscribers.imports.columns.status_words import StatusMeaning
from subscribers.imports.files.address_books import (
    has_address_lines,
    is_ldif,
    is_sympa_dump,
    is_vcard,
    read_address_lines,
    read_ldif,
    read_sympa_dump,
    read_vcards,
)
from subscribers.imports.files.delimited_text import BatchedRows, batch_rows, detect_delimiter, read_delimited
from subscribers.imports.files.excel_workbook import is_excel_workbook, open_excel_workbook
from subscribers.imports.files.file_source import (
    FileSource,
    ListArchive,
    describe_unsupported,
    describe_unsupported_archive,
    is_zip,
    make_file_source,
    open_archive,
)
from subscribers.imports.files.open_document import is_open_document, open_open_document
from subscribers.imports.files.text_encoding import detect_encoding, label_encoding
from subscribers.imports.files.workbook import Workbook, choose_sheet, describe_unread

_TEXT_SUFFIXES = (".csv", ".txt", ".tsv")
LOOKED_AT = 500
"""How many rows are looked at to tell the columns."""
_MAILCHIMP_FILES: Mapping[str, StatusMeaning] = MappingProxyType(
    {
        "unsubscribed": StatusMeaning.unsubscribed,
        "cleaned": StatusMeaning.bounced,
        "nonsubscribed": StatusMeaning.unconfirmed,
    }
)
"""How the names of the files in Mailchimp's archive begin, but for that of its subscribers."""
_DELIMITER_NAMES = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
SAMPLES = 3
"""How many values of a column are shown."""
_TABLES = ("CSV", "Excel", "OpenDocument", "LibreOffice")
"""How the forms of files begin that are tables."""


@dataclass(frozen=True, kw_only=True)
class ReadOptions:
    """How to read a file, where the user knows better than detection. ``accepts_likely_encoding`` says
    whether to use a guessed encoding, which the user has not confirmed. ``columns`` describes all columns,
    ``corrections`` change what single ones were taken for. ``name`` is what the file is called, if not as on
    the disk.
    """

    encoding: str | None = None
    delimiter: str | None = None
    columns: ColumnsFile | None = None
    corrections: ColumnCorrections = field(default_factory=ColumnCorrections)
    sheet: str | None = None
    name: str = ""
    accepts_likely_encoding: bool = True


@dataclass(frozen=True, kw_only=True)
class RawPart:
    """A file, or one file of an archive, whose columns are not known yet.

    ``name`` is for messages, and ``member`` its name in the archive, empty for a single file. ``encoding`` is
    Python's name of a text's encoding, and ``certain`` is False if that was guessed. ``delimiter`` is ""
    unless cells are delimited. ``sheet`` is the one of its ``sheets`` that is read. ``first`` are its first
    rows, and ``rows`` yields those after, once. ``told`` is what its program says of everybody in it, and
    ``notes`` are sentences about what was not read.
    """

    name: str
    member: str
    form: str
    first: Sequence[SheetRow] = field(repr=False)
    rows: Iterator[SheetRow] = field(repr=False)
    encoding: str = ""
    certain: bool = True
    delimiter: str = ""
    sheets: tuple[str, ...] = ()
    sheet: str = ""
    told: StatusMeaning | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class FilePart:
    """A part whose columns are known. ``rows`` yields the rows below the header, once."""

    name: str
    member: str
    form: str
    certain: bool
    mapping: ColumnMapping
    rows: BatchedRows = field(repr=False)
    notes: tuple[str, ...] = ()


@contextmanager
def open_parts(
    path: Path, options: ReadOptions, *, sectors: Collection[str] = ()
) -> Iterator[list[FilePart]]:
    """Open the file at ``path``; parts that suppress addresses come first. ``sectors`` are the workspace's.
    Raise ImportFileError if it cannot be read, is hostile, or has unknown columns.
    """
    with open_raw_parts(path, options) as parts:
        mapped = [_map_part(part, options, sectors) for part in parts]
        yield sorted(mapped, key=lambda part: not part.mapping.suppresses_all)


@contextmanager
def open_raw_parts(path: Path, options: ReadOptions) -> Iterator[Iterator[RawPart]]:
    """Open the file at ``path``, one part after the other, without asking what its columns are. Raise
    ImportFileError if it cannot be read, or is hostile.
    """
    if options.sheet is None and options.columns is not None:
        options = replace(options, sheet=options.columns.sheet)
    material = make_file_source(path, options.name)
    with ExitStack() as stack:
        if not is_zip(material):
            _refuse_sheet_option(material.name, options)
            yield iter([_read_text(material, options)])
            return
        archive = stack.enter_context(open_archive(material))
        if is_excel_workbook(archive.names):
            yield iter([_read_workbook(open_excel_workbook(archive), options)])
        elif is_open_document(archive):
            yield iter([_read_workbook(open_open_document(archive), options)])
        elif unsupported := describe_unsupported_archive(archive):
            raise ImportFileError(archive.name, unsupported)
        else:
            _refuse_sheet_option(material.name, options)
            yield _read_members(archive, options)


def _map_part(part: RawPart, options: ReadOptions, sectors: Collection[str]) -> FilePart:
    mapping = find_part_mapping(part, options, sectors=sectors)
    # What was looked at is not read again, so that a workbook is not loaded twice.
    return FilePart(
        name=part.name,
        member=part.member,
        form=part.form,
        certain=part.certain,
        mapping=mapping,
        rows=batch_rows(part.first[mapping.first :], part.rows),
        notes=part.notes,
    )


def find_part_mapping(part: RawPart, options: ReadOptions, *, sectors: Collection[str] = ()) -> ColumnMapping:
    return find_mapping(
        part.first,
        part.name,
        columns_file=options.columns,
        corrections=options.corrections,
        told=part.told,
        sheet=part.sheet,
        sectors=sectors,
    )


def _refuse_sheet_option(name: str, options: ReadOptions) -> None:
    if options.sheet is not None:
        raise ImportFileError(
            name,
            gettext_noop("it has no sheets, so there is no sheet %(text)s.")
            % {"text": quote_for_message(options.sheet)},
            advice="Leave out --sheet, or sheet in the file for --columns.",
        )


def _read_workbook(workbook: Workbook, options: ReadOptions) -> RawPart:
    sheet, unread = choose_sheet(workbook, options.sheet)
    rows = sheet.read_rows()
    several = len(workbook.sheets) > 1
    return RawPart(
        name=workbook.file,
        member="",
        form=gettext_noop("%(form)s, sheet %(text)s")
        % {"form": workbook.form, "text": quote_for_message(sheet.name)}
        if several
        else workbook.form,
        first=list(islice(rows, LOOKED_AT)),
        rows=rows,
        sheets=tuple(other.name for other in workbook.sheets),
        sheet=sheet.name,
        notes=(describe_unread(unread),) if unread else (),
    )


def _read_members(archive: ListArchive, options: ReadOptions) -> Iterator[RawPart]:
    names = [
        name for name in archive.names if name.lower().endswith(_TEXT_SUFFIXES) and "__MACOSX" not in name
    ]
    if not names:
        raise ImportFileError(archive.name, gettext_noop("there is no CSV file in the archive."))
    for name in sorted(names):
        begins = name.rpartition("/")[2].lower().replace("-", "")
        told = next((told for start, told in _MAILCHIMP_FILES.items() if begins.startswith(start)), None)
        yield _read_text(archive.member(name), options, member=name, told=told)


def _read_text(
    source: FileSource,
    options: ReadOptions,
    *,
    member: str = "",
    told: StatusMeaning | None = None,
) -> RawPart:
    if unsupported := describe_unsupported(source):
        raise ImportFileError(source.name, unsupported)
    encoding, is_certain = detect_encoding(source, wanted=options.encoding)
    label = {"label": label_encoding(encoding)}
    if not (is_certain or options.accepts_likely_encoding):
        raise ImportFileError(
            source.name,
            gettext_noop(
                "its encoding is probably %(label)s, but this is not certain, so nothing was imported."
            )
            % label,
            advice="Check the names with --dry-run. If they are right, import it with --encoding "
            f"{encoding}.",
        )
    delimiter = ""
    rows: Iterator[SheetRow]
    if is_vcard(source, encoding):
        form, rows = gettext_noop("vCard, %(label)s"), read_vcards(source, encoding=encoding)
    elif is_ldif(source, encoding):
        form, rows = gettext_noop("LDIF, %(label)s"), read_ldif(source, encoding=encoding)
    elif is_sympa_dump(source, encoding):
        form, rows = gettext_noop("list of addresses, %(label)s"), read_sympa_dump(source, encoding=encoding)
    elif has_address_lines(source, encoding):
        form = gettext_noop("list of addresses, %(label)s")
        rows = read_address_lines(source, encoding=encoding)
    else:
        delimiter = options.delimiter or detect_delimiter(source, encoding)
        form = gettext_noop("CSV, %(label)s, %(delimiter)s")
        label["delimiter"] = _DELIMITER_NAMES.get(delimiter, repr(delimiter))
        rows = read_delimited(source, encoding=encoding, delimiter=delimiter)
    return RawPart(
        name=source.name,
        member=member,
        form=form % label,
        first=list(islice(rows, LOOKED_AT)),
        rows=rows,
        encoding=encoding,
        certain=is_certain,
        delimiter=delimiter,
        told=told,
    )


_TOP_ROWS, _TOP_CELLS, _LONGEST_CELL = 12, 6, 80


@dataclass(frozen=True, kw_only=True)
class InspectedColumn:
    """A column: its ``place`` from 0, the first different values in it, and what it is used for.
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

    ``top`` are its first rows that are not empty, each with its number and its first cells; ``header`` is the
    number of the one that names the columns, 0 if none does, None if it is not known. ``columns`` is empty
    unless the file is a single one with a header. ``members`` is the number of files in an archive, 0 for a
    single file.
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

    @property
    def header_rows(self) -> Mapping[int, Sequence[str]]:
        return dict(self.top) if self.form.startswith(_TABLES) and not self.members else {}


def inspect_file(path: Path, options: ReadOptions, *, sectors: Collection[str] = ()) -> InspectedFile:
    """Look at the beginning of the file at ``path``. Raise ImportFileError if it cannot be read, or is
    hostile. What its columns hold is no reason.
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
        layout = doubt.layout
        below = (place for place, row in enumerate(part.first) if row.number > layout.header_row)
        first = next(below, len(part.first))
    except ImportFileError:
        return None, ()
    else:
        if (reader := mapping.reader) is None:
            places = mapping.own.places if mapping.own else {}
            ours = {place: ColumnUse(column) for column, place in places.items()}
            header = part.first[0]
            return header.number, _list_columns(part.first[mapping.first :], header.cells, ours)
        layout, first = reader.layout, mapping.first
    uses = _list_uses(layout)
    return layout.header_row, _list_columns(part.first[first:], layout.titles, uses)


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
    text = " ".join(cell.split())
    return text if len(text) <= _LONGEST_CELL else f"{text[: _LONGEST_CELL - 1]}…"


def propose_columns(path: Path, options: ReadOptions, *, sectors: Collection[str]) -> str:
    """Return a columns file for the file at ``path``, also for one that cannot be imported without. Raise
    ImportFileError if it cannot be read, or has our own columns, so that there is nothing to say.
    """
    try:
        with open_parts(path, options, sectors=sectors) as parts:
            for part in parts:
                _read_all(part)
            texts = [text for part in parts if (text := part.mapping.columns_text(sheet=options.sheet))]
    except ImportFileError as error:
        if error.columns_text:
            return error.columns_text
        raise
    if not texts:
        raise ImportFileError(
            options.name or path.name, "it has our own columns, so it needs no table of columns."
        )
    return texts[0]


def _read_all(part: FilePart) -> None:
    """Read every row, so that the values of all columns about status are counted."""
    for row in part.rows:
        try:
            part.mapping.read_row(row)
        except SubscriberError:
            continue
