"""Whose fault a refusal is: who can do something about it."""

from enum import StrEnum

from mailer.reasons.reason import Reason


class Fault(StrEnum):
    """Whom a refusal is about."""

    reader = "reader"
    """The reader: their mailbox, their choice, or a rule of their organisation."""

    sender = "sender"
    """Us: our records, what we wrote, how fast we sent it, or what is thought of our server."""

    provider = "provider"
    """The reader's provider, or a server on the way: it failed, or does not know the address as its own."""

    nobody = "nobody"
    """Nobody: it passes by itself, or the server does not say."""

    @property
    def label(self) -> str:
        """Whose fault it is, as people read it."""
        return _LABELS[self]


_LABELS = {
    Fault.reader: "the reader's side",
    Fault.sender: "ours",
    Fault.provider: "the provider, or on the way",
    Fault.nobody: "nobody's",
}

USUAL_FAULTS = {
    Reason.no_such_user: Fault.reader,
    Reason.no_such_host: Fault.reader,
    Reason.has_moved: Fault.reader,
    Reason.does_not_accept: Fault.reader,
    Reason.unconfirmed: Fault.reader,
    Reason.full: Fault.reader,
    Reason.over_quota: Fault.sender,
    Reason.greylisted: Fault.nobody,
    Reason.too_big: Fault.sender,
    Reason.content: Fault.sender,
    Reason.spam: Fault.sender,
    Reason.policy: Fault.reader,
    Reason.authentication: Fault.sender,
    Reason.blocked: Fault.sender,
    Reason.network: Fault.provider,
    Reason.suspended: Fault.reader,
    Reason.expired: Fault.provider,
    Reason.other: Fault.nobody,
    Reason.complaint: Fault.sender,
}
"""Whose fault a refusal for each reason usually is; a rule may know better."""
