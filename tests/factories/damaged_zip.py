"""Zips that open, and whose parts cannot be unpacked. What Python raises then depends on why."""

import io
import zipfile
from collections.abc import Mapping

METHODS = (zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
"""The methods of compression that every Python reads."""

UNKNOWN_METHOD = 97
"""WavPack, which no Python reads."""

_LOCAL_HEADER_BYTES = 30
_LZMA_HEADER_BYTES = 9


def pack_damaged(parts: Mapping[str, str | bytes], *, damaged: str, method: int) -> bytes:
    """A zip of ``parts``. That with the name ``damaged`` is packed by ``method``, and broken inside."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content, method if name == damaged else zipfile.ZIP_DEFLATED)
        start = archive.getinfo(damaged).header_offset + _LOCAL_HEADER_BYTES + len(damaged.encode())
    packed = bytearray(stream.getvalue())
    start += _LZMA_HEADER_BYTES if method == zipfile.ZIP_LZMA else 0
    packed[start : start + 8] = b"\xff" * 8
    return bytes(packed)


def pack_encrypted(name: str, content: bytes) -> bytes:
    """A zip of one part that says it needs a password."""
    packed = _pack_one(name, content)
    packed[6] |= 1
    packed[packed.index(b"PK\x01\x02") + 8] |= 1
    return bytes(packed)


def pack_by_unknown_method(name: str, content: bytes) -> bytes:
    """A zip of one part that says it is packed by a method nobody here knows."""
    packed = _pack_one(name, content)
    packed[8] = packed[packed.index(b"PK\x01\x02") + 10] = UNKNOWN_METHOD
    return bytes(packed)


def _pack_one(name: str, content: bytes) -> bytearray:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return bytearray(stream.getvalue())
