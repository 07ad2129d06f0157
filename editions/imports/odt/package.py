"""An .odt: its parts, and the addresses that its XML uses for them."""

import posixpath
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lxml import etree

from editions.imports.zip_archive import ZipArchive, open_zip
from locales.phrase import Phrase, gettext_noop

_MANIFEST = "META-INF/manifest.xml"
_MAX_MANIFEST_BYTES = 4_000_000


class OdtPackage(ZipArchive):
    """An open OpenDocument text."""

    def parse_required(self, part: str) -> etree._Element:
        """The root of ``part``.

        Raises:
            DocumentError: it is missing, too large or damaged.
        """
        root = self.parse_part(part)
        if root is None:
            self.reject(
                "broken-document",
                Phrase(
                    gettext_noop("its part %(part)s is missing. %(save_again)s"),
                    part=part,
                    save_again=self.save_again,
                ),
            )
        return root

    def find_part(self, address: str) -> str:
        """The name of the part at the ``address`` of a picture or object; empty when it is not in the
        file."""
        if ":" in address:
            return ""
        # An address that leads out of the zip names no part, and nothing outside is ever opened.
        part = posixpath.normpath(posixpath.join("/", address)).lstrip("/")
        return part if part in self.parts else ""

    def reject_if_protected(self) -> None:
        """Reject a document whose parts are encrypted.

        Raises:
            DocumentError: it is protected by a password.
        """
        # Not parsed: OpenOffice wrote a document type into it.
        size = self.part_size(_MANIFEST)
        encrypted = "encrypted-package" in self.parts or any(map(self.is_encrypted, self.parts))
        if encrypted or (0 < size <= _MAX_MANIFEST_BYTES and b"encryption-data" in self.read_part(_MANIFEST)):
            self.reject(
                "protected-document",
                Phrase(
                    gettext_noop(
                        "it is protected by a password. Open it in %(program)s, save it without the "
                        "password (File, Save As), and import it again."
                    ),
                    program=self.program,
                ),
            )


@contextmanager
def open_odt(path: Path) -> Iterator[OdtPackage]:
    """The OpenDocument text at ``path``.

    Raises:
        DocumentError: it is damaged, protected or too large.
        OSError: the file cannot be read.
    """
    with open_zip(path, program="LibreOffice") as archive:
        package = OdtPackage(path.name, archive, program="LibreOffice")
        package.reject_if_protected()
        yield package
