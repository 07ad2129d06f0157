"""Checks the mail servers of our domains, their names, and how mail to them is protected."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address

from locales.phrase import AND, Phrase, gettext_noop, join_phrases
from mailer.doctor.diagnosis import Diagnosis, find_bad, find_doubtful, find_good
from mailer.doctor.dmarc_checks import discover_dmarc
from mailer.doctor.dns_lookups import Lookups
from mailer.doctor.mail_identity import MailIdentity, find_exchanger_service, find_mailbox_service
from mailer.doctor.spf_checks import find_sending_addresses


def check_mail_exchangers(identity: MailIdentity, lookups: Lookups) -> Iterator[Diagnosis]:
    """Check that replies, bounces and mails that unsubscribe can arrive."""
    what: dict[str, list[str]] = {}
    replies, bounces = Phrase("replies"), Phrase("bounces")
    for domain, use in ((identity.from_domain, replies), (identity.return_domain, bounces)):
        what.setdefault(domain, []).append(use)
    if identity.leave_domain:
        what.setdefault(identity.leave_domain, []).append(Phrase("mails that unsubscribe"))
    for domain, listed in what.items():
        yield _check_exchanger(domain, join_phrases(listed, AND), lookups)


def _check_exchanger(domain: str, uses: str, lookups: Lookups) -> Diagnosis:
    servers = lookups.find_mail_servers(domain)
    if any(not host for _, host in servers):
        message = Phrase(
            "%(domain)s says that it receives no mail (a null MX), so %(uses)s are lost, and some "
            "receivers refuse mail from such a domain. Publish the MX record of your mail server, "
            "or use another domain.",
            domain=domain,
            uses=uses,
        )
        return find_bad("mx", "mx-null", message)
    if not servers:
        if addresses := lookups.find_addresses(domain):
            message = Phrase(
                "%(domain)s has no MX record; %(uses)s are tried at its own address, "
                "%(addresses)s, which is usually a web server. Publish the MX record of your mail "
                "server.",
                domain=domain,
                uses=uses,
                addresses=addresses[0],
            )
            return find_doubtful("mx", "mx-missing", message)
        message = Phrase(
            "%(domain)s has no MX record and no address, so %(uses)s cannot arrive, and some "
            "receivers refuse mail from such a domain. Publish the MX record of your mail server.",
            domain=domain,
            uses=uses,
        )
        return find_bad("mx", "mx-missing", message)
    lost = [host for _, host in servers if not lookups.find_addresses(host)]
    if lost:
        report = find_bad if len(lost) == len(servers) else find_doubtful
        message = Phrase(
            gettext_noop(
                "the mail server %(server)s of %(domain)s has no address, so %(uses)s cannot arrive. Correct "
                "the MX record, or publish the address of that server."
            )
            if len(lost) == len(servers)
            else gettext_noop(
                "the mail server %(server)s of %(domain)s has no address, so %(uses)s may be late. Correct "
                "the MX record, or publish the address of that server."
            ),
            server=lost[0],
            domain=domain,
            uses=uses,
        )
        return report("mx", "mx-without-address", message)
    return find_good(
        "mx",
        Phrase(
            "%(domain)s receives %(uses)s (%(server)s)",
            domain=domain,
            uses=uses,
            server=servers[0][1],
        ),
    )


def check_mailbox(identity: MailIdentity, lookups: Lookups) -> Iterator[Diagnosis]:
    """Check that bounces and mails that unsubscribe arrive at the provider of the mailbox that is read.

    Only two providers that are known to be different count: a filter or a server of one's own passes mail on.
    """
    mailbox = find_mailbox_service(identity.mailbox_host) if identity.mailbox_host else None
    if mailbox is None or not identity.has_bounce_address:
        return
    for domain in dict.fromkeys(filter(None, (identity.return_domain, identity.leave_domain))):
        found = [find_exchanger_service(host) for _, host in lookups.find_mail_servers(domain)]
        if found and found[0] is not None and mailbox not in found:
            message = Phrase(
                "mail to %(domain)s arrives at %(name)s, and [feedback] imap reads a mailbox at "
                "%(mailbox)s, so nobody reads what comes back. Read the mailbox at %(name)s, or "
                "use addresses whose mail arrives where you read.",
                domain=domain,
                name=found[0].name,
                mailbox=mailbox.name,
            )
            yield find_doubtful("return path", "return-path-elsewhere", message)


def check_reverse_dns(identity: MailIdentity, lookups: Lookups) -> Iterator[Diagnosis]:
    """Check that each address of a relay of ours has a name, and the name that address."""
    for relay in identity.relays:
        if relay.service is not None and not relay.addresses:
            continue
        for address in find_sending_addresses(relay, lookups):
            yield _check_address(address, lookups)


def _check_address(address: str, lookups: Lookups) -> Diagnosis:
    names = lookups.find_host_names(address)
    if not names:
        message = Phrase(
            "the address %(address)s that your mail leaves from has no name in the reverse DNS, "
            "and Gmail, Microsoft, Naver and many others refuse mail from such an address. Whoever "
            "gave you the address (your network or hosting provider) sets it.",
            address=address,
        )
        return find_bad("ptr", "ptr-missing", message)
    confirmed = [
        name
        for name in names
        if any(ip_address(each) == ip_address(address) for each in lookups.find_addresses(name))
    ]
    if confirmed:
        return find_good(
            "ptr",
            Phrase(
                "%(address)s is %(confirmed)s, and that name leads back to it",
                address=address,
                confirmed=confirmed[0],
            ),
        )
    message = Phrase(
        "the reverse DNS calls %(address)s %(names)s, and that name does not lead back to "
        "%(address)s, so it counts as no name. Publish this record, or correct the reverse DNS.",
        address=address,
        names=names[0],
    )
    kind = "AAAA" if ":" in address else "A"
    return find_bad("ptr", "ptr-unconfirmed", message, record=f"{names[0]}. IN {kind} {address}")


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
    """Check MTA-STS (RFC 8461): the record, not the policy."""
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
            "%(from_domain)s announces MTA-STS, and %(host)s, where its policy must lie, has no "
            "address. Publish the policy there, or remove the record.",
            from_domain=identity.from_domain,
            host=host,
        )
        yield find_doubtful("mta-sts", "mta-sts-faulty", message)
        return
    yield find_good(
        "mta-sts",
        Phrase(
            "%(from_domain)s asks other servers to encrypt the mail they send you",
            from_domain=identity.from_domain,
        ),
    )


def check_transport_reports(identity: MailIdentity, lookups: Lookups) -> Iterator[Diagnosis]:
    """Check TLS-RPT (RFC 8460)."""
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
            "%(from_domain)s gets reports of mail that could not be encrypted",
            from_domain=identity.from_domain,
        ),
    )


def check_logo(identity: MailIdentity, lookups: Lookups) -> Iterator[Diagnosis]:
    """Check BIMI: the record, and that DMARC is strict enough for it. The logo itself is not fetched."""
    domain = identity.from_domain
    record = _find_one(_LOGO, domain, lookups)
    if isinstance(record, Diagnosis):
        yield record
        return
    tags = _read_tags(record)
    for tag in ("l", "a"):
        if (tag == "l" and tag not in tags) or (tags.get(tag) and not tags[tag].startswith("https://")):
            fault = ValueError(Phrase("%(tag)s= must be an https address", tag=tag))
            yield _report_fault(_LOGO, domain, fault)
            return
    policy = discover_dmarc(domain, lookups).policy
    if policy is None or _read_tags(policy.text).get("p", "none").lower() == "none":
        message = Phrase(
            "%(domain)s has a logo (BIMI), and its DMARC record asks receivers for nothing, so "
            "none shows it. Publish p=quarantine or p=reject.",
            domain=domain,
        )
        yield find_doubtful("bimi", "bimi-without-policy", message)
        return
    yield find_good(
        "bimi",
        Phrase(
            "%(domain)s has a logo: %(logo)s",
            domain=domain,
            logo=tags["l"] or gettext_noop("none, on purpose"),
        ),
    )


def _read_tags(record: str) -> dict[str, str]:
    pairs = (part.partition("=") for part in record.split(";"))
    return {name.strip().lower(): value.strip() for name, _, value in pairs}


def _find_one(protection: _Protection, domain: str, lookups: Lookups) -> str | Diagnosis:
    """Return the record, or a finding if there is none or several."""
    name = f"{protection.prefix}.{domain}"
    found = [text for text in lookups.find_texts(name) if text.lower().startswith(protection.version.lower())]
    if not found:
        message = Phrase("%(domain)s has none: %(absent)s", domain=domain, absent=protection.absent)
        return find_good(protection.subject, message, code=protection.absent_code)
    if len(found) > 1:
        words = Phrase("there are %(number)s records at %(name)s", number=len(found), name=name)
        return _report_fault(protection, domain, ValueError(words))
    return found[0]


def _report_fault(protection: _Protection, domain: str, error: Exception) -> Diagnosis:
    words = " ".join(str(error).split()).rstrip(".")
    message = Phrase(
        "the record at %(prefix)s.%(domain)s has a mistake, so it is ignored (%(words)s). Correct "
        "it, or remove it.",
        prefix=protection.prefix,
        domain=domain,
        words=words,
    )
    return find_doubtful(protection.subject, protection.faulty, message)
