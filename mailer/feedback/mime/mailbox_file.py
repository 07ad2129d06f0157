"""A file as mail programs save it: one message, or several below each other (mbox, RFC 4155)."""

import re

from mailer.feedback.mime.part import normalise_lines

# From, a sender, and the day as asctime(3) writes it; some programs put a time zone before or after the year.
_SEPARATOR = re.compile(
    rb"^From [^\n]{0,200}?\b\d{1,2}:\d{2}(?::\d{2})?[^\n]{0,40}\b\d{4}[^\n]{0,40}$", re.MULTILINE
)


def split_mailbox(raw: bytes) -> list[bytes]:
    """Return the messages in ``raw``: itself, unless it begins as an mbox does and has several."""
    if not raw.startswith(b"From "):
        return [raw]
    text = normalise_lines(raw)
    starts = [
        match.start() for match in _SEPARATOR.finditer(text) if _follows_empty_line(text, match.start())
    ]
    if len(starts) < 2:
        return [raw]
    return [text[start:end] for start, end in zip(starts, [*starts[1:], len(text)], strict=True)]


def _follows_empty_line(text: bytes, position: int) -> bool:
    return position == 0 or text[max(0, position - 2) : position] == b"\n\n"
