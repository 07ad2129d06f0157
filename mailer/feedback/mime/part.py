"""A message as a tree of parts, read from any bytes without an exception."""

import binascii
import re
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from quopri import decodestring

from mailer.feedback.mime.charsets import decode_bytes
from mailer.feedback.mime.headers import Headers, parse_headers, parse_parameters
from mailer.feedback.mime.html_text import read_html_text

# A mail of people has a handful of levels and parts. More are read as one text.
_MAX_DEPTH = 20
_MAX_PARTS = 200
# What a server or a person writes about a message stands near its beginning. 10 MB of it are an attachment.
_MAX_TEXT = 256 * 1024
_MAX_HEADERS = 256 * 1024
_FIRST_DELIMITER = re.compile(rb"^--([^\n]{1,200}?)[ \t]*$", re.MULTILINE)
_FIELD_NAME = re.compile(rb"[!-9;-~]{1,80}[ \t]*:")
_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/]")


@dataclass(frozen=True, eq=False)
class MimePart:
    """One part of a message, or the whole message.

    ``content_type`` is lower case, without parameters, which are in ``parameters``. ``body`` is as it was
    transferred, with LF at the end of each line. A message inside this one is no part of it (see
    ``read_enclosed``).
    """

    headers: Headers
    content_type: str
    parameters: dict[str, str]
    body: bytes
    depth: int = 0
    budget: list[int] = field(default_factory=lambda: [_MAX_PARTS], repr=False)

    @cached_property
    def parts(self) -> tuple["MimePart", ...]:
        """The parts of a multipart, split when somebody asks: nobody does of most returned messages."""
        if not self.content_type.startswith("multipart/") or self.depth >= _MAX_DEPTH:
            return ()
        found = _parse_parts(self.body, self.parameters.get("boundary", ""), self.depth, self.budget)
        # A multipart without parts is a text with a wrong name.
        return found or (replace(self, content_type="text/plain", depth=self.depth + 1),)

    @cached_property
    def all_parts(self) -> tuple["MimePart", ...]:
        """This part and all parts inside it, in their order, without those of enclosed messages."""
        found: list[MimePart] = [self]
        for part in self.parts:
            found += part.all_parts
        return tuple(found)

    def walk(self) -> Iterator["MimePart"]:
        """Yield this part and all parts inside it, as ``all_parts`` lists them."""
        return iter(self.all_parts)

    @cached_property
    def text(self) -> str:
        """The words of this part alone: decoded, HTML without its tags, at most its first 256 kB."""
        text = decode_bytes(self._decode_body(), self.parameters.get("charset", ""))
        if "\r" in text:
            text = text.replace("\r\n", "\n").replace("\r", "\n")
        return read_html_text(text) if self.content_type == "text/html" else text

    def read_enclosed(self) -> "MimePart":
        """Read the message that this part contains (message/rfc822, or only its headers)."""
        if self.headers.raw("content-transfer-encoding").strip().lower() in ("base64", "quoted-printable"):
            return parse_message(self._decode_body())
        return parse_message(self.body)

    def read_attachment(self, limit: int) -> bytes:
        """The decoded bytes of this part; none at all if there are more than ``limit`` of them.

        A part that was transferred as it is has lost the difference between its line ends.
        """
        encoding = self.headers.raw("content-transfer-encoding").strip().strip("\"'").lower()
        if len(self.body) > limit * 3:
            return b""
        if encoding == "base64":
            content = _decode_base64(self.body)
        else:
            content = decodestring(self.body) if encoding == "quoted-printable" else self.body
        return content if len(content) <= limit else b""

    def _decode_body(self) -> bytes:
        encoding = self.headers.raw("content-transfer-encoding").strip().strip("\"'").lower()
        if encoding == "base64":
            return _decode_base64(self.body[: _MAX_TEXT * 4 // 3])
        if encoding == "quoted-printable":
            return decodestring(self.body[: _MAX_TEXT * 2])[:_MAX_TEXT]
        return self.body[:_MAX_TEXT]

    @property
    def is_text(self) -> bool:
        """Whether this part is something to read: no attachment, no multipart, no enclosed message."""
        return self.content_type.startswith("text/") and not self.content_type.startswith("text/rfc822")

    @cached_property
    def readable_text(self) -> str:
        """What a person would read first: the first plain part with words in it, else the first HTML part."""
        html = ""
        for part in self.walk():
            if part.content_type == "text/plain" and part.text.strip():
                return part.text
            if part.is_text and part.content_type != "text/plain":
                html = html or part.text
        return html


def parse_message(raw: bytes) -> MimePart:
    """Read ``raw`` as a message, whatever it is. Lines may end in LF, CRLF or CR."""
    return _parse(normalise_lines(raw), 0, [_MAX_PARTS])


def normalise_lines(raw: bytes) -> bytes:
    """Return ``raw`` with LF at the end of each line."""
    return raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n") if b"\r" in raw else raw


def _parse(source: bytes, depth: int, budget: list[int]) -> MimePart:
    """Parse one part; ``budget`` holds the number of parts that may still be made."""
    headers, body = _split_headers(source, is_top=depth == 0)
    content_type, parameters = parse_parameters(headers.raw("content-type") or "text/plain")
    if "/" not in content_type or (content_type.startswith("multipart/") and depth >= _MAX_DEPTH):
        content_type = "text/plain"
    return MimePart(headers, content_type, parameters, body, depth, budget)


def _split_headers(source: bytes, *, is_top: bool) -> tuple[Headers, bytes]:
    """Split a part at its first empty line. A part without any header is all body."""
    if is_top:
        source = source.lstrip(b"\n")
        # A line of a mailbox file (mbox) before the headers.
        if source[:6].lstrip(b">").startswith(b"From "):
            source = source.partition(b"\n")[2]
    if source.startswith(b"\n"):
        return Headers(), source[1:]
    if not is_top and not _FIELD_NAME.match(source):
        return Headers(), source
    block, _, body = source.partition(b"\n\n")
    block_text = decode_bytes(block[:_MAX_HEADERS])
    headers = parse_headers(block_text)
    return (headers, body) if headers else (headers, source)


def _parse_parts(body: bytes, boundary: str, depth: int, budget: list[int]) -> tuple[MimePart, ...]:
    delimiter = boundary.strip().encode("utf-8", "replace")
    if not delimiter or b"--" + delimiter not in body:
        # The boundary is missing or wrong: what looks like the first delimiter is taken for it.
        guess = _FIRST_DELIMITER.search(body)
        if guess is None:
            return ()
        delimiter = guess[1]
    parts = []
    for piece in _split_at(body, b"\n--" + delimiter):
        if budget[0] <= 0:
            break
        if piece.strip():
            budget[0] -= 1
            parts.append(_parse(piece, depth + 1, budget))
    return tuple(parts)


def _split_at(body: bytes, delimiter: bytes) -> Iterator[bytes]:
    """Yield what stands between lines that begin with ``delimiter``, but not what follows a closing one.

    A regular expression would have to be compiled for every boundary, which takes longer than the search.
    """
    body = b"\n" + body
    start = -1
    position = body.find(delimiter)
    while position >= 0:
        line_end = body.find(b"\n", position + len(delimiter))
        line_end = len(body) if line_end < 0 else line_end
        rest = body[position + len(delimiter) : line_end].rstrip()
        # Another boundary may begin like this one.
        if rest in (b"", b"--"):
            if start >= 0:
                yield body[start:position]
            start = -1 if rest else min(line_end + 1, len(body))
        position = body.find(delimiter, line_end)
    if start >= 0:
        yield body[start:].removesuffix(b"\n")


def _decode_base64(content: bytes) -> bytes:
    """Decode what can be decoded, past characters that are not of the alphabet and a missing end."""
    try:
        return b64decode(content)
    except (binascii.Error, ValueError):
        letters = _NOT_BASE64.sub(b"", content)
        return b64decode(letters[: len(letters) // 4 * 4])
