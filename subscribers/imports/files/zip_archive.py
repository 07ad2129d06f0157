"""ZIP archives, read file by file and never unpacked onto the disk."""

import lzma
import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath, PureWindowsPath

from locales.phrase import gettext_noop
from subscribers.errors import ImportFileError
from subscribers.imports.files.file_source import FileSource

_MAX_MEMBERS = 1000
_MAX_BYTES = 1 << 30
# Lists compress to a fifth, a sheet's XML to a thirtieth; a ratio of two hundred is an attack. It counts for
# each file too: beside a picture that does not compress, a bomb would look harmless.
_MAX_RATIO = 200
_SMALL_BYTES = 10 << 20
_ENCRYPTED = 0x1


@dataclass(frozen=True, kw_only=True)
class ZipArchive:
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
def open_archive(source: FileSource) -> Iterator[ZipArchive]:
    """The archive in ``source``, open for the block.

    Raises:
        ImportFileError: it is damaged, encrypted or far too large inside, or a name in it points outside.
    """
    try:
        with source.open() as stream, zipfile.ZipFile(stream) as opened:
            _refuse_hostile(source.name, opened.infolist())
            yield ZipArchive(name=source.name, zip=opened)
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
