"""Checks of what protects the mail we receive (MTA-STS, TLS-RPT) and shows a logo (BIMI): voluntary, but not
to be wrong.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from locales.phrase import Phrase, gettext_noop
from mailer.doctor.diagnosis import Diagnosis, find_doubtful, find_good
from mailer.doctor.dmarc_discovery import discover_dmarc
from mailer.doctor.dns_lookups import Lookups
from mailer.doctor.mail_identity import MailIdentity


@dataclass(frozen=True, kw_only=True)
class _Protection:
    subject: str
    faulty: str
    """The code of a mistake; that of none at all is ``absent_code``."""
    absent_code: str
    prefix: str
    version: str
    absent: str
    """The hint where there is none."""


_TRANSPORT = _Protection(
    subject="mta-sts",
    faulty="mta-sts-faulty",
    absent_code="mta-sts-absent",
    prefix="_mta-sts",
    version="v=STSv1",
    absent=gettext_noop("it would make other servers encrypt the mail they send you (MTA-STS)"),
)
_REPORTS = _Protection(
    subject="tls-rpt",
    faulty="tls-rpt-faulty",
    absent_code="tls-rpt-absent",
    prefix="_smtp._tls",
    version="v=TLSRPTv1",
    absent=gettext_noop("it would tell you when mail to you could not be encrypted (TLS-RPT)"),
)
_LOGO = _Protection(
    subject="bimi",
    faulty="bimi-faulty",
    absent_code="bimi-absent",
    prefix="default._bimi",
    version="v=BIMI1",
    absent=gettext_noop(
        "it would show your logo beside your mail at Gmail, Yahoo and Apple (BIMI; needs a certificate)"
    ),
)


def check_transport_security(identity: MailIdentity, lookups: Lookups) -> Iterator[Diagnosis]:
    """Check MTA-STS (RFC 8461): the record, not the policy.

    Raises:
        DnsUnansweredError: nobody answers.
    """
    from checkdmarc import mta_sts

    record = _find_one(_TRANSPORT, identity.from_domain, lookups)
    if isinstance(record, Diagnosis):
        yield record
        return
    try:
        mta_sts.parse_mta_sts_record(record)
    except mta_sts.MTASTSError as error:
        yield _report_fault(_TRANSPORT, identity.from_domain, error)
        return
    host = f"mta-sts.{identity.from_domain}"
    if not lookups.find_addresses(host):
        message = Phrase(
            gettext_noop(
                "%(from_domain)s announces MTA-STS, and %(host)s, where its policy must lie, has no "
                "address. Publish the policy there, or remove the record."
            ),
            from_domain=identity.from_domain,
            host=host,
        )
        yield find_doubtful("mta-sts", "mta-sts-faulty", message)
        return
    yield find_good(
        "mta-sts",
        Phrase(
            gettext_noop("%(from_domain)s asks other servers to encrypt the mail they send you"),
            from_domain=identity.from_domain,
        ),
    )


def check_transport_reports(identity: MailIdentity, lookups: Lookups) -> Iterator[Diagnosis]:
    """Check TLS-RPT (RFC 8460).

    Raises:
        DnsUnansweredError: nobody answers.
    """
    from checkdmarc import smtp_tls_reporting as tls_reports

    record = _find_one(_REPORTS, identity.from_domain, lookups)
    if isinstance(record, Diagnosis):
        yield record
        return
    try:
        tls_reports.parse_smtp_tls_reporting_record(record)
    except tls_reports.SMTPTLSReportingError as error:
        yield _report_fault(_REPORTS, identity.from_domain, error)
        return
    yield find_good(
        "tls-rpt",
        Phrase(
            gettext_noop("%(from_domain)s gets reports of mail that could not be encrypted"),
            from_domain=identity.from_domain,
        ),
    )


def check_logo(identity: MailIdentity, lookups: Lookups) -> Iterator[Diagnosis]:
    """Check BIMI: the record, and that DMARC is strict enough for it. The logo itself is not fetched.

    Raises:
        DnsUnansweredError: nobody answers.
    """
    domain = identity.from_domain
    record = _find_one(_LOGO, domain, lookups)
    if isinstance(record, Diagnosis):
        yield record
        return
    tags = _read_tags(record)
    for tag in ("l", "a"):
        if (tag == "l" and tag not in tags) or (tags.get(tag) and not tags[tag].startswith("https://")):
            fault = ValueError(Phrase(gettext_noop("%(tag)s= must be an https address"), tag=tag))
            yield _report_fault(_LOGO, domain, fault)
            return
    policy = discover_dmarc(domain, lookups).policy
    if policy is None or _read_tags(policy.text).get("p", "none").lower() == "none":
        message = Phrase(
            gettext_noop(
                "%(domain)s has a logo (BIMI), and its DMARC record asks receivers for nothing, so "
                "none shows it. Publish p=quarantine or p=reject."
            ),
            domain=domain,
        )
        yield find_doubtful("bimi", "bimi-without-policy", message)
        return
    yield find_good(
        "bimi",
        Phrase(
            gettext_noop("%(domain)s has a logo: %(logo)s"),
            domain=domain,
            logo=tags["l"] or gettext_noop("none, on purpose"),
        ),
    )


def _read_tags(record: str) -> dict[str, str]:
    pairs = (part.partition("=") for part in record.split(";"))
    return {name.strip().lower(): value.strip() for name, _, value in pairs}


def _find_one(protection: _Protection, domain: str, lookups: Lookups) -> str | Diagnosis:
    """The record, or a finding if there is none or several."""
    name = f"{protection.prefix}.{domain}"
    found = [text for text in lookups.find_texts(name) if text.lower().startswith(protection.version.lower())]
    if not found:
        message = Phrase(
            gettext_noop("%(domain)s has none: %(absent)s"), domain=domain, absent=protection.absent
        )
        return find_good(protection.subject, message, code=protection.absent_code)
    if len(found) > 1:
        words = Phrase(gettext_noop("there are %(number)s records at %(name)s"), number=len(found), name=name)
        return _report_fault(protection, domain, ValueError(words))
    return found[0]


def _report_fault(protection: _Protection, domain: str, error: Exception) -> Diagnosis:
    words = " ".join(str(error).split()).rstrip(".")
    message = Phrase(
        gettext_noop(
            "the record at %(prefix)s.%(domain)s has a mistake, so it is ignored (%(words)s). Correct "
            "it, or remove it."
        ),
        prefix=protection.prefix,
        domain=domain,
        words=words,
    )
    return find_doubtful(protection.subject, protection.faulty, message)
