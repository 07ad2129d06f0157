"""Writes the envelope of a message into its header, as final delivery does (RFC 5321 §4.4)."""

from collections.abc import Sequence

_NAMES = (b"return-path:", b"delivered-to:", b"x-original-to:")
_MBOX_LINE = b"From "


def add_envelope(
    content: bytes, *, sender: str | None, recipients: Sequence[str], original_recipients: Sequence[str] = ()
) -> bytes:
    """Return the message with its envelope on top, so that it is read like one from a mailbox.

    A header field is not added if the first lines already have the same; a first line as in an mbox file is
    left out. ``sender`` is "" for a bounce, and None if it is not known.
    """
    if content.startswith(_MBOX_LINE):
        content = content.partition(b"\n")[2] or content
    newline = b"\r\n" if b"\r\n" in content[:1000] or b"\n" not in content[:1000] else b"\n"
    fields = [
        *([] if sender is None else [f"Return-Path: <{_clean(sender)}>"]),
        *(f"X-Original-To: {_clean(address)}" for address in original_recipients),
        *(f"Delivered-To: {_clean(address)}" for address in recipients),
    ]
    known = _read_first_fields(content)
    lines = [field.encode("utf-8", "surrogateescape") for field in fields]
    lines = [line for line in lines if line not in known]
    return b"".join(line + newline for line in lines) + content


def _read_first_fields(content: bytes) -> set[bytes]:
    """The envelope's fields at the top of the message, which the mail server has written itself."""
    found = set()
    for line in content[:4000].splitlines():
        if not line.lower().startswith(_NAMES):
            break
        found.add(line.strip())
    return found


def _clean(address: str) -> str:
    """An address cannot end the line it stands in; bytes that are no text (surrogates) are kept."""
    kept = [letter for letter in address if letter.isprintable() or "\udc80" <= letter <= "\udcff"]
    return "".join(kept).strip("<> ")
