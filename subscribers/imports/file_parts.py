"""Open a file for import: detect its format and return its rows with the mapping of its columns."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

from locales.phrase import gettext_noop
from subscribers.csv_format import SheetRow
from subscribers.errors import ImportFileError, quote_for_message
from subscribers.imports.columns.column_mapping import ColumnMapping, MailchimpFile, find_mapping
from subscribers.imports.columns.columns_file import ColumnsFile
from subscribers.imports.columns.layout_guess import ColumnCorrections
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
    ZipArchive,
    describe_unsupported,
    describe_unsupported_archive,
    is_zip,
    make_file_source,
    open_archive,
)
from subscribers.imports.files.open_document import is_open_document, open_open_document
from subscribers.imports.files.text_encoding import detect_encoding
from subscribers.imports.files.workbook import Workbook, choose_sheet, describe_unread

_TEXT_SUFFIXES = (".csv", ".txt", ".tsv")
LOOKED_AT = 500
"""How many rows are looked at to tell the columns."""
_DELIMITER_NAMES = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}


@dataclass(frozen=True, kw_only=True)
class ReadOptions:
    """How to read a file, where the user knows better than detection. ``sheet`` is the name of a sheet of a
    workbook; ``accepts_likely_encoding`` says whether to use a guessed encoding, which the user has not
    confirmed. ``columns`` describes all columns, ``corrections`` change what single ones were taken for.
    ``name`` is what the file is called, if not as on the disk.
    """

    encoding: str | None = None
    delimiter: str | None = None
    columns: ColumnsFile | None = None
    corrections: ColumnCorrections | None = None
    sheet: str | None = None
    name: str = ""
    accepts_likely_encoding: bool = True


@dataclass(frozen=True, kw_only=True)
class RawPart:
    """A file, or one file of an archive, whose columns are not known yet.

    ``name`` is for messages. ``form`` describes its format; ``encoding`` is Python's name of a text's
    encoding, and ``certain`` is False if that was guessed. ``delimiter`` is "" unless cells are delimited.
    ``sheets`` are the names of a workbook's sheets, and ``sheet`` is the one that is read. ``member`` is its
    name in the archive, empty for a single file. ``first`` are its first rows, and ``rows`` yields those
    after, once. ``notes`` are sentences about what of the file was not read.
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
    mailchimp_file: MailchimpFile | None = None
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

    Raises:
        ImportFileError: it cannot be read, is hostile, or has unknown columns.
    """
    with open_raw_parts(path, options) as parts:
        mapped = [_map_part(part, options, sectors) for part in parts]
        yield sorted(mapped, key=lambda part: not part.mapping.suppresses_all)


@contextmanager
def open_raw_parts(path: Path, options: ReadOptions) -> Iterator[Iterator[RawPart]]:
    """Open the file at ``path``, one part after the other, without asking what its columns are.

    Raises:
        ImportFileError: it cannot be read, or is hostile.
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
    """Find what the columns of ``part`` hold.

    Raises:
        ImportFileError: it is not certain.
    """
    return find_mapping(
        part.first,
        part.name,
        columns_file=options.columns,
        corrections=options.corrections,
        mailchimp_file=part.mailchimp_file,
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
    chosen = choose_sheet(workbook, options.sheet)
    several = len(workbook.sheets) > 1
    return RawPart(
        name=workbook.file,
        member="",
        form=gettext_noop("%(form)s, sheet %(text)s")
        % {"form": workbook.form, "text": quote_for_message(chosen.name)}
        if several
        else workbook.form,
        first=list(islice(chosen.rows, LOOKED_AT)),
        rows=chosen.rows,
        sheets=tuple(sheet.name for sheet in workbook.sheets),
        sheet=chosen.name,
        notes=(describe_unread(chosen.unread),) if chosen.unread else (),
    )


def _read_members(archive: ZipArchive, options: ReadOptions) -> Iterator[RawPart]:
    names = [
        name for name in archive.names if name.lower().endswith(_TEXT_SUFFIXES) and "__MACOSX" not in name
    ]
    if not names:
        raise ImportFileError(archive.name, gettext_noop("there is no CSV file in the archive."))
    for name in sorted(names):
        yield _read_text(
            archive.member(name), options, member=name, mailchimp_file=_detect_mailchimp_file(name)
        )


def _detect_mailchimp_file(name: str) -> MailchimpFile | None:
    """Tell Mailchimp's files apart by the beginning of their names."""
    begins = name.rpartition("/")[2].lower().replace("-", "")
    return next((role for role in MailchimpFile if begins.startswith(role)), None)


def _read_text(
    source: FileSource,
    options: ReadOptions,
    *,
    member: str = "",
    mailchimp_file: MailchimpFile | None = None,
) -> RawPart:
    if unsupported := describe_unsupported(source):
        raise ImportFileError(source.name, unsupported)
    detected = detect_encoding(source, wanted=options.encoding)
    encoding = detected.encoding
    if not (detected.certain or options.accepts_likely_encoding):
        raise ImportFileError(
            source.name,
            gettext_noop(
                "its encoding is probably %(label)s, but this is not certain, so nothing was imported."
            )
            % {"label": detected.label},
            advice="Check the names with --dry-run. If they are right, import it with --encoding "
            f"{encoding}.",
        )
    delimiter = ""
    if is_vcard(source, encoding):
        form, rows = (
            gettext_noop("vCard, %(label)s") % {"label": detected.label},
            read_vcards(source, encoding=encoding),
        )
    elif is_ldif(source, encoding):
        form, rows = (
            gettext_noop("LDIF, %(label)s") % {"label": detected.label},
            read_ldif(source, encoding=encoding),
        )
    elif is_sympa_dump(source, encoding):
        form, rows = (
            gettext_noop("list of addresses, %(label)s") % {"label": detected.label},
            read_sympa_dump(source, encoding=encoding),
        )
    elif has_address_lines(source, encoding):
        form, rows = (
            gettext_noop("list of addresses, %(label)s") % {"label": detected.label},
            read_address_lines(source, encoding=encoding),
        )
    else:
        delimiter = options.delimiter or detect_delimiter(source, encoding)
        between = _DELIMITER_NAMES.get(delimiter, repr(delimiter))
        form = gettext_noop("CSV, %(label)s, %(delimiter)s") % {"label": detected.label, "delimiter": between}
        rows = read_delimited(source, encoding=encoding, delimiter=delimiter)
    return RawPart(
        name=source.name,
        member=member,
        form=form,
        first=list(islice(rows, LOOKED_AT)),
        rows=rows,
        encoding=encoding,
        certain=detected.certain,
        delimiter=delimiter,
        mailchimp_file=mailchimp_file,
    )
