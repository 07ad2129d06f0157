"""Transfer encodings by the piece: bytes that are encoded once and may then be joined in any order.

An encoded piece begins and ends at the beginning of a line, so no join makes a line longer than it was, and
no line begins with a dot or with "From ": SMTP's dot-stuffing (RFC 5321, section 4.5.2) has nothing to do,
and no mailbox file changes the text.
"""

import base64
import binascii
import re
from collections.abc import Iterator, Sequence

MAX_LINE = 76
"""Characters a line may have, without its end (RFC 2045, sections 6.7 and 6.8)."""

# Values that quoted-printable writes as they are: visible ASCII without "=".
_PLAIN = re.compile(rb"(?!\.|From )[!-<>-~](?:[ -<>-~]{0,70}[!-<>-~])?")
_RISKY_START = re.compile(rb"^(?:\.|From )", re.MULTILINE)
SOFT_BREAK = b"=\r\n"
"""What ends a line of quoted-printable without ending a line of the text."""

# Bytes that quoted-printable writes as they are: all visible ASCII but "=", and space, tab and line ends.
_UNQUOTED = bytes(byte for byte in range(32, 127) if byte != ord("=")) + b"\t\r\n"


def prefers_base64(text: str) -> bool:
    """Whether ``text`` is smaller in base64: mainly Chinese, Japanese or Korean text is.

    Quoted-printable takes three characters for an escaped byte, base64 four for any three bytes; where about
    one byte in six is escaped, they are equal.
    """
    data = text.encode()
    return len(data.translate(None, _UNQUOTED)) * 6 > len(data)


def encode_crlf(text: str) -> bytes:
    """``text`` as UTF-8 with CRLF at its line ends.

    Raises:
        ValueError: it holds a NUL, which no mail may.
    """
    if "\0" in text:
        raise ValueError("the body holds a NUL")
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
    # b2a_qp ends its soft breaks as the data ends its first line: with LF where there is none.
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
    """``line``, which is a little too long at most, with a soft break in it if it is; not within an escape,
    and not before what must not begin a line."""
    if len(line) <= longest:
        return line
    cut = next(
        place
        for place in range(MAX_LINE - 4, 0, -1)
        if b"=" not in line[place - 2 : place] and not _RISKY_START.match(line[place:])
    )
    return line[:cut] + b"=\n" + line[cut:]


def encode_base64(data: bytes) -> bytes:
    """``data`` in base64, in lines of 76 with CRLF at the end of each."""
    whole = binascii.b2a_base64(data, newline=False)
    return b"".join(whole[start : start + MAX_LINE] + b"\r\n" for start in range(0, len(whole), MAX_LINE))


class Base64Piece:
    """A piece of a base64 body. Where it stands decides how its bytes fall into groups of three, so it is
    encoded for each of the three ways, when first asked."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self._shifted: list[tuple[bytes, bytes, bytes] | None] = [None, None, None]

    def encode_after(self, carried: int) -> tuple[bytes, bytes, bytes]:
        """The bytes that fill up a group of which ``carried`` are there, the encoded middle, what is left."""
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
