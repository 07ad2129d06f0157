"""Detect the encoding of a text file: by its byte order mark, by verifying UTF-8, or by a guess.

The guess is based on cells with non-ASCII characters only: three Chinese names in a list of three hundred
English ones would go unnoticed in the whole file. The user is asked to confirm it, unless umlauts or kana
prove it.
"""

import codecs
import re
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

from locales.phrase import gettext_noop
from subscribers.errors import ImportFileError
from subscribers.imports.files.file_source import FileSource

_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, because it begins with the same mark
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
# The encodings that partners' spreadsheets use. Adding others (Mac, DOS) only makes guesses worse.
_EAST_ASIAN = {"gb18030", "cp932", "cp949", "big5hkscs"}
ENCODINGS: Mapping[str, str] = MappingProxyType(
    {
        "utf-8": "UTF-8",
        "utf-16": "UTF-16",
        "gb18030": gettext_noop("Chinese, simplified (GB18030)"),
        "big5hkscs": gettext_noop("Chinese, traditional (Big5)"),
        "cp932": gettext_noop("Japanese (Windows-932)"),
        "cp949": gettext_noop("Korean (Windows-949)"),
        "cp1251": gettext_noop("Cyrillic (Windows-1251)"),
        "cp1252": gettext_noop("Western European (Windows-1252)"),
        "cp1250": gettext_noop("Central European (Windows-1250)"),
        "cp1253": gettext_noop("Greek (Windows-1253)"),
        "cp1254": gettext_noop("Turkish (Windows-1254)"),
        "cp1256": gettext_noop("Arabic (Windows-1256)"),
    }
)
"""The encodings that can be chosen, by Python's name."""
_CANDIDATES = tuple(sorted(name for name in ENCODINGS if not name.startswith("utf-")))
_SUPERSETS = {
    "big5": "big5hkscs",
    "shift_jis": "cp932",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "euc_kr": "cp949",
}
# The detector's confidence, which is low for the few names of a list. Pairs of bytes rarely form Chinese,
# Japanese or Korean by chance; a single byte such as é is valid in every single-byte encoding.
_MIN_CONFIDENCE_MULTIBYTE, _MIN_CONFIDENCE_SINGLE_BYTE = 0.005, 0.08
_FALLBACK = "cp1252"
_BLOCK = 1 << 16
"""Bytes read at a time. What becomes of them stays in the processor's cache."""
_LONGEST_LINE = 1 << 20
"""Bytes; longer lines are not rows of a list."""
_MAX_CELLS = 2000
# None of these can be the second byte of a character in an East Asian encoding, but "|" can.
_BETWEEN_CELLS = re.compile(rb'[,;\t\r\n"]+')
_NOT_ASCII = re.compile(rb"[\x80-\xff]")
# These letters have the same place in the encodings of western and central Europe and of Turkey; but for
# å and Å, which are letters of Slovak there that hardly occur.
_EUROPEAN = b"".join(
    letter
    for letter in (bytes([code]) for code in range(0xC0, 0x100))
    if len({letter.decode(encoding, "replace") for encoding in ("cp1250", "cp1252", "cp1254")}) == 1
) + "åÅ".encode("cp1252")
# Beside two ASCII letters, or between two: in Chinese and Japanese, such a byte would take one of them.
_AMONG_ASCII = re.compile(
    rb"(?:[\x00-\x7f]|(?<=[A-Za-z])[%(letters)s](?![\x80-\xff])|[%(letters)s](?=[A-Za-z]{2}))+"
    % {b"letters": re.escape(_EUROPEAN)}
)
_UMLAUT = re.compile(b"[%s]" % "äöüÄÖÜß".encode("cp1252"))
_KANA = re.compile("[ぁ-んァ-ヶー]{3}")
_HALF_WIDTH = re.compile("[\uff61-\uff9f]")
_NON_ASCII_RUN = re.compile(rb"[\x80-\xff]+")


def label_encoding(encoding: str) -> str:
    return _LABELS.get(encoding, encoding.upper().replace("_", "-"))


def detect_encoding(source: FileSource, *, wanted: str | None = None) -> tuple[str, bool]:
    """Return Python's name of the encoding of ``source``, or ``wanted``, if given, and whether it is certain,
    not guessed; every byte is verified."""
    if wanted is not None:
        return _verify(source, _lookup_codec(source, wanted)), True
    start = source.read_start(4096)
    for mark, encoding in _BYTE_ORDER_MARKS:
        if start.startswith(mark):
            return _verify(source, encoding), True
    if unmarked := _detect_unmarked_utf16(start):
        return _verify(source, unmarked), True
    if _find_undecodable_line(source, "utf-8") is None:
        return "utf-8", True
    return _guess_encoding(source)


def _lookup_codec(source: FileSource, wanted: str) -> str:
    try:
        name = codecs.lookup(wanted).name
        "".encode(name)
    except LookupError as error:
        raise ImportFileError(
            source.name,
            gettext_noop(
                'unknown encoding "%(wanted)s". Use one such as utf-8, gb18030, cp932, cp949 or cp1252.'
            )
            % {"wanted": wanted},
        ) from error
    return "utf-8-sig" if name == "utf-8" else name


def _detect_unmarked_utf16(start: bytes) -> str | None:
    """Detect UTF-16 without a byte order mark: an ASCII header has a zero byte next to each letter."""
    if len(start) >= 4 and start[1:4:2] == b"\0\0" and b"\0" not in start[0:4:2]:
        return "utf-16-le"
    if len(start) >= 4 and start[0:4:2] == b"\0\0" and b"\0" not in start[1:4:2]:
        return "utf-16-be"
    return None


def _verify(source: FileSource, encoding: str) -> str:
    if (line := _find_undecodable_line(source, encoding)) is not None:
        words = gettext_noop("line %(line)s is not %(label)s text.")
        raise ImportFileError(
            source.name,
            words % {"line": line, "label": label_encoding(encoding)},
            advice="Give the right encoding with --encoding, often gb18030, cp932, cp949 or cp1252.",
        )
    return encoding


def _find_undecodable_line(source: FileSource, encoding: str) -> int | None:
    """Return the number of the first line that is not in this encoding, None if all are."""
    size = _find_undecodable_byte(source, encoding)
    if size is None:
        return None
    with source.open() as stream:
        blocks = (stream.read(min(_BLOCK, size - start)) for start in range(0, size, _BLOCK))
        return 1 + sum(block.count(b"\n") for block in blocks)


def _find_undecodable_byte(source: FileSource, encoding: str) -> int | None:
    decoder = codecs.getincrementaldecoder(encoding)()
    done = 0
    for block in _read_blocks(source):
        done += len(block)
        try:
            decoder.decode(block)
        except UnicodeDecodeError as error:
            # The decoder had kept the beginning of a character from the block before.
            return done - len(error.object) + error.start
    try:
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return done
    return None


def _read_blocks(source: FileSource) -> Iterator[bytes]:
    length = 0
    try:
        with source.open() as stream:
            while block := stream.read(_BLOCK):
                end = max(block.rfind(b"\n"), block.rfind(b"\r"))
                length = len(block) - end - 1 if end >= 0 else length + len(block)
                if length >= _LONGEST_LINE:
                    raise ImportFileError(
                        source.name,
                        gettext_noop(
                            "a line is longer than a million bytes, so this is not a list of people."
                        ),
                    )
                yield block
    except OSError as error:
        raise ImportFileError(
            source.name, gettext_noop("it cannot be read: %(error)s.") % {"error": error.strerror}
        ) from error


def _guess_encoding(source: FileSource) -> tuple[str, bool]:
    """Return the likely encoding, and whether the file proves it."""
    cells = _find_non_ascii_cells(source)
    _refuse_broken_utf_8(source, cells)
    for encoding, proves in (("cp1252", _has_umlauts), ("cp932", _has_kana)):
        if proves(cells) and _find_undecodable_line(source, encoding) is None:
            return encoding, True
    return _detect_by_frequency(source, cells), False


def _has_umlauts(cells: Sequence[bytes]) -> bool:
    """Return whether every cell has single letters among others that are ASCII, which each encoding of Europe
    has at the same place: ä, ö, ü, é. What is ambiguous beside them, such as å, is rare elsewhere.
    """
    return all(map(_AMONG_ASCII.fullmatch, cells)) and any(map(_UMLAUT.search, cells))


def _has_kana(cells: Sequence[bytes]) -> bool:
    """Return whether the cells are Japanese: several kana in a row, which no other encoding yields."""
    try:
        text = "\n".join(cell.decode("cp932") for cell in cells)
    except UnicodeDecodeError:
        return False
    return _KANA.search(text) is not None and _HALF_WIDTH.search(text) is None


def _detect_by_frequency(source: FileSource, cells: Sequence[bytes]) -> str:
    import chardet

    # Two-byte characters form runs of even length; accented names rarely all do.
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
        return encoding
    return _verify(source, _FALLBACK)


def _find_non_ascii_cells(source: FileSource) -> list[bytes]:
    cells: list[bytes] = []
    rest = b""
    for block in _read_blocks(source):
        pieces = _BETWEEN_CELLS.split(rest + block)
        rest = pieces.pop()[-_LONGEST_LINE:]
        cells.extend(piece for piece in pieces if _NOT_ASCII.search(piece))
        if len(cells) >= _MAX_CELLS:
            return cells[:_MAX_CELLS]
    return [*cells, rest] if _NOT_ASCII.search(rest) else cells


def _refuse_broken_utf_8(source: FileSource, cells: list[bytes]) -> None:
    """Refuse a mostly UTF-8 file with a broken byte, so that it is not read in another encoding."""
    good = sum(_is_utf_8(cell) for cell in cells)
    if good and good * 2 >= len(cells):
        line = _find_undecodable_line(source, "utf-8")
        raise ImportFileError(
            source.name,
            gettext_noop("line %(line)s contains bytes that are not UTF-8, unlike the rest of the file.")
            % {"line": line},
            advice="Fix that line, or give the encoding of the whole file with --encoding.",
        )


def _is_utf_8(cell: bytes) -> bool:
    try:
        cell.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
