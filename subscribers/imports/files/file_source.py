"""The bytes of a file or of a file in a ZIP archive, never unpacked onto the disk; and what we do not read.

The name of a file is not asked: many a program exports a web page and calls it ``.xls``.
"""

import lzma
import re
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath, PureWindowsPath
from types import MappingProxyType
from typing import BinaryIO

from locales.phrase import gettext_noop
from subscribers.errors import ImportFileError

_MAX_MEMBERS = 1000
_MAX_BYTES = 1 << 30
# Lists compress to a fifth, a sheet's XML to a thirtieth; a ratio of two hundred is an attack. It counts for
# each file too: beside a picture that does not compress, a bomb would look harmless.
_MAX_RATIO = 200
_SMALL_BYTES = 10 << 20
_ENCRYPTED = 0x1
_NUMBERS = gettext_noop("it is a Numbers document of Apple. In Numbers, choose File > Export To > Excel.")
_COPY = gettext_noop("Copy its table into a spreadsheet, and save that as .xlsx.")
_SAVE = gettext_noop("Open it in Excel or LibreOffice, and save it as .xlsx or as CSV UTF-8.")
_START = 1 << 16
_BLOCK = 1 << 20
_OLE = b"\xd0\xcf\x11\xe0"
_SIGNATURES: tuple[tuple[bytes, str], ...] = (
    (
        b"%PDF-",
        gettext_noop("it is a PDF document, which has no rows to read. Ask for the list as a spreadsheet."),
    ),
    (b"{\\rtf", gettext_noop("it is a text document (RTF). Save the list as a spreadsheet or as CSV UTF-8.")),
    (b"\x1f\x8b", gettext_noop("it is a compressed file (gzip). Unpack it first.")),
    (b"7z\xbc\xaf\x27\x1c", gettext_noop("it is an archive (7z). Unpack it first.")),
    (b"Rar!", gettext_noop("it is an archive (RAR). Unpack it first.")),
    (b"SQLite format 3\0", gettext_noop("it is a database (SQLite). Export the list from it as CSV.")),
    (b"\x89PNG", gettext_noop("it is a picture. Ask for the list as a spreadsheet.")),
    (b"\xff\xd8\xff", gettext_noop("it is a picture. Ask for the list as a spreadsheet.")),
    (b"\x09\x08\x10\0\0\x06\x05\0", gettext_noop("it is an Excel 97 workbook (.xls).") + " " + _SAVE),
)
_MARKUP: tuple[tuple[re.Pattern[str], str], ...] = (
    (
        re.compile(r"urn:schemas-microsoft-com:office:spreadsheet"),
        gettext_noop("it is an “XML Spreadsheet 2003” of Excel, whatever its name says.") + " " + _SAVE,
    ),
    (
        re.compile(r"<office:document[\s>]"),
        gettext_noop("it is a “Flat XML” document of LibreOffice. Save it as .ods, .xlsx or CSV UTF-8."),
    ),
    (
        re.compile(r"<(?:!doctype html|html|head|body|table|meta)[\s>]", re.IGNORECASE),
        gettext_noop("it is a web page (HTML), whatever its name says.") + " " + _SAVE,
    ),
    (
        re.compile(r"^\s*<\?xml\b"),
        gettext_noop("it is an XML file, not a list of rows. Export the list as CSV or .xlsx."),
    ),
)
_SHORTCUT = re.compile(r'^\s*\{\s*"[^{}]*docs\.google\.com/spreadsheets', re.DOTALL)
_WEB_ARCHIVE = re.compile(r"^MIME-Version:.{1,500}multipart/related", re.DOTALL | re.IGNORECASE)
_JSON = re.compile(r'^\s*(?:\[\s*)?\{\s*"')
_DOCUMENTS: Mapping[str, str] = MappingProxyType(
    {
        "xl/workbook.bin": gettext_noop("it is a binary workbook (.xlsb).") + " " + _SAVE,
        "Index/Document.iwa": _NUMBERS,
        "Index.zip": _NUMBERS,
        "word/document.xml": gettext_noop("it is a Word document.") + " " + _COPY,
        "ppt/presentation.xml": gettext_noop(
            "it is a PowerPoint presentation. Ask for the list as a spreadsheet."
        ),
    }
)


@dataclass(frozen=True, kw_only=True)
class FileSource:
    """``name`` is for display, ``size`` is in bytes; ``open`` returns a stream from the start."""

    name: str
    size: int
    open: Callable[[], BinaryIO] = field(repr=False)

    def read_start(self, length: int) -> bytes:
        with self.open() as stream:
            return stream.read(length)


def make_file_source(path: Path, name: str = "") -> FileSource:
    """Return the source for the file at ``path``, called ``name``, by default as on the disk."""
    try:
        with path.open("rb") as stream:
            size = stream.seek(0, 2)
    except OSError as error:
        raise ImportFileError(
            name or path.name, gettext_noop("it cannot be read: %(error)s.") % {"error": error.strerror}
        ) from error
    return FileSource(name=name or path.name, size=size, open=lambda: path.open("rb"))


@dataclass(frozen=True, kw_only=True)
class ListArchive:
    """An archive whose contents have been checked and found harmless."""

    name: str
    zip: zipfile.ZipFile

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(member.filename for member in self.zip.infolist() if not member.is_dir())

    def member(self, name: str) -> FileSource:
        """Return one file, decompressed while it is read and limited to the size it claims."""
        info = self.zip.getinfo(name)
        return FileSource(
            name=f"{self.name}/{name}",
            size=info.file_size,
            open=lambda: self.zip.open(info),  # type: ignore[arg-type, return-value] # an IO of bytes
        )


def is_zip(source: FileSource) -> bool:
    return source.read_start(4) == b"PK\x03\x04"


@contextmanager
def open_archive(source: FileSource) -> Iterator[ListArchive]:
    """Open the archive in ``source`` for the block; refuse one that is damaged, encrypted or hostile."""
    try:
        with source.open() as stream, zipfile.ZipFile(stream) as opened:
            _refuse_hostile(source.name, opened.infolist())
            yield ListArchive(name=source.name, zip=opened)
    except (zipfile.BadZipFile, NotImplementedError, EOFError, zlib.error, lzma.LZMAError) as error:
        raise ImportFileError(
            source.name,
            gettext_noop("the archive is damaged: %(error)s. Download it again.")
            % {"error": str(error).rstrip(".")},
        ) from error
    except OSError as error:
        raise ImportFileError(
            source.name,
            # What bz2 says of damaged bytes is an OSError without a number.
            gettext_noop("it cannot be read: %(error)s.") % {"error": error.strerror or error},
        ) from error


def _refuse_hostile(name: str, members: list[zipfile.ZipInfo]) -> None:
    if len(members) > _MAX_MEMBERS:
        raise ImportFileError(
            name,
            gettext_noop("the archive has %(number)s files; the limit is %(most)s.")
            % {"number": f"{len(members):,}", "most": f"{_MAX_MEMBERS:,}"},
        )
    whole = sum(member.file_size for member in members)
    packed = sum(member.compress_size for member in members)
    if whole > _MAX_BYTES or (whole > _SMALL_BYTES and whole > packed * _MAX_RATIO):
        raise ImportFileError(
            name,
            gettext_noop("the archive of %(packed)s bytes claims to hold %(whole)s, so it was not opened.")
            % {"packed": f"{packed:,}", "whole": f"{whole:,}"},
        )
    for member in members:
        if member.file_size > _SMALL_BYTES and member.file_size > member.compress_size * _MAX_RATIO:
            raise ImportFileError(
                name,
                gettext_noop(
                    "the archive's file %(name)s of %(packed)s bytes claims to hold "
                    "%(whole)s, so the archive was not opened."
                )
                % {
                    "name": f"{member.filename!r}",
                    "packed": f"{member.compress_size:,}",
                    "whole": f"{member.file_size:,}",
                },
            )
        if reason := _describe_hostile(member):
            raise ImportFileError(
                name,
                gettext_noop("the archive's file %(name)s %(reason)s, so the archive was not opened.")
                % {"name": f"{member.filename!r}", "reason": reason},
            )


def _describe_hostile(member: zipfile.ZipInfo) -> str | None:
    path = PurePosixPath(member.filename.replace("\\", "/"))
    if ".." in path.parts or path.is_absolute() or PureWindowsPath(member.filename).drive:
        return gettext_noop("has a name that points outside the archive")
    if stat.S_ISLNK(member.external_attr >> 16):
        return gettext_noop("is a link to another file")
    if member.flag_bits & _ENCRYPTED:
        return "is encrypted"
    return None


def describe_unsupported(source: FileSource) -> str | None:
    """Return what a file is that we do not read and what to do about it, None for text of any other kind."""
    start = source.read_start(_START)
    if start.startswith(_OLE):
        return _describe_ole(source)
    for signature, words in _SIGNATURES:
        if start.startswith(signature):
            return words
    encoding = "utf-16" if start[:2] in {b"\xff\xfe", b"\xfe\xff"} else "utf-8"
    text = start.decode(encoding, "ignore").lstrip("\ufeff")
    if text.lstrip().startswith("<"):
        return next((words for pattern, words in _MARKUP if pattern.search(text)), None)
    if _WEB_ARCHIVE.search(text):
        return (
            gettext_noop("it is a web page with its pictures (MHTML), whatever its name says.") + " " + _SAVE
        )
    if _SHORTCUT.search(text):
        return gettext_noop(
            "it is a shortcut to Google Sheets. In Google Sheets, choose File > Download > Microsoft Excel."
        )
    if _JSON.search(text):
        return gettext_noop("it is a JSON file. Export the list as CSV or .xlsx.")
    return None


def describe_unsupported_archive(archive: ListArchive) -> str | None:
    """Return the same for an archive, None if it may be one of lists."""
    found = next((words for name, words in _DOCUMENTS.items() if name in archive.names), None)
    if found is None and "mimetype" in archive.names and "content.xml" in archive.names:
        return gettext_noop("it is a text document, not a spreadsheet.") + " " + _COPY
    return found


def _describe_ole(source: FileSource) -> str:
    """Tell apart what Office 97 kept in one kind of container, by the name of the main stream."""
    names = {
        "EncryptedPackage": gettext_noop(
            "it is an Excel workbook protected by a password. Save it without one."
        ),
        "Workbook": gettext_noop("it is an Excel 97 workbook (.xls).") + " " + _SAVE,
        "Book": gettext_noop("it is an Excel 95 workbook (.xls).") + " " + _SAVE,
        "WordDocument": gettext_noop("it is a Word document (.doc).") + " " + _COPY,
        "__properties_version1.0": gettext_noop(
            "it is a message saved by Outlook (.msg). Save the list attached to it."
        ),
    }
    found: set[str] = set()
    rest = b""
    with source.open() as stream:
        while block := stream.read(_BLOCK):
            text = rest + block
            found.update(name for name in names if f"{name}\0".encode("utf-16-le") in text)
            rest = text[-64:]
    return next(
        (words for name, words in names.items() if name in found),
        gettext_noop("it is an Excel 97 workbook (.xls).") + " " + _SAVE,
    )
