"""A message as a tree of parts, read from any bytes without an exception; and the message it is about."""

import binascii
import html
import re
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from quopri import decodestring

from mailer.feedback.incoming_message import OriginalMessage
from mailer.feedback.mime_headers import (
    Headers,
    decode_bytes,
    list_addresses,
    parse_headers,
    parse_parameters,
)

# What stands between these is not for readers.
_INVISIBLE = (("<style", "</style"), ("<script", "</script"), ("<title", "</title"), ("<!--", "-->"))
# Neither goes on beyond the next bracket, or a text full of open ones would take their square.
_BREAK = re.compile(r"<(?:br|/p|/div|/tr|/li|/h\d|/table|hr|p|/pre)\b[^<>]*>", re.IGNORECASE)
_TAG = re.compile(r"<[/!?a-zA-Z][^<>]*>")
_ADDRESS_IN_BRACKETS = re.compile(r"<([^\s<>@]+@[^\s<>@]+)>")
# A mail of people has a handful of levels and parts. More are read as one text.
_MAX_DEPTH = 20
_MAX_PARTS = 200
# What a server or a person writes about a message stands near its beginning. 10 MB of it are an attachment.
_MAX_TEXT = 256 * 1024
_MAX_HEADERS = 256 * 1024
_FIRST_DELIMITER = re.compile(rb"^--([^\n]{1,200}?)[ \t]*$", re.MULTILINE)
_FIELD_NAME = re.compile(rb"[!-9;-~]{1,80}[ \t]*:")
_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/]")
# From, a sender, and the day as asctime(3) writes it; some programs put a time zone before or after the year.
_SEPARATOR = re.compile(
    rb"^From [^\n]{0,200}?\b\d{1,2}:\d{2}(?::\d{2})?[^\n]{0,40}\b\d{4}[^\n]{0,40}$", re.MULTILINE
)
_ENCLOSED_TYPES = ("message/rfc822", "message/global", "text/rfc822", "message/partial", "message/rfc2822")
# How servers write that what follows is the message they return.
_COPY_FOLLOWS = (
    r"-{2,}\s*(?:this is a copy of|original message|returned message|your original (?:message|mail)"
    r"|(?:the )?(?:header|body|first \d+ lines)\b.{0,30} of (?:the|your) (?:original )?(?:message|mail)"
    r"|below this line is|below the next line is|message (?:header|text|body)|the header|unsent message"
    r"|undelivered message|original mail|enclosed is|included is|begin returned|forwarded message"
    r"|enclosed are the original headers|start of returned|transcript of message|a copy of the).*",
    r"[ \t|*>=#_-]*(?:unsent message|(?:your )?original (?:message|mail)|(?:original |undelivered |returned |"
    r"bounced |the )?(?:message|mail|e-?mail)(?: text| header(?:s)?| body)?)(?: as)? (?:below|follows?)"
    r"(?: *\(.{0,60}\))?[ \t]*[:.]?[ \t|*<=#_-]*",
    r"[ \t]*(?:original|returned|bounced|undelivered) (?:message|mail|e-mail) ?headers?:?[ \t]*",
    r"[ \t]*-{2,} ?(?:original message|message header|original headers|original mail info|returned message|"
    r"original mail|original message header|returned mail|message headers?)[ \t-]*:?",
    r"[ \t]*[|*=_#>-]{3,}[ \t]*(?:message (?:text|header|headers|body|contents?) follows?|original message"
    r"(?: follows| header)?|returned message|unsent message follows).*",
    r"[ \t]*(?:the )?(?:header|headers|text|beginning|first part|contents?|copy) of (?:the|your) "
    r"(?:original |undelivered |returned )?(?:message|mail|e-mail)\b.{0,60}",
    r"Received: (?:from|by|\(qmail) .*",
    r"Return-Path: *<.*>.*",
)
_START = re.compile(rf"^(?:{'|'.join(_COPY_FOLLOWS)})$", re.IGNORECASE | re.MULTILINE)
_USUAL_FIRST_FIELDS = ("\nReceived: ", "\nReturn-Path: ", "\nReturn-path: ")
_MESSAGE_FIELD = re.compile(
    r"^[ \t>|]*(?:Received|Return-Path|Message-ID|From|To|Date|Subject|DKIM-Signature|X-[A-Za-z-]+):",
    re.I | re.M,
)
_FIRST_FIELD = re.compile(
    r"^[ \t>|]*(?:Received|Return-Path|Message-I[Dd]|From|To|Date|Subject|DKIM-Signature|MIME-Version|"
    r"X-[A-Za-z-]+|Delivered-To|Reply-To|Sender|List-[A-Za-z]+|ARC-[A-Za-z-]+|Content-Type)[ \t]*:",
    re.IGNORECASE | re.MULTILINE,
)
# Above this number of recipients, a message is not one of ours, which have one each.
_MAX_RECIPIENTS = 20
_TOKEN_FIELDS = ("x-feedback-token", "cfbl-feedback-id")
_RECIPIENT_FIELDS = ("to", "cc", "x-original-to", "delivered-to", "envelope-to", "apparently-to", "resent-to")


def read_html_text(source: str) -> str:
    """Return the words of ``source``, a line for each paragraph, row or item."""
    # Some servers write "<name@example.org>" into HTML without escaping it.
    text = _ADDRESS_IN_BRACKETS.sub(r"&lt;\1&gt;", source)
    for start, end in _INVISIBLE:
        text = _remove_between(text, start, end)
    if "<pre" not in text.lower():
        text = " ".join(line.strip() for line in text.split("\n"))
    text = _TAG.sub("", _BREAK.sub("\n", text))
    text = html.unescape(text).replace("\xa0", " ")
    return "\n".join(line.strip() for line in text.split("\n"))


def _remove_between(text: str, start: str, end: str) -> str:
    """Cut from each ``start`` to the next ``end``. A search by regular expression would be quadratic."""
    lower = text.lower()
    if start not in lower or len(lower) != len(text):
        return text
    kept, position = [], 0
    while (begin := lower.find(start, position)) >= 0 and (stop := lower.find(end, begin)) >= 0:
        kept.append(text[position:begin])
        position = stop
    return "".join([*kept, text[position:]])


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
        """Return the decoded bytes of this part; none at all if there are more than ``limit`` of them.

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
        for part in self.all_parts:
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
    try:
        return b64decode(content)
    except (binascii.Error, ValueError):
        letters = _NOT_BASE64.sub(b"", content)
        return b64decode(letters[: len(letters) // 4 * 4])


def split_mailbox(raw: bytes) -> list[bytes]:
    """Return the messages in ``raw``: itself, unless it begins as an mbox does and has several."""
    if not raw.startswith(b"From "):
        return [raw]
    text = normalise_lines(raw)
    # A message begins after an empty line.
    starts = [
        match.start()
        for match in _SEPARATOR.finditer(text)
        if match.start() == 0 or text.endswith(b"\n\n", 0, match.start())
    ]
    if len(starts) < 2:
        return [raw]
    return [text[start:end] for start, end in zip(starts, [*starts[1:], len(text)], strict=True)]


def find_enclosed(message: MimePart) -> MimePart | None:
    """Return the message, or the headers, that a part of ``message`` encloses; None if no part does."""
    for part in message.all_parts:
        if part.content_type.startswith(_ENCLOSED_TYPES):
            enclosed = part.read_enclosed()
            return enclosed if enclosed.headers else parse_message(part.body.lstrip())
    return None


def split_copy(text: str) -> tuple[str, MimePart | None]:
    """Split ``text`` into a server's own words and the message that it copied below them.

    The copy is recognised by what servers write above it and by headers that follow; None if there is none.
    """
    # Most copies begin with one of these fields, so that nothing below it has to be searched.
    fields = [position for name in _USUAL_FIRST_FIELDS if (position := text.find(name)) >= 0]
    end = min(fields) + 200 if fields else len(text)
    for match in _START.finditer(text[:end]):
        is_field = match[0][:8].lower() in ("received", "return-p")
        rest = text[match.start() if is_field else match.end() :]
        field = _FIRST_FIELD.search(rest[:4000])
        if field is None:
            continue
        copy = rest[field.start() :]
        # One header alone may be a server's own words about the message.
        if len(_MESSAGE_FIELD.findall(copy[:4000])) < 2:
            continue
        return text[: match.start()], parse_message(_unquote(copy).encode("utf-8", "replace"))
    return text, None


def _unquote(copy: str) -> str:
    mark = re.match(r"[ \t>|]*", copy)
    prefix = mark[0] if mark else ""
    if not prefix:
        return copy
    return "\n".join(line.removeprefix(prefix) for line in copy.split("\n"))


def describe_original(original: MimePart | None) -> OriginalMessage:
    """Return what the headers of ``original`` show of the message."""
    if original is None:
        return OriginalMessage()
    headers = original.headers
    recipients = list_addresses(*(value for name in _RECIPIENT_FIELDS for value in headers.all(name)))
    senders = list_addresses(headers.raw("return-path"))
    return OriginalMessage(
        message_id=headers.raw("message-id").strip()[:998],
        # A report by RFC 9477 may have the second of these and nothing else.
        feedback_token=" ".join(filter(None, map(headers.raw, _TOKEN_FIELDS)))[:998],
        list_unsubscribe=headers.raw("list-unsubscribe").strip()[:2000],
        envelope_sender=senders[0] if senders else "",
        recipients=recipients[:_MAX_RECIPIENTS],
    )
