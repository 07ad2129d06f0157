"""A .docx as a zip file, opened within limits.

A document may be an attack. A part is read only when it is needed and only up to a limit, whatever its size
unpacked; XML with a document type is rejected, because entities can expand to gigabytes; and a relationship
that leads out of the file is never followed.
"""

import posixpath
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from lxml import etree

from editions.errors import WordError
from editions.imports.docx.ooxml import to_transitional

MAX_IMAGE_BYTES = 20_000_000
"""Bytes a picture within the document may have, unpacked."""

_MAX_FILE_BYTES = 300_000_000
_MAX_PART_BYTES = 16_000_000
_MAX_PARTS = 10_000

_ZIP_ERRORS = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    ValueError,
    LookupError,
)
_AS_DOCX = "Open it in Word, save it as .docx and import that"
_SAVE_AGAIN = "Open it in Word, save it again and import it again."
_PROTECTED = (
    "it is protected by a password. Open it in Word, remove the password, save it and import it again"
)
# Other files people try to import: their first bytes, what they are, and what to do.
_OTHER_FORMATS = (
    (b"{\\rtf", "is an RTF document. " + _AS_DOCX),
    (b"%PDF", "is a PDF, which does not keep the headings. Import the document it was made from"),
    (b"<", "is a web page or XML, not a .docx. " + _AS_DOCX),
)
_OLE_SIGNATURE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ENCRYPTED_PACKAGE = "EncryptedPackage".encode("utf-16-le")


@dataclass(frozen=True, kw_only=True)
class Relationship:
    """A relationship between two parts. ``target`` is a part's name, or a URL if ``external``; ``kind`` is
    the last word of its type, such as ``hyperlink``."""

    kind: str
    target: str
    external: bool


class DocxPackage:
    """An open Word document; ``name`` is its file name."""

    def __init__(self, name: str, archive: zipfile.ZipFile) -> None:
        self.name = name
        self._archive = archive
        self._parts = {info.filename: info for info in archive.infolist()}
        self.document = self._find_document()

    @property
    def parts(self) -> tuple[str, ...]:
        """The names of all parts."""
        return tuple(self._parts)

    def part_size(self, part: str) -> int:
        """The stated size of ``part`` in bytes, unpacked; 0 when it is missing. No more is ever unpacked."""
        return self._parts[part].file_size if part in self._parts else 0

    def read_part(self, part: str) -> bytes:
        """The bytes of ``part``.

        Raises:
            WordError: it cannot be unpacked.
        """
        try:
            with self._archive.open(self._parts[part]) as packed:
                # Without a limit zipfile unpacks up to two gigabytes, and then cuts it off at the stated
                # size.
                return packed.read(self.part_size(part))
        except (*_ZIP_ERRORS, OSError) as error:
            self.reject(
                "broken-document", f"its part {part} cannot be unpacked ({error}). {_SAVE_AGAIN}", error
            )

    def parse_part(self, part: str) -> etree._Element | None:
        """The root of ``part``; None when there is no such part.

        Raises:
            WordError: it is too large, broken, or has a document type.
        """
        if part not in self._parts:
            return None
        if self.part_size(part) > _MAX_PART_BYTES:
            self.reject(
                "document-too-large",
                f"its part {part} is {self.part_size(part):,} bytes unpacked, too large for a newsletter. "
                "Split the document, or save it again in Word.",
            )
        parser = etree.XMLParser(
            resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True, remove_pis=True
        )
        try:
            root = etree.fromstring(self.read_part(part), parser)
        except etree.XMLSyntaxError as error:
            self.reject("broken-document", f"its part {part} is damaged ({error}). {_SAVE_AGAIN}", error)
        if str(getattr(root.getroottree().docinfo, "doctype", "")):
            self.reject(
                "document-type",
                f"its part {part} declares a document type. Word never writes one, but attackers do. "
                "Ask where the file comes from.",
            )
        return to_transitional(root)

    def relationships(self, part: str) -> Mapping[str, Relationship]:
        """The relationships of ``part``, by id; ``""`` is the package itself."""
        folder, _, name = part.rpartition("/")
        root = self.parse_part(posixpath.join(folder, "_rels", f"{name}.rels"))
        if root is None:
            return {}
        return {
            element.get("Id", ""): _read_relationship(folder, element)
            for element in root
            if isinstance(element.tag, str) and element.tag.endswith("}Relationship")
        }

    def part_of_kind(self, kind: str) -> str:
        """The name of the document's part of this ``kind``; empty when there is none."""
        found = (relation for relation in self.relationships(self.document).values() if relation.kind == kind)
        return next((relation.target for relation in found if not relation.external), "")

    def reject(self, code: str, reason: str, cause: BaseException | None = None) -> NoReturn:
        """Reject the document.

        Raises:
            WordError: always.
        """
        raise WordError(self.name, code, reason) from cause

    def _find_document(self) -> str:
        main = (relation for relation in self.relationships("").values() if relation.kind == "officeDocument")
        document = next((relation.target for relation in main), "word/document.xml")
        if document not in self._parts or not document.endswith(".xml"):
            kind = (
                "an OpenDocument text" if "mimetype" in self._parts else "a zip file without a Word document"
            )
            self.reject("not-a-document", f"this is {kind}. {_AS_DOCX}.")
        if self._parts[document].flag_bits & 1:
            self.reject("protected-document", f"{_PROTECTED}.")
        return document


@contextmanager
def open_docx(path: Path) -> Iterator[DocxPackage]:
    """The Word document at ``path``.

    Raises:
        WordError: it is not a Word document, or is damaged, protected or too large.
        OSError: the file cannot be read.
    """
    _reject_other_formats(path)
    try:
        with zipfile.ZipFile(path) as archive:
            if len(archive.infolist()) > _MAX_PARTS:
                raise WordError(
                    path.name,
                    "document-too-large",
                    f"the file contains more than {_MAX_PARTS:,} parts, far more than Word writes. "
                    "Ask where it comes from.",
                )
            yield DocxPackage(path.name, archive)
    except _ZIP_ERRORS as error:
        raise WordError(
            path.name,
            "broken-document",
            f"the file is damaged and cannot be unpacked ({error}). {_SAVE_AGAIN}",
        ) from error


def _reject_other_formats(path: Path) -> None:
    with path.open("rb") as file:
        start = file.read(8)
        old = start == _OLE_SIGNATURE and _ENCRYPTED_PACKAGE not in file.read(_MAX_PART_BYTES)
    if not start:
        raise WordError(path.name, "not-a-document", "the file is empty. Copy or download it again.")
    if start == _OLE_SIGNATURE:
        what = f"this is an old .doc, not a .docx. {_AS_DOCX}" if old else _PROTECTED
        raise WordError(path.name, "not-a-document" if old else "protected-document", f"{what}.")
    for signature, what in _OTHER_FORMATS:
        if start.startswith(signature):
            raise WordError(path.name, "not-a-document", f"this {what}.")
    if not start.startswith(b"PK"):
        raise WordError(path.name, "not-a-document", f"this is not a Word document. {_AS_DOCX}.")
    if path.stat().st_size > _MAX_FILE_BYTES:
        raise WordError(
            path.name,
            "document-too-large",
            f"the file is larger than {_MAX_FILE_BYTES // 1_000_000} MB. "
            "Compress its pictures in Word (Picture Format, Compress Pictures) and import it again.",
        )


def _read_relationship(folder: str, element: etree._Element) -> Relationship:
    target = element.get("Target", "")
    external = element.get("TargetMode") == "External"
    if not external:
        # A target outside the zip does not name a part, and nothing outside is ever opened.
        target = posixpath.normpath(posixpath.join("/", folder, target)).lstrip("/")
    return Relationship(kind=element.get("Type", "").rpartition("/")[2], target=target, external=external)
