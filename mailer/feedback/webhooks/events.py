"""Makes events of what providers say, whichever provider it was."""

import hashlib
import json
import re
from datetime import datetime

from mailer.database.feedback_models import FeedbackKind
from mailer.feedback.incoming_message import (
    IncomingMessage,
    OriginalMessage,
    ProviderEvent,
    ReportedRecipient,
)
from mailer.reasons.reason import Reason
from mailer.reasons.reason_classifier import classify_reason

_STATUS = re.compile(r"(?<![\d.])([245]\.\d{1,3}\.\d{1,3})(?![\d.])")
_CODE = re.compile(r"(?<![\d.])([245]\d\d)(?=[ -])")
_UNTOLD = frozenset({Reason.other, Reason.unconfirmed})


def make_event(
    provider: str,
    kind: FeedbackKind,
    *,
    event_id: str,
    address: str,
    happened_at: datetime | None,
    reason: Reason | None = None,
    words: str = "",
    status: str = "",
    code: str = "",
    is_delay: bool = False,
    original: OriginalMessage | None = None,
) -> ProviderEvent:
    """Make an event. ``event_id`` is the provider's own, or "" if it has none."""
    original = original or OriginalMessage()
    if kind is FeedbackKind.complaint:
        reason = Reason.complaint
    action = "delayed" if is_delay else "failed" if kind is FeedbackKind.bounce else ""
    recipient = ReportedRecipient(
        address=address,
        reason=reason,
        words=words,
        status=status or _find(_STATUS, words),
        code=code or _find(_CODE, words),
        action=action,
    )
    said = event_id or _make_id(kind, recipient, original, happened_at)
    message = IncomingMessage(kind=kind, recipients=(recipient,), original=original)
    return ProviderEvent(provider=provider, event_id=said, message=message, happened_at=happened_at)


def make_original(
    *, token: str = "", message_id: str = "", envelope_sender: str = "", list_unsubscribe: str = ""
) -> OriginalMessage:
    """Return what an event shows of the message it is about. A Message-ID gets its angle brackets, which some
    providers leave out."""
    bare = message_id.strip().strip("<>")
    return OriginalMessage(
        message_id=f"<{bare}>" if bare else "",
        feedback_token=token,
        list_unsubscribe=list_unsubscribe,
        envelope_sender=envelope_sender,
    )


def _find(pattern: re.Pattern[str], words: str) -> str:
    match = pattern.search(words)
    return match[1] if match else ""


def _make_id(
    kind: FeedbackKind, recipient: ReportedRecipient, original: OriginalMessage, happened_at: datetime | None
) -> str:
    """Return the same ID for the same event, and another for every other. The provider's words are not part
    of it: they may be cut in another place when it comes again."""
    said = (
        kind,
        recipient.action,
        recipient.address,
        original.message_id,
        original.feedback_token,
        happened_at,
    )
    return hashlib.sha256(json.dumps(list(map(str, said))).encode()).hexdigest()


def judge_reason(
    words: str,
    *,
    status: str = "",
    code: str = "",
    category: Reason | None = None,
    is_delay: bool = False,
) -> Reason:
    """Return the reason in the server's ``words``; where they leave it open, the provider's ``category``.

    Providers call many things a hard bounce that are not: blocks, spam, full mailboxes. The server's words
    know better. A category decides where there are no words, or where they say "user unknown" in a way that
    some servers also use for people who exist. While the provider goes on trying, nobody is dead.
    """
    action = "delayed" if is_delay else "failed"
    told = classify_reason(words, status=status, code=code, action=action)
    if told not in _UNTOLD or category is None or (is_delay and category.is_dead):
        return told
    return category
