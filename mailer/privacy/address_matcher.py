"""Finding a person's address in files and texts, in every spelling and encoding."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from mmap import mmap
from pathlib import Path
from typing import BinaryIO

from subscribers.address import normalise_address

_CHUNK_BYTES = 1 << 20
_OVERLAP_BYTES = 1024
"""More than the longest address and the characters checked around it, at two bytes a character."""

_MAX_WORD_BYTES = 200
_MIN_WORD_LENGTH = 3
"""A shorter word is found everywhere and identifies nobody."""

# ann@example.org is not a match in joann@example.org or in ann@example.org.mn.
_BEFORE = r"[A-Za-z0-9._%+-]"
_AFTER = r"[A-Za-z0-9-]|\.[A-Za-z0-9]"


@dataclass(frozen=True)
class AddressMatcher:
    """The spellings of one person's address: as the list has it, and as SMTP writes it.

    ``subscriber_id`` is how the log refers to them. ``words`` are their name and mailbox, which are searched
    for only in log lines about them, because elsewhere they may mean someone else.
    """

    spellings: tuple[str, ...]
    subscriber_id: int | None = None
    words: tuple[str, ...] = ()

    @cached_property
    def text_pattern(self) -> re.Pattern[str]:
        """A pattern for the address in text, but not for a longer address that contains it."""
        any_of = "|".join(re.escape(spelling) for spelling in self.spellings)
        return re.compile(rf"(?<!{_BEFORE})(?:{any_of})(?!{_AFTER})", re.IGNORECASE)

    @cached_property
    def bytes_pattern(self) -> re.Pattern[bytes]:
        """The same for bytes in UTF-8, the East Asian encodings and UTF-16."""
        forms = [
            _make_single_byte_pattern(self.spellings),
            *(_make_utf16_pattern(self.spellings, order) for order in ("le", "be")),
        ]
        return re.compile(b"|".join(forms), re.IGNORECASE)

    def find_in_log(self, lines: bytes | mmap) -> Iterator[tuple[int, int]]:
        """Yield the spans in a log that name them: the address anywhere, the words in lines with their id."""
        yield from (match.span() for match in self.bytes_pattern.finditer(lines))
        if self.subscriber_id is None:
            return
        words = make_words_pattern(self.words)
        about = re.compile(rb'[^\n]*\bsubscriber"?[=:] ?%d\b[^\n]*' % self.subscriber_id)
        for line in about.finditer(lines):
            yield from (
                (line.start() + at.start(), line.start() + at.end()) for at in words.finditer(line[0])
            )

    def is_in_file(self, path: Path) -> bool:
        """Return whether the file contains the address.

        Raises:
            OSError: the file cannot be read.
        """
        return file_contains(path, self.bytes_pattern)

    def is_in_stream(self, file: BinaryIO) -> bool:
        """As :meth:`is_in_file`, for a stream that is being unpacked."""
        return _stream_contains(file, self.bytes_pattern)


def file_contains(path: Path, pattern: re.Pattern[bytes]) -> bool:
    """Return whether a file of any size contains a match of up to a thousand bytes, in bounded memory.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        return _stream_contains(file, pattern)


def _stream_contains(file: BinaryIO, pattern: re.Pattern[bytes]) -> bool:
    rest = b""
    while chunk := file.read(_CHUNK_BYTES):
        if pattern.search(rest + chunk):
            return True
        rest = (rest + chunk)[-_OVERLAP_BYTES:]
    return False


def make_words_pattern(words: Iterable[str]) -> re.Pattern[bytes]:
    """Make a pattern for any of ``words`` in UTF-8; of a long word only its beginning."""
    forms = {re.escape(word.encode()[:_MAX_WORD_BYTES]) for word in words if len(word) >= _MIN_WORD_LENGTH}
    return re.compile(b"|".join(sorted(forms)) or b"(?!)", re.IGNORECASE)


def make_address_matcher(*addresses: str, subscriber_id: int | None = None, name: str = "") -> AddressMatcher:
    """Make a matcher for the ``addresses`` of one person, each also as SMTP writes it.

    Raises:
        AddressError: one of them is invalid.
    """
    spellings = tuple(dict.fromkeys(_list_spellings(addresses)))
    locals_ = dict.fromkeys(spelling.rpartition("@")[0] for spelling in spellings)
    return AddressMatcher(spellings, subscriber_id=subscriber_id, words=tuple(filter(None, (name, *locals_))))


def _list_spellings(addresses: Iterable[str]) -> Iterator[str]:
    for address in addresses:
        normalised = normalise_address(address)
        yield from (normalised.email, normalised.envelope)


def _make_single_byte_pattern(spellings: Iterable[str]) -> bytes:
    any_of = b"|".join(re.escape(spelling.encode()) for spelling in spellings)
    return rb"(?<!%b)(?:%b)(?!%b)" % (_BEFORE.encode(), any_of, _AFTER.encode())


def _make_utf16_pattern(spellings: Iterable[str], order: str) -> bytes:
    """Make the pattern for UTF-16, where an ASCII character is itself and a zero byte, in either order."""
    any_of = b"|".join(re.escape(spelling.encode(f"utf-16-{order}")) for spelling in spellings)
    if order == "le":
        return rb"(?<!%b\x00)(?:%b)(?![A-Za-z0-9-]\x00|\.\x00[A-Za-z0-9])" % (_BEFORE.encode(), any_of)
    return rb"(?<!\x00%b)(?:%b)(?!\x00[A-Za-z0-9-]|\x00\.\x00[A-Za-z0-9])" % (_BEFORE.encode(), any_of)
