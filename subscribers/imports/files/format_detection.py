"""A file opened to be imported: what it was found to be, and its rows as entries."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from subscribers.csv_format import Row
from subscribers.errors import ImportFileError
from subscribers.imports.files.column_mapping import Layout, Role, find_layout
from subscribers.imports.files.columns_file import ColumnTable
from subscribers.imports.files.delimited_text import find_delimiter, read_delimited
from subscribers.imports.files.file_source import Material, read_material
from subscribers.imports.files.text_encoding import find_lettering
from subscribers.imports.files.vcard import is_vcard, read_vcards
from subscribers.imports.files.workbook import is_workbook, read_workbook
from subscribers.imports.files.zip_archive import Archive, is_archive, open_archive

_OLE = b"\xd0\xcf\x11\xe0"
_TEXTS = (".csv", ".txt", ".tsv")
_DELIMITER_WORDS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How a person wants a file to be read, where they know better than what would be found. ``believes`` is
    whether an encoding that is only likely is taken as it was found; nobody may have looked at the names.
    """

    encoding: str | None = None
    delimiter: str | None = None
    columns: ColumnTable | None = None
    believes: bool = True


@dataclass(frozen=True, kw_only=True)
class Part:
    """A file, or one file of an archive. ``form`` says what it was found to be, in words; ``certain`` is
    False where its encoding is only likely. ``member`` is its name in the archive, empty for a file by
    itself. ``rows`` gives the rows below the header, once.
    """

    member: str
    form: str
    certain: bool
    layout: Layout
    rows: Iterator[Row] = field(repr=False)


@contextmanager
def open_parts(path: Path, reading: Reading) -> Iterator[list[Part]]:
    """What is in the file at ``path``; those who left come before those who did not.

    Raises:
        ImportFileError: it cannot be read, is hostile, or nobody knows what its columns mean.
    """
    material = read_material(path)
    with ExitStack() as stack:
        if not is_archive(material):
            yield [_read_text(material, reading)]
            return
        archive = stack.enter_context(open_archive(material))
        if is_workbook(archive.names):
            yield [_part(material.name, "", "Excel workbook", read_workbook(material, archive), reading)]
        else:
            yield _read_members(archive, reading)


def _read_members(archive: Archive, reading: Reading) -> list[Part]:
    names = [name for name in archive.names if name.lower().endswith(_TEXTS) and "__MACOSX" not in name]
    if not names:
        raise ImportFileError(archive.name, "there is no CSV file in the archive.")
    parts = [
        _read_text(archive.member(name), reading, member=name, role=_role(name)) for name in sorted(names)
    ]
    return sorted(parts, key=lambda part: not part.layout.may_leave)


def _role(name: str) -> Role | None:
    """Mailchimp's file names begin with who is in them."""
    begins = name.rpartition("/")[2].lower().replace("-", "")
    return next((role for role in Role if begins.startswith(role)), None)


def _read_text(material: Material, reading: Reading, *, member: str = "", role: Role | None = None) -> Part:
    if material.begins(4) == _OLE:
        raise ImportFileError(
            material.name, "it is an Excel 97 workbook (.xls). Save it as .xlsx or as CSV UTF-8."
        )
    lettering = find_lettering(material, wanted=reading.encoding)
    encoding = lettering.encoding
    if not (lettering.certain or reading.believes):
        raise ImportFileError(
            material.name,
            f"its encoding is probably {lettering.words}, but this is not certain, so nothing was imported. "
            f"Check the names with --dry-run. If they are right, import it with --encoding {encoding}.",
        )
    if is_vcard(material, encoding):
        form, rows = f"vCard, {lettering.words}", read_vcards(material, encoding=encoding)
    else:
        delimiter = reading.delimiter or find_delimiter(material, encoding)
        between = _DELIMITER_WORDS.get(delimiter, repr(delimiter))
        form = f"CSV, {lettering.words}, {between}"
        rows = read_delimited(material, encoding=encoding, delimiter=delimiter)
    return _part(material.name, member, form, rows, reading, certain=lettering.certain, role=role)


def _part(
    name: str,
    member: str,
    form: str,
    rows: Iterator[Row],
    reading: Reading,
    *,
    certain: bool = True,
    role: Role | None = None,
) -> Part:
    header = next(rows, None)
    layout = find_layout(header, name, table=reading.columns, role=role)
    # The header is read once; the rows go on from there, so a workbook is not taken in twice.
    return Part(member=member, form=form, certain=certain, layout=layout, rows=rows)
