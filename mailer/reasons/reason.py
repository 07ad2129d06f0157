"""Why a mail server refused or returned a message, and whose fault that is: who can do something about it."""

from locales.phrase import WordedEnum, gettext_noop


class Reason(WordedEnum):
    """Why a message came back, or what its recipient did."""

    no_such_user = ("no_such_user", gettext_noop("no such user"))
    """The mailbox does not exist."""

    no_such_host = ("no_such_host", gettext_noop("no such host"))
    """The domain does not exist, or has no mail server."""

    has_moved = ("has_moved", gettext_noop("has moved"))
    """The person has moved to another address."""

    does_not_accept = ("does_not_accept", gettext_noop("does not accept"))
    """The domain says that it accepts no mail at all."""

    unconfirmed = ("unconfirmed", gettext_noop("unconfirmed"))
    """The server may not know the mailbox, but does not say so in a way that is certain."""

    full = ("full", gettext_noop("full"))
    """The mailbox is full."""

    over_quota = ("over_quota", gettext_noop("over quota"))
    """The recipient or their server has received too much, or too fast, for now."""

    greylisted = ("greylisted", gettext_noop("greylisted"))
    """The server asks every unknown sender to try again later."""

    too_big = ("too_big", gettext_noop("too big"))
    """The message is larger than the server accepts."""

    content = ("content", gettext_noop("content"))
    """The server refused something in the message: a virus, an attachment, a header, its format."""

    spam = ("spam", gettext_noop("spam"))
    """The server took the message for spam."""

    policy = ("policy", gettext_noop("policy"))
    """A rule of the recipient or of their server refused the message."""

    authentication = ("authentication", gettext_noop("authentication"))
    """Our SPF, DKIM, DMARC, reverse DNS or login failed."""

    blocked = ("blocked", gettext_noop("blocked"))
    """The server refuses our address, network or domain because of its reputation."""

    network = ("network", gettext_noop("network"))
    """Servers could not reach each other, or mail went round in a loop."""

    suspended = ("suspended", gettext_noop("suspended"))
    """The mailbox exists, but is disabled or unused."""

    expired = ("expired", gettext_noop("expired"))
    """The server gave up after trying for days."""

    other = ("other", gettext_noop("other"))
    """The server gave no reason that we understand."""

    complaint = ("complaint", gettext_noop("complaint"))
    """The reader reported the message as spam."""

    @property
    def is_dead(self) -> bool:
        """Whether no mail will ever reach this address again."""
        return self in _DEAD

    @property
    def may_die(self) -> bool:
        """Whether the address counts as dead once this has gone on for long enough."""
        return self in _DYING

    @property
    def concerns_us(self) -> bool:
        """Whether the server spoke about the sender, so that every reader there may be affected."""
        return self in _OURS


_DEAD = frozenset({Reason.no_such_user, Reason.no_such_host, Reason.has_moved, Reason.does_not_accept})
_DYING = frozenset({Reason.unconfirmed, Reason.full, Reason.suspended})
_OURS = frozenset({Reason.authentication, Reason.blocked, Reason.spam, Reason.policy})


class Fault(WordedEnum):
    """Whom a refusal is about."""

    reader = ("reader", gettext_noop("The fault is on the partner’s side."))
    """The reader: their mailbox, their choice, or a rule of their organisation."""

    sender = ("sender", gettext_noop("The fault is on our side."))
    """Us: our records, what we wrote, how fast we sent it, or what is thought of our server."""

    provider = ("provider", gettext_noop("The fault is with the provider, or on the way."))
    """The reader's provider, or a server on the way: it failed, or does not know the address as its own."""

    nobody = ("nobody", gettext_noop("Nobody is at fault."))
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
