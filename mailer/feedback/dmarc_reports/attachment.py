"""Finds the XML of an aggregate report in a message: a part of its own, as it is, in gzip or in a zip."""

import io
import zipfile
import zlib
from typing import Final

from mailer.feedback.mime_part import MimePart

MAX_XML_BYTES: Final = 20 * 1024 * 1024
"""The report of a month of a large sender has some 5 MB. What unfolds to more is not read."""

_MAX_ATTACHMENT_BYTES: Final = 10 * 1024 * 1024
_TYPES: Final = frozenset(
    {
        *("application/gzip", "application/x-gzip", "application/zip", "application/x-zip"),
        *("application/x-zip-compressed", "application/xml", "text/xml", "application/octet-stream"),
        *("application/x-gzip-compressed", "application/x-compressed"),
    }
)
_GZIP, _ZIP = b"\x1f\x8b", b"PK\x03\x04"
_BEGINNING = 2048
# What everybody writes. Other methods have decoders with errors of their own, and large dictionaries.
_METHODS: Final = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})


def find_report_xml(message: MimePart) -> bytes | None:
    """The XML of the first part that looks like a report; None if there is none, or it cannot be unpacked."""
    for part in message.walk():
        if part.content_type in _TYPES and (xml := _unpack(part.read_attachment(_MAX_ATTACHMENT_BYTES))):
            return xml
    return None


def _unpack(content: bytes) -> bytes | None:
    if content.startswith(_GZIP):
        content = _decompress(content) or b""
    elif content.startswith(_ZIP):
        content = _open_zip(content) or b""
    return content if b"<feedback" in content[:_BEGINNING] else None


def _decompress(content: bytes) -> bytes | None:
    reader = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    try:
        xml = reader.decompress(content, MAX_XML_BYTES)
    except zlib.error:
        return None
    # A small file can unfold to gigabytes.
    return None if reader.unconsumed_tail else xml


def _open_zip(content: bytes) -> bytes | None:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for entry in archive.infolist():
                is_small = entry.file_size <= MAX_XML_BYTES and entry.compress_type in _METHODS
                if entry.filename.lower().endswith(".xml") and is_small:
                    with archive.open(entry) as file:
                        # The size that the archive states may be a lie.
                        xml = file.read(MAX_XML_BYTES + 1)
                    return xml if len(xml) <= MAX_XML_BYTES else None
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, OSError, ValueError):
        return None
    return None
