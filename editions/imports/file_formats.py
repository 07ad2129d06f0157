"""Which format a file has, told by its content: names are often wrong, and people rename files to help."""

import re
import zipfile
from enum import StrEnum
from pathlib import Path
from typing import NoReturn

from editions.errors import DocumentError
from editions.imports.office_archive import ZIP_ERRORS
from locales.phrase import SENTENCES, Phrase, gettext_noop

_START_BYTES = 4096
_AS_DOCX = gettext_noop("Open it in Word, save it as .docx and import that.")
_OLE_SIGNATURE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ENCRYPTED_PACKAGE = "EncryptedPackage".encode("utf-16-le")
_MAX_OLE_BYTES = 16_000_000
# Other files people try to import: their first bytes, what they are, and what to do.
_OTHER_SIGNATURES = (
    (b"{\\rtf", Phrase(SENTENCES, first=Phrase("this is an RTF document."), next=Phrase(_AS_DOCX))),
    (
        b"%PDF",
        gettext_noop(
            "this is a PDF, which does not keep the headings. Import the document it was made from."
        ),
    ),
)
_OTHER_PARTS = (
    (
        "Index/Document.iwa",
        gettext_noop("this is a document of Pages. In Pages, choose File, Export To, Word, and import that."),
    ),
    (
        "index.xml.gz",
        gettext_noop(
            "this is an old document of Pages. In Pages, choose File, Export To, Word, and import that."
        ),
    ),
    (
        "xl/workbook.xml",
        Phrase(
            SENTENCES,
            first=Phrase("this is a zip file without a Word document, but with an Excel workbook."),
            next=Phrase(_AS_DOCX),
        ),
    ),
    (
        "ppt/presentation.xml",
        gettext_noop("this is a PowerPoint presentation. Copy its text into Word and import that."),
    ),
)
_HTML_ENDINGS = frozenset({".html", ".htm", ".xhtml"})
# Comments may come first, such as a browser's about where the page was saved from.
_BEFORE = r"(?:<\?xml[^>]*>|<!--.*?-->|<!doctype[^>]*>|\s)*"
_HTML = re.compile(
    _BEFORE
    + r"<(!doctype html|html|head|body|meta|title|style|table|div|p|h1|h2|span|center|font)\b|<!doctype html",
    re.IGNORECASE | re.DOTALL,
)
_OTHER_TEXTS = (
    (
        re.compile(
            r"(From |(From|To|Date|Subject|MIME-Version|Received|Return-Path|Delivered-To|X-[\w-]+): ?)"
        ),
        gettext_noop(
            "this is a saved mail or a web archive (.eml, .mhtml). Open it in a mail program or a browser, "
            "save it as a web page (.html, “Web page, complete”) and import that."
        ),
    ),
    (
        re.compile(_BEFORE + r"<(rss|feed|rdf:RDF)\b", re.DOTALL),
        gettext_noop(
            "this is a saved feed. Import its address instead, as in: mailer import "
            "https://www.example.org/feed.xml"
        ),
    ),
    (
        re.compile(_BEFORE + r"<(w:wordDocument|pkg:package)\b", re.DOTALL),
        Phrase(SENTENCES, first=Phrase("this is a Word document saved as XML."), next=Phrase(_AS_DOCX)),
    ),
    (
        re.compile(_BEFORE + r"<office:document\b", re.DOTALL),
        gettext_noop(
            "this is a flat OpenDocument text (.fodt). Open it in LibreOffice, save it as .odt and "
            "import that."
        ),
    ),
)
_MAX_KIND_BYTES = 100
_ODT_KINDS = frozenset(
    f"application/vnd.oasis.opendocument.text{kind}" for kind in ("", "-template", "-web", "-master")
)
_OTHER_KINDS = {
    "application/vnd.oasis.opendocument.spreadsheet": gettext_noop(
        "this is an OpenDocument spreadsheet. Copy its text into a text document and import that."
    ),
    "application/vnd.oasis.opendocument.presentation": gettext_noop(
        "this is an OpenDocument presentation. Copy its text into a text document and import that."
    ),
    "application/epub+zip": gettext_noop("this is an e-book (EPUB). Import the document it was made from."),
}
_OTHER_KIND = gettext_noop("this is a file of the kind %(kind)s. %(advice)s")
_NOT_A_DOCUMENT = gettext_noop(
    "this is not a Word document, and not an OpenDocument text or a web page either. "
    "Open it in the program it was made with, save it as .docx and import that."
)


class FileFormat(StrEnum):
    """What an edition can be made from."""

    docx = "docx"
    web_page = "html"
    odt = "odt"


def detect_format(path: Path) -> FileFormat:
    with path.open("rb") as file:
        start = file.read(_START_BYTES)
        if start.startswith(_OLE_SIGNATURE):
            _reject_ole(path, start + file.read(_MAX_OLE_BYTES))
    if not start:
        _reject(path, gettext_noop("the file is empty. Copy or download it again."))
    for signature, what in _OTHER_SIGNATURES:
        if start.startswith(signature):
            _reject(path, what)
    if start.startswith(b"PK"):
        return _detect_zip_format(path)
    return _detect_text_format(path, _decode_start(start))


def _decode_start(start: bytes) -> str:
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        return start.decode("utf-16", "replace").lstrip()
    return start.removeprefix(b"\xef\xbb\xbf").decode("latin-1").lstrip()


def _detect_text_format(path: Path, start: str) -> FileFormat:
    for pattern, what in _OTHER_TEXTS:
        if pattern.match(start):
            _reject(path, what)
    if _HTML.match(start) or (path.suffix.lower() in _HTML_ENDINGS and start):
        return FileFormat.web_page
    if start.startswith("<"):
        _reject(
            path, Phrase(SENTENCES, first=Phrase("this is XML, and not a web page."), next=Phrase(_AS_DOCX))
        )
    return _reject(path, _NOT_A_DOCUMENT)


def _detect_zip_format(path: Path) -> FileFormat:
    try:
        with zipfile.ZipFile(path) as archive:
            parts = frozenset(archive.namelist())
            kind = _read_mimetype(archive) if "mimetype" in parts else ""
    except (*ZIP_ERRORS, OSError):
        # The reader says what is damaged.
        return FileFormat.docx
    for part, what in _OTHER_PARTS:
        if part in parts:
            _reject(path, what)
    if kind in _ODT_KINDS or (not kind and {"content.xml", "META-INF/manifest.xml"} <= parts):
        return FileFormat.odt
    if kind:
        _reject(
            path, _OTHER_KINDS.get(kind) or Phrase(_OTHER_KIND, kind=f"{kind!r}", advice=Phrase(_AS_DOCX))
        )
    return FileFormat.docx


def _read_mimetype(archive: zipfile.ZipFile) -> str:
    with archive.open("mimetype") as part:
        return part.read(_MAX_KIND_BYTES).decode("ascii", "replace").strip()


def _reject_ole(path: Path, data: bytes) -> None:
    if _ENCRYPTED_PACKAGE in data:
        raise DocumentError(
            path.name,
            "protected-document",
            gettext_noop(
                "it is protected by a password. Open it in Word, remove the password, save it "
                "and import it again."
            ),
        )
    _reject(path, Phrase(SENTENCES, first=Phrase("this is an old .doc, not a .docx."), next=Phrase(_AS_DOCX)))


def _reject(path: Path, reason: str) -> NoReturn:
    raise DocumentError(path.name, "not-a-document", reason)
