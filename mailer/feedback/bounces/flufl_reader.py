"""Asks flufl.bounce, Mailman's reader, where our own rules find nobody."""

from email import message_from_bytes
from email.errors import MessageError

from mailer.feedback.bounces.recipient_report import RecipientReport, clean_address
from mailer.feedback.mime_headers import clean_text
from mailer.feedback.mime_part import MimePart

# Each of its readers looks at every line of every part. A mail of 100 kB has 2,000 lines, but one of empty
# lines as many as bytes.
_MAX_BYTES = 100_000
_MAX_LINES = 3_000


def read_with_flufl(message: MimePart) -> tuple[RecipientReport, ...]:
    """Return the recipients that flufl.bounce finds in ``message``."""
    from flufl.bounce import all_failures

    fields = "".join(f"{name}: {value}\n" for name, value in message.headers.fields)
    body = b"\n".join(message.body[:_MAX_BYTES].split(b"\n", _MAX_LINES)[:_MAX_LINES])
    source = f"{fields}\n".encode("utf-8", "replace") + body
    try:
        temporary, permanent = all_failures(message_from_bytes(source))
    # It is somebody else's code on anybody's bytes: whatever it raises, the message has still to be kept.
    except (MessageError, LookupError, ValueError, TypeError, AttributeError, RecursionError):
        return ()
    found: dict[str, RecipientReport] = {}
    for action, addresses in (("failed", permanent), ("delayed", temporary)):
        for raw in sorted(addresses):
            text = raw.decode("utf-8", "replace") if isinstance(raw, bytes) else str(raw)
            address = clean_address(clean_text(text))
            if address:
                found.setdefault(address.lower(), RecipientReport(address=address, action=action))
    return tuple(found.values())
