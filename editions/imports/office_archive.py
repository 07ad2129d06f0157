"""The archive that an office document is: read with limits, and the names in its XML."""

import lzma
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from lxml import etree

from editions.errors import DocumentError
from locales.phrase import Phrase, gettext_noop

_MAX_FILE_BYTES = 300_000_000
_MAX_PART_BYTES = 16_000_000
_MAX_PARTS = 10_000

ZIP_ERRORS = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    NotImplementedError,
    RuntimeError,
    ValueError,
    LookupError,
)
"""What zipfile raises about a damaged file."""


class OfficeArchive:
    """An open document; ``name`` is its file name, ``program`` what people open it with."""

    def __init__(self, name: str, archive: zipfile.ZipFile, *, program: str) -> None:
        self.name = name
        self.program = program
        self._archive = archive
        self._parts = {info.filename: info for info in archive.infolist()}

    @property
    def parts(self) -> tuple[str, ...]:
        return tuple(self._parts)

    def part_size(self, part: str) -> int:
        """Return the stated size of ``part`` unpacked, which is the limit; 0 when it is missing."""
        return self._parts[part].file_size if part in self._parts else 0

    def is_encrypted(self, part: str) -> bool:
        """Return whether the zip file itself has ``part`` encrypted."""
        return bool(self._parts[part].flag_bits & 1)

    def read_part(self, part: str) -> bytes:
        """Return the bytes of ``part``. Raise DocumentError if it cannot be unpacked."""
        try:
            with self._archive.open(self._parts[part]) as packed:
                # Without a limit zipfile unpacks up to two gigabytes, and then cuts it off at the stated
                # size.
                return packed.read(self.part_size(part))
        except (*ZIP_ERRORS, OSError) as error:
            self.reject(
                "broken-document",
                gettext_noop("its part %(part)s cannot be unpacked (%(error)s). %(save_again)s"),
                cause=error,
                part=part,
                error=error,
                save_again=self.save_again,
            )

    def parse_part(self, part: str) -> etree._Element | None:
        """Return the root of ``part``; None when there is no such part. Raise DocumentError if it is too
        large, broken, or has a document type."""
        if part not in self._parts:
            return None
        if self.part_size(part) > _MAX_PART_BYTES:
            self.reject(
                "document-too-large",
                gettext_noop(
                    "its part %(part)s is %(size)s bytes unpacked, too large for a newsletter. Split "
                    "the document, or save it again in %(program)s."
                ),
                part=part,
                size=f"{self.part_size(part):,}",
                program=self.program,
            )
        parser = etree.XMLParser(
            resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True, remove_pis=True
        )
        try:
            root = etree.fromstring(self.read_part(part), parser)
        except etree.XMLSyntaxError as error:
            self.reject(
                "broken-document",
                gettext_noop("its part %(part)s is damaged (%(error)s). %(save_again)s"),
                cause=error,
                part=part,
                error=error,
                save_again=self.save_again,
            )
        if str(getattr(root.getroottree().docinfo, "doctype", "")):
            self.reject(
                "document-type",
                gettext_noop(
                    "its part %(part)s declares a document type. %(program)s never writes one, but "
                    "attackers do. Ask where the file comes from."
                ),
                part=part,
                program=self.program,
            )
        return root

    @property
    def save_again(self) -> str:
        """What to do with a damaged document."""
        return Phrase("Open it in %(program)s, save it again and import it again.", program=self.program)

    def reject(
        self, code: str, message: str, /, *, cause: BaseException | None = None, **values: object
    ) -> NoReturn:
        """Raise DocumentError, because of ``cause``."""
        raise DocumentError(self.name, code, message, **values) from cause


@contextmanager
def open_zip(path: Path, *, program: str) -> Iterator[zipfile.ZipFile]:
    """Return the zip file at ``path``. Raise DocumentError if it is damaged or too large, also when reading
    it within the block fails, and OSError if the file cannot be read."""
    if path.stat().st_size > _MAX_FILE_BYTES:
        raise DocumentError(
            path.name,
            "document-too-large",
            gettext_noop(
                "the file is larger than %(size)s MB. Compress its pictures in %(program)s "
                "and import it again."
            ),
            size=_MAX_FILE_BYTES // 1_000_000,
            program=program,
        )
    try:
        with zipfile.ZipFile(path) as archive:
            if len(archive.infolist()) > _MAX_PARTS:
                raise DocumentError(
                    path.name,
                    "document-too-large",
                    gettext_noop(
                        "the file contains more than %(most)s parts, far more than %(program)s "
                        "writes. Ask where it comes from."
                    ),
                    most=f"{_MAX_PARTS:,}",
                    program=program,
                )
            yield archive
    except ZIP_ERRORS as error:
        raise DocumentError(
            path.name,
            "broken-document",
            gettext_noop(
                "the file is damaged and cannot be unpacked (%(error)s). Open it in %(program)s, save "
                "it again and import it again."
            ),
            error=error,
            program=program,
        ) from error


class XmlNames:
    """The names of one format. ``namespaces`` has the address of each prefix."""

    def __init__(self, namespaces: Mapping[str, str]) -> None:
        self._namespaces = namespaces
        self._prefixes = {address: prefix for prefix, address in namespaces.items()}

    def qualified_name(self, name: str) -> str:
        """Return ``w:p`` as lxml writes it, with the namespace of its prefix."""
        prefix, _, local = name.partition(":")
        return f"{{{self._namespaces[prefix]}}}{local}"

    def prefixed_name(self, element: etree._Element) -> str:
        """Return the name of ``element`` as ``w:p``; its local name alone if its namespace has no prefix."""
        if not isinstance(element.tag, str):
            return ""
        address, _, local = element.tag.removeprefix("{").rpartition("}")
        prefix = self._prefixes.get(address)
        return f"{prefix}:{local}" if prefix else local
