"""A provider that receives mail, what it accepts from one sender, and what it asks of senders.

Whatever is said of a provider carries its source and the date of that source.
"""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from locales.phrase import gettext_noop


class Requirement(StrEnum):
    """What a provider may ask of those who send to it."""

    spf = "spf"
    """SPF allows the server that sends (RFC 7208)."""

    dkim = "dkim"
    """Each message is signed (RFC 6376)."""

    dmarc = "dmarc"
    """The domain in From has a DMARC record (RFC 9989)."""

    alignment = "alignment"
    """SPF or DKIM passes for the domain in From itself."""

    ptr = "ptr"
    """The address of the sending server has a name that leads back to it."""

    tls = "tls"
    """Mail is handed over encrypted."""

    from_domain = "from_domain"
    """The domain in From can receive mail: it has an MX or an address."""

    one_click = "one_click"
    """The mail program can unsubscribe with one click (RFC 8058)."""

    unsubscribe_mailto = "unsubscribe_mailto"
    """List-Unsubscribe has a mail address to which leaving can be written."""

    unsubscribe_link = "unsubscribe_link"
    """The mail shows a link to unsubscribe."""

    opt_in = "opt_in"
    """Only people who asked for it get the newsletter."""

    few_complaints = "few_complaints"
    """Hardly anybody reports the mail as spam: under 0.3 %, better under 0.1 %."""

    clean_list = "clean_list"
    """Addresses that do not exist are removed at once."""

    imprint = "imprint"
    """The mail, and the sending server's website, say who the sender is and how to reach them."""

    complaint_loop = "complaint_loop"
    """The sender is registered to be told of complaints."""

    registration = "registration"
    """The sender or the sending server is registered with the provider or with an authority."""

    advertisement_label = "advertisement_label"
    """The subject of advertising begins with a label."""

    @property
    def label(self) -> str:
        """The requirement as people read it, in a few words."""
        return _LABELS[self]


_LABELS = {
    Requirement.spf: "SPF",
    Requirement.dkim: "DKIM",
    Requirement.dmarc: "DMARC",
    Requirement.alignment: gettext_noop("alignment with From"),
    Requirement.ptr: gettext_noop("name of the sending server (PTR)"),
    Requirement.tls: "TLS",
    Requirement.from_domain: gettext_noop("From domain that receives mail"),
    Requirement.one_click: gettext_noop("one-click unsubscribe"),
    Requirement.unsubscribe_mailto: gettext_noop("unsubscribe by mail"),
    Requirement.unsubscribe_link: gettext_noop("visible unsubscribe link"),
    Requirement.opt_in: gettext_noop("consent"),
    Requirement.few_complaints: gettext_noop("few complaints"),
    Requirement.clean_list: gettext_noop("no dead addresses"),
    Requirement.imprint: gettext_noop("imprint"),
    Requirement.complaint_loop: gettext_noop("complaint loop"),
    Requirement.registration: gettext_noop("registration"),
    Requirement.advertisement_label: gettext_noop("label of advertising"),
}


class Level(StrEnum):
    """How much a provider insists."""

    required = "required"
    """Without it, mail is refused or goes to the spam folder."""

    recommended = "recommended"
    """With it, mail is trusted more."""


class Period(StrEnum):
    """What a number of messages is counted over."""

    second = "second"
    """Counted each second."""

    hour = "hour"
    """Counted each hour; sent evenly over it."""

    day = "day"
    """Counted each day (UTC)."""

    @property
    def seconds(self) -> int:
        """How long it is, in seconds."""
        return {"second": 1, "hour": 3600, "day": 86400}[self.value]


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where something is said. ``date`` is the page's own, or the day on which we read it."""

    url: str
    date: date


@dataclass(frozen=True, kw_only=True)
class Ask:
    """One thing that a provider asks of senders."""

    requirement: Requirement
    level: Level
    source: Source


@dataclass(frozen=True, kw_only=True)
class Limit:
    """How many messages the provider accepts from one sending address. ``note`` says how it was found."""

    messages: int
    per: Period
    source: Source
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Connections:
    """How many connections from one sending address the provider takes at the same time."""

    at_once: int
    source: Source


@dataclass(frozen=True, kw_only=True)
class KnownRefusal:
    """A refusal by which a provider is known.

    ``codes`` are marks of which its words contain one ("5.7.26", "HL:IFC"), ``means`` says in a sentence what
    happened, ``advice`` what to do.
    """

    codes: tuple[str, ...]
    means: str
    advice: str
    source: Source


@dataclass(frozen=True, kw_only=True)
class Provider:
    """A provider, or a maker of gateways that stand before other servers.

    ``mx`` are ends of the names of its MX hosts, ``domains`` its own mail domains, which need no look-up;
    ``found_by`` is the source of both. ``postmaster`` is its page for senders, or "".
    """

    key: str
    name: str
    mx: tuple[str, ...]
    domains: tuple[str, ...]
    found_by: Source
    postmaster: str = ""
    asks: tuple[Ask, ...] = ()
    limits: tuple[Limit, ...] = ()
    connections: Connections | None = None
    refusals: tuple[KnownRefusal, ...] = ()

    @property
    def rate(self) -> float | None:
        """Messages per second, or None if there is no published number."""
        rates = [each.messages / each.per.seconds for each in self.limits if each.per is not Period.day]
        return min(rates, default=None)

    @property
    def daily_limit(self) -> int | None:
        """Messages per day, or None if there is no published number."""
        return min((each.messages for each in self.limits if each.per is Period.day), default=None)
