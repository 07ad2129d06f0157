"""Transfer encodings for pieces of text: encoded once, then joined in any order.

An encoded piece starts and ends at the start of a line, so joining never makes a line longer, and no line
starts with a dot or with "From ": SMTP's dot-stuffing (RFC 5321, section 4.5.2) has nothing to change, and
neither has any mailbox file.
"""

import base64
import binascii
import re
from collections.abc import Iterator, Sequence

MAX_LINE = 76
"""Characters allowed in a line, without its line end (RFC 2045, sections 6.7 and 6.8)."""

# Values that quoted-printable leaves unchanged: visible ASCII without "=".
_PLAIN = re.compile(rb"(?!\.|From )[!-<>-~](?:[ -<>-~]{0,70}[!-<>-~])?")
_RISKY_START = re.compile(rb"^(?:\.|From )", re.MULTILINE)
SOFT_BREAK = b"=\r\n"
"""Ends a line of quoted-printable without ending a line of the text."""

# Bytes that quoted-printable leaves unchanged: all visible ASCII but "=", and space, tab and line ends.
_UNQUOTED = bytes(byte for byte in range(32, 127) if byte != ord("=")) + b"\t\r\n"


def prefers_base64(text: str) -> bool:
    """Whether ``text`` is smaller in base64, as text that is mainly Chinese, Japanese or Korean is.

    Quoted-printable takes three characters for an escaped byte, base64 four for any three bytes; where about
    one byte in six is escaped, they are equal.
    """
    data = text.encode()
    return len(data.translate(None, _UNQUOTED)) * 6 > len(data)


def encode_crlf(text: str) -> bytes:
    """``text`` as UTF-8 with CRLF line ends.

    Raises:
        ValueError: it contains a NUL, which is not allowed in email.
    """
    if "\0" in text:
        raise ValueError("the body contains a NUL character")
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text.replace("\n", "\r\n").encode()


def encode_quoted_printable(data: bytes) -> bytes:
    """``data`` (line ends CRLF) in quoted-printable, ending with a line end or a soft break."""
    if not data:
        return b""
    if _PLAIN.fullmatch(data):
        return data + SOFT_BREAK
    quoted = binascii.b2a_qp(data, istext=True)
    # b2a_qp ends soft breaks in the same way as the first line of the data: with LF if there is none.
    quoted = quoted.replace(b"\r\n", b"\n")
    if _RISKY_START.search(quoted):
        quoted = b"\n".join(map(_escape_line_start, quoted.split(b"\n")))
    if not quoted.endswith(b"\n"):
        body, end, last = quoted.rpartition(b"\n")
        quoted = body + end + _break_line(last, MAX_LINE - 1) + b"=\n"
    return quoted.replace(b"\n", b"\r\n")


def _escape_line_start(line: bytes) -> bytes:
    """``line`` with its first character escaped where it must not begin a line."""
    if not _RISKY_START.match(line):
        return line
    return _break_line(b"=%02X" % line[0] + line[1:], MAX_LINE)


def _break_line(line: bytes, longest: int) -> bytes:
    """``line``, which may be slightly too long, with a soft break if it is: not inside an escape, and not
    before something that must not start a line."""
    if len(line) <= longest:
        return line
    cut = next(
        place
        for place in range(MAX_LINE - 4, 0, -1)
        if b"=" not in line[place - 2 : place] and not _RISKY_START.match(line[place:])
    )
    return line[:cut] + b"=\n" + line[cut:]


def encode_base64(data: bytes) -> bytes:
    """``data`` in base64, in lines of 76 characters that each end with CRLF."""
    whole = binascii.b2a_base64(data, newline=False)
    return b"".join(whole[start : start + MAX_LINE] + b"\r\n" for start in range(0, len(whole), MAX_LINE))


class Base64Piece:
    """A piece of a base64 body. Its position determines how its bytes fall into groups of three, so there are
    three encodings of it, each made when first needed."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self._shifted: list[tuple[bytes, bytes, bytes] | None] = [None, None, None]

    def encode_after(self, carried: int) -> tuple[bytes, bytes, bytes]:
        """The bytes that complete a group of which ``carried`` bytes are there, the encoded middle, and the
        rest."""
        found = self._shifted[carried]
        if found is None:
            head = -carried % 3
            tail = len(self.data) - (len(self.data) - head) % 3
            found = self.data[:head], encode_base64(self.data[head:tail]), self.data[tail:]
            self._shifted[carried] = found
        return found


def join_base64(pieces: Sequence[Base64Piece | bytes]) -> bytes:
    """The base64 of all ``pieces`` together; those that are bytes are encoded here."""
    return b"".join(_join_base64(pieces))


def _join_base64(pieces: Sequence[Base64Piece | bytes]) -> Iterator[bytes]:
    carried = b""
    for piece in pieces:
        if isinstance(piece, bytes) or len(piece.data) < 3:
            carried += piece if isinstance(piece, bytes) else piece.data
            whole = len(carried) - len(carried) % 3
            if whole:
                yield encode_base64(carried[:whole])
                carried = carried[whole:]
            continue
        head, middle, tail = piece.encode_after(len(carried))
        if carried:
            yield base64.b64encode(carried + head) + b"\r\n"
        yield middle
        carried = tail
    if carried:
        yield base64.b64encode(carried) + b"\r\n"
