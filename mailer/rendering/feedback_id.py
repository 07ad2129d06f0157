"""The Feedback-ID header, by which Gmail counts complaints per campaign, edition and language.

Gmail shows them in its Postmaster Tools, never whose they are. It reads four fields from the right, of which
the last, the sender's, is required: 5 to 15 characters, the same in all mail. No value may occur in two
fields, so each of the others begins with a letter of its own. It believes the header only if DKIM signs it.
(https://support.google.com/mail/answer/6254652)
"""

import hashlib
import re

_MAX_SENDER_ID = 15
_MIN_SENDER_ID = 5
_DIGEST_DIGITS = 6
_MAX_FIELD = 40
# What separates the fields, and whatever a header would have to encode.
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


def write_campaign_fields(edition: str, language: str, domain: str) -> str:
    """What follows the campaign's number in its Feedback-ID, the same for all of its readers."""
    return f":e-{_clean(edition)}:l-{_clean(language)}:{make_sender_id(domain)}"


def write_letter_id(kind: str, domain: str) -> str:
    """The Feedback-ID of a letter of ``kind`` that a reader asked for. Two fields are empty, as Gmail
    allows."""
    return f"letter::k-{_clean(kind)}:{make_sender_id(domain)}"


def make_sender_id(domain: str) -> str:
    """The sender's field: the sender's domain, shortened to 15 characters by a digest of all of it."""
    name = _clean(domain.lower()).replace(".", "-")
    if _MIN_SENDER_ID <= len(name) <= _MAX_SENDER_ID:
        return name
    digest = hashlib.sha256(domain.lower().encode()).hexdigest()[:_DIGEST_DIGITS]
    return f"{name[: _MAX_SENDER_ID - _DIGEST_DIGITS - 1]}-{digest}"


def _clean(text: str) -> str:
    return _UNSAFE.sub("-", text)[:_MAX_FIELD]
