"""What came back, as values: one incoming message, a DMARC report and a provider's event."""

import hashlib
from dataclasses import dataclass, field
from datetime import datetime

from mailer.database.feedback_models import FeedbackKind
from mailer.reasons.reason import Reason


@dataclass(frozen=True, kw_only=True)
class ReportedSource:
    """Messages in our name that a receiver got from one address, and what it made of them.

    ``dkim`` and ``spf`` say whether each passed and was aligned with the From domain, ``header_from``;
    ``dkim_domains`` and ``spf_domain`` passed. ``disposition`` is what the receiver did: none, quarantine or
    reject, and "pass" since RFC 9990; ``override`` why that was not what the policy asks for.
    """

    source_ip: str
    count: int
    header_from: str
    dkim: bool
    spf: bool
    disposition: str = ""
    override: str = ""
    dkim_domains: tuple[str, ...] = ()
    spf_domain: str = ""


@dataclass(frozen=True, kw_only=True)
class AggregateReport:
    """One report: ``organisation`` writes about messages from ``domain`` between ``begin`` and ``end`` (UTC).
    ``policy`` is the DMARC policy that it found: none, quarantine or reject.
    """

    organisation: str
    report_id: str
    domain: str
    policy: str
    begin: datetime
    end: datetime
    sources: tuple[ReportedSource, ...]


@dataclass(frozen=True, kw_only=True)
class ReportedRecipient:
    """One recipient that a bounce or a complaint speaks of; what the report hides or does not say is "".

    ``address`` is as the message spells it, ``original_address`` the one that we sent to, where the report
    names it beside another one that the message was forwarded to. ``status`` is the enhanced code
    (``5.1.1``), ``code`` the SMTP reply code, ``action`` RFC 3464's: failed, delayed, delivered, relayed or
    expanded. ``words`` are the server's, on one line; ``envelope_id`` is the ENVID (RFC 3461).
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
    ``feedback_token`` is our own header, and that of RFC 9477 beside it; ``envelope_sender`` the address that
    the message was returned to.
    """

    message_id: str = ""
    feedback_token: str = ""
    list_unsubscribe: str = ""
    envelope_sender: str = ""
    recipients: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class IncomingMessage:
    """What an incoming message is. ``delivered_to`` are the addresses it was sent to, by its envelope and
    headers; ``text`` is what a person or program wrote, without the quoted original; ``strange_domain`` is
    what a DMARC report is about that is not about ours.
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


@dataclass(frozen=True, kw_only=True)
class ProviderEvent:
    """One thing that happened to one message to one person, as a mail provider's webhook reports it.

    ``event_id`` is the provider's own for this event and recipient; where it has none, it is made of what the
    event says, so that the same event has the same one when it comes again. ``message`` says the same as a
    mail would: a bounce (``action`` is ``delayed`` while the provider goes on trying), a complaint, or
    leaving the list; it has one recipient. ``happened_at`` is in UTC, None if the provider does not say.
    """

    provider: str
    event_id: str
    message: IncomingMessage
    happened_at: datetime | None = None

    @property
    def fingerprint(self) -> str:
        """What makes the event the same when it comes again: a sha256 in hexadecimal, as a mail has."""
        named = f"{self.provider}\0{self.event_id}".encode("utf-8", "surrogatepass")
        return hashlib.sha256(named).hexdigest()


def concerns_domain(report: AggregateReport, domain: str) -> bool:
    """Return whether ``report`` is about ``domain``, one below it, or one above whose policy may apply."""
    ours, theirs = f".{domain.lower()}", f".{report.domain}"
    return "." in report.domain and (ours.endswith(theirs) or theirs.endswith(ours))
