"""An aggregate report of DMARC, as values."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, kw_only=True)
class ReportedSource:
    """Messages in our name that a receiver got from one address, and what it made of them.

    ``count`` is their number. ``dkim`` and ``spf`` say whether each passed and was aligned with the From
    domain, ``header_from``. ``disposition`` is what the receiver did: none, quarantine or reject, and "pass"
    since RFC 9990. ``override`` is why that was not what the policy asks for, such as "forwarded".
    ``dkim_domains`` are the domains whose signatures passed, ``spf_domain`` the one whose SPF passed.
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


def concerns_domain(report: AggregateReport, domain: str) -> bool:
    """Whether ``report`` is about ``domain``, one below it, or one above it, whose policy may apply."""
    ours, theirs = f".{domain.lower()}", f".{report.domain}"
    return "." in report.domain and (ours.endswith(theirs) or theirs.endswith(ours))
