"""In which encoding a text was saved: told by its mark, proven for UTF-8, and otherwise found and shown.

Only cells that hold more than ASCII are looked at: three Chinese names in a list of three hundred English
ones are lost on a detector that is given the whole file. What it finds is a proposal for a person to look at.
"""

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass

from subscribers.errors import ImportFileError
from subscribers.imports.files.file_source import FileSource

_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_LABELS = {
    "utf-8-sig": "UTF-8",
    "utf-8": "UTF-8",
    "utf-16-le": "UTF-16",
    "utf-16-be": "UTF-16",
    "cp1252": "Windows-1252",
    "gb18030": "GB18030",
}
# What partners' spreadsheets save in. More (Mac, DOS) only makes the guesses worse.
_EAST_ASIAN = {"gb18030", "cp932", "cp949", "big5hkscs"}
_CANDIDATES = (*sorted(_EAST_ASIAN), "cp1250", "cp1251", "cp1252", "cp1253", "cp1254", "cp1256")
_SUPERSETS = {
    "big5": "big5hkscs",
    "shift_jis": "cp932",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "euc_kr": "cp949",
}
# The detector's own measure, which is small for the few names of a list. Bytes that make Chinese, Japanese
# or Korean in pairs seldom do so by chance; a lone é means something in every encoding of one byte a letter.
_MIN_CONFIDENCE_MULTIBYTE, _MIN_CONFIDENCE_SINGLE_BYTE = 0.005, 0.08
_FALLBACK = "cp1252"
_BLOCK = 1 << 20
MAX_LINE_BYTES = _BLOCK
"""Bytes. A longer line is no row of a list, and reading it would take all memory."""
_MAX_CELLS = 2000
# None of these can be the second byte of a character in the encodings of East Asia; "|" can.
_BETWEEN_CELLS = re.compile(rb'[,;\t\r\n"]+')
_NOT_ASCII = re.compile(rb"[\x80-\xff]")
_NON_ASCII_RUN = re.compile(rb"[\x80-\xff]+")


@dataclass(frozen=True, kw_only=True)
class TextEncoding:
    """``encoding`` is Python's name; ``certain`` is False where it was only found likely."""

    encoding: str
    certain: bool

    @property
    def label(self) -> str:
        return _LABELS.get(self.encoding, self.encoding.upper().replace("_", "-"))


def detect_encoding(source: FileSource, *, wanted: str | None = None) -> TextEncoding:
    """The encoding of ``material``, or ``wanted``, which a person has named; every byte is proven to fit.

    Raises:
        ImportFileError: it is no text, a line is too long, or it does not fit what was named.
    """
    if wanted is not None:
        return _verify(source, TextEncoding(encoding=_lookup_codec(source, wanted), certain=True))
    start = source.read_start(4096)
    for mark, encoding in _BYTE_ORDER_MARKS:
        if start.startswith(mark):
            return _verify(source, TextEncoding(encoding=encoding, certain=True))
    if unmarked := _detect_unmarked_utf16(start):
        return _verify(source, TextEncoding(encoding=unmarked, certain=True))
    if _find_undecodable_line(source, "utf-8") is None:
        return TextEncoding(encoding="utf-8", certain=True)
    return _guess_encoding(source)


def _lookup_codec(source: FileSource, wanted: str) -> str:
    try:
        name = codecs.lookup(wanted).name
        "".encode(name)
    except LookupError as error:
        raise ImportFileError(
            source.name,
            f'unknown encoding "{wanted}". Use one such as utf-8, gb18030, cp932, cp949 or cp1252.',
        ) from error
    return "utf-8-sig" if name == "utf-8" else name


def _detect_unmarked_utf16(start: bytes) -> str | None:
    """UTF-16 whose mark is missing: a header in ASCII has a zero byte beside each letter."""
    if len(start) >= 4 and start[1:4:2] == b"\0\0" and b"\0" not in start[0:4:2]:
        return "utf-16-le"
    if len(start) >= 4 and start[0:4:2] == b"\0\0" and b"\0" not in start[1:4:2]:
        return "utf-16-be"
    return None


def _verify(source: FileSource, encoding: TextEncoding) -> TextEncoding:
    if (line := _find_undecodable_line(source, encoding.encoding)) is not None:
        raise ImportFileError(
            source.name,
            f"line {line} is not {encoding.label} text. Give the right encoding with --encoding, often "
            "gb18030, cp932, cp949 or cp1252.",
        )
    return encoding


def _find_undecodable_line(source: FileSource, encoding: str) -> int | None:
    """The number of the first line that cannot be read so, None where all can.

    Raises:
        ImportFileError: a line is longer than any row.
    """
    decoder = codecs.getincrementaldecoder(encoding)()
    line = 1
    for block in _read_blocks(source):
        try:
            decoder.decode(block)
        except UnicodeDecodeError as error:
            return line + block.count(b"\n", 0, error.start)
        line += block.count(b"\n")
    try:
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return line
    return None


def _read_blocks(source: FileSource) -> Iterator[bytes]:
    try:
        with source.open() as stream:
            while block := stream.read(_BLOCK):
                if len(block) == _BLOCK and b"\n" not in block and b"\r" not in block:
                    raise ImportFileError(
                        source.name,
                        "a line is longer than a million bytes, so this is not a list of people.",
                    )
                yield block
    except OSError as error:
        raise ImportFileError(source.name, f"it cannot be read: {error.strerror}.") from error


def _guess_encoding(source: FileSource) -> TextEncoding:
    import chardet

    cells = _find_non_ascii_cells(source)
    _refuse_broken_utf_8(source, cells)
    # Letters of two bytes stand in runs of even length; a list of accented names is not so tidy.
    in_pairs = all(len(run) % 2 == 0 for cell in cells for run in _NON_ASCII_RUN.findall(cell))
    found = chardet.detect(
        b"\n".join(cells),
        include_encodings=sorted(_EAST_ASIAN) if in_pairs else _CANDIDATES,
        no_match_encoding="gb18030" if in_pairs else _FALLBACK,
    )
    name = codecs.lookup(found["encoding"] or _FALLBACK).name
    encoding = _SUPERSETS.get(name, name)
    sure = (
        0
        if in_pairs
        else _MIN_CONFIDENCE_MULTIBYTE
        if encoding in _EAST_ASIAN
        else _MIN_CONFIDENCE_SINGLE_BYTE
    )
    if found["confidence"] >= sure and _find_undecodable_line(source, encoding) is None:
        return TextEncoding(encoding=encoding, certain=False)
    return _verify(source, TextEncoding(encoding=_FALLBACK, certain=False))


def _find_non_ascii_cells(source: FileSource) -> list[bytes]:
    """The first cells that hold more than ASCII."""
    cells: list[bytes] = []
    rest = b""
    for block in _read_blocks(source):
        pieces = _BETWEEN_CELLS.split(rest + block)
        rest = pieces.pop()[-_BLOCK:]
        cells.extend(piece for piece in pieces if _NOT_ASCII.search(piece))
        if len(cells) >= _MAX_CELLS:
            return cells[:_MAX_CELLS]
    return [*cells, rest] if _NOT_ASCII.search(rest) else cells


def _refuse_broken_utf_8(source: FileSource, cells: list[bytes]) -> None:
    """A UTF-8 file with a broken byte in it must not be read as something else from top to bottom."""
    good = sum(_is_utf_8(cell) for cell in cells)
    if good and good * 2 >= len(cells):
        line = _find_undecodable_line(source, "utf-8")
        raise ImportFileError(
            source.name,
            f"line {line} contains bytes that are not UTF-8, unlike the rest of the file. Fix that line, or "
            "give the encoding of the whole file with --encoding.",
        )


def _is_utf_8(cell: bytes) -> bool:
    try:
        cell.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
