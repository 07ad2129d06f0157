"""What one incoming message is: the frozen value between reading a message and acting on it."""

from dataclasses import dataclass, field

from mailer.database.feedback_models import FeedbackKind
from mailer.feedback.aggregate_report import AggregateReport
from mailer.reasons.reason import Reason

__all__ = ["FeedbackKind", "IncomingMessage", "OriginalMessage", "ReportedRecipient"]


@dataclass(frozen=True, kw_only=True)
class ReportedRecipient:
    """One recipient that a bounce or a complaint speaks of.

    ``address`` is as the message spells it, "" if the report hides it. ``status`` is the enhanced code
    (``5.1.1``) and ``code`` the SMTP reply code, "" if unknown. ``action`` is RFC 3464's: failed, delayed,
    delivered, relayed or expanded; "" if the message does not say. ``words`` are the server's own words, on
    one line. ``envelope_id`` is the ENVID (RFC 3461) that the report repeats, "" if it has none.
    ``original_address`` is the address that we sent to, where the report names it beside another one that the
    message was forwarded to.
    """

    address: str
    reason: Reason | None
    words: str = ""
    status: str = ""
    code: str = ""
    action: str = ""
    envelope_id: str = ""
    original_address: str = ""

    @property
    def is_dead(self) -> bool:
        """Whether no mail will ever reach this address again; a delay or a success never says so."""
        return self.reason is not None and self.reason.is_dead and self.action in ("failed", "")


@dataclass(frozen=True, kw_only=True)
class OriginalMessage:
    """What an incoming message shows of the message that it is about; "" where it shows nothing.

    ``feedback_token`` is our own header, and that of RFC 9477 beside it. ``list_unsubscribe`` is the whole
    header, ``envelope_sender`` the address that the message was returned to.
    """

    message_id: str = ""
    feedback_token: str = ""
    list_unsubscribe: str = ""
    envelope_sender: str = ""
    recipients: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class IncomingMessage:
    """What an incoming message is.

    ``delivered_to`` are the addresses it was sent to, by its envelope and headers. ``subject`` and ``sender``
    are its own. ``text`` is what a person or program wrote, without the quoted original. ``dmarc`` is the
    aggregate report that it brings, and ``strange_domain`` what one is about that is not about ours.
    """

    kind: FeedbackKind
    recipients: tuple[ReportedRecipient, ...] = ()
    original: OriginalMessage = field(default_factory=OriginalMessage)
    delivered_to: tuple[str, ...] = ()
    sender: str = ""
    subject: str = ""
    message_id: str = ""
    text: str = ""
    dmarc: AggregateReport | None = None
    strange_domain: str = ""
