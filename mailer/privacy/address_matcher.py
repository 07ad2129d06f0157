"""What somebody looks like in a file or in words: their address in its spellings, as bytes and as text."""

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
"""More than the longest address with what may stand around it, in two bytes a character."""

_MAX_WORD_BYTES = 200
_MIN_WORD_LENGTH = 3
"""Shorter, it stands everywhere and says nothing."""

# ann@example.org does not stand in joann@example.org, nor in ann@example.org.mn.
_BEFORE = r"[A-Za-z0-9._%+-]"
_AFTER = r"[A-Za-z0-9-]|\.[A-Za-z0-9]"


@dataclass(frozen=True)
class AddressMatcher:
    """The spellings of one address: as the list knows it, and as it goes on the wire.

    ``number`` is the subscriber's, by which the log speaks of them, and ``words`` are a name and a mailbox,
    which tell of them in a line about them and may mean anybody elsewhere.
    """

    spellings: tuple[str, ...]
    subscriber_id: int | None = None
    words: tuple[str, ...] = ()

    @cached_property
    def text_pattern(self) -> re.Pattern[str]:
        """Finds the address in text, and no other that contains it."""
        any_of = "|".join(re.escape(spelling) for spelling in self.spellings)
        return re.compile(rf"(?<!{_BEFORE})(?:{any_of})(?!{_AFTER})", re.IGNORECASE)

    @cached_property
    def bytes_pattern(self) -> re.Pattern[bytes]:
        """The same in a file, whether it is UTF-8, one of the East Asian encodings, or UTF-16."""
        forms = [
            _make_single_byte_pattern(self.spellings),
            *(_make_utf16_pattern(self.spellings, order) for order in ("le", "be")),
        ]
        return re.compile(b"|".join(forms), re.IGNORECASE)

    def find_in_log(self, lines: bytes | mmap) -> Iterator[tuple[int, int]]:
        """Where a log tells of them, as first and last byte: the address anywhere, the words in lines about
        their number.
        """
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
        """Whether the address stands in the file.

        Raises:
            OSError: it cannot be read.
        """
        return file_contains(path, self.bytes_pattern)

    def is_in_stream(self, file: BinaryIO) -> bool:
        """As :meth:`is_in`, for what is being unpacked."""
        return _stream_contains(file, self.bytes_pattern)


def file_contains(path: Path, pattern: re.Pattern[bytes]) -> bool:
    """Whether something of up to a thousand bytes stands in a file of any size, in bounded memory.

    Raises:
        OSError: it cannot be read.
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
    """Finds any of ``words`` in a file in UTF-8, or the first of their characters where they are many."""
    forms = {re.escape(word.encode()[:_MAX_WORD_BYTES]) for word in words if len(word) >= _MIN_WORD_LENGTH}
    return re.compile(b"|".join(sorted(forms)) or b"(?!)", re.IGNORECASE)


def make_address_matcher(*addresses: str, subscriber_id: int | None = None, name: str = "") -> AddressMatcher:
    """What ``addresses`` of one person look like, each also as SMTP writes it.

    Raises:
        AddressError: one of them is no address.
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
    """In UTF-16, where an ASCII character is itself and a zero byte, in either order."""
    any_of = b"|".join(re.escape(spelling.encode(f"utf-16-{order}")) for spelling in spellings)
    if order == "le":
        return rb"(?<!%b\x00)(?:%b)(?![A-Za-z0-9-]\x00|\.\x00[A-Za-z0-9])" % (_BEFORE.encode(), any_of)
    return rb"(?<!\x00%b)(?:%b)(?!\x00[A-Za-z0-9-]|\x00\.\x00[A-Za-z0-9])" % (_BEFORE.encode(), any_of)
