"""Runs the checks of the DNS, so that one that is silent is said once and the rest goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from locales.phrase import Phrase, gettext_noop
from mailer.dns import make_resolver
from mailer.doctor.diagnosis import Diagnosis, find_bad, find_doubtful
from mailer.doctor.dkim_checks import check_dkim
from mailer.doctor.dmarc_checks import check_alignment, check_dmarc
from mailer.doctor.dns_lookups import DnsUnansweredError, Lookups
from mailer.doctor.mail_identity import MailIdentity, read_mail_identity
from mailer.doctor.mail_server_checks import (
    check_logo,
    check_mail_exchangers,
    check_mailbox,
    check_reverse_dns,
    check_transport_reports,
    check_transport_security,
)
from mailer.doctor.spf_checks import check_spf
from mailer.workspace import Workspace

DnsCheck = Callable[[MailIdentity, Lookups], Iterator[Diagnosis]]
"""Where nobody answers, it raises :class:`DnsUnansweredError`."""

DNS_CHECKS: tuple[DnsCheck, ...] = (
    check_spf,
    check_dkim,
    check_dmarc,
    check_alignment,
    check_reverse_dns,
    check_mail_exchangers,
    check_mailbox,
    check_transport_security,
    check_transport_reports,
    check_logo,
)


def check_dns(workspace: Workspace) -> Iterator[Diagnosis]:
    """Ask the DNS what the servers of readers will ask; nothing about an example's domain, nor where mail is
    only stored in a folder.
    """
    identity = read_mail_identity(workspace)
    if identity is None:
        return
    from dns.resolver import NoResolverConfiguration

    try:
        lookups = Lookups(make_resolver(workspace.settings.dns))
    except NoResolverConfiguration:
        message = gettext_noop(
            "this machine names no DNS server, so nothing could be looked up. Set [dns] resolver."
        )
        yield find_doubtful("dns", "dns-silent", message)
        return
    _forget_earlier_answers()
    try:
        is_there = lookups.has_name(identity.from_domain)
    except DnsUnansweredError as error:
        yield _report_unanswered(identity.from_domain, error)
        return
    if not is_there:
        message = Phrase(
            "the domain %(from_domain)s does not exist, so receivers refuse mail from it. Correct "
            "[sender] address, or register the domain.",
            from_domain=identity.from_domain,
        )
        yield find_bad("dns", "domain-missing", message)
        return
    yield from _run_checks(identity, lookups)


def _run_checks(identity: MailIdentity, lookups: Lookups) -> Iterator[Diagnosis]:
    unanswered: dict[str, None] = {}
    for check in DNS_CHECKS:
        try:
            yield from check(identity, lookups)
        except DnsUnansweredError as error:
            unanswered[error.question] = None
    if unanswered:
        message = Phrase(
            "the DNS did not answer every question (%(questions)s), so not everything could be "
            "checked. Receivers may get no answer either. Try again later; if it stays so, tell "
            "whoever looks after these domains.",
            questions=", ".join(unanswered),
        )
        yield find_doubtful("dns", "dns-unanswered", message)


def _report_unanswered(domain: str, error: DnsUnansweredError) -> Diagnosis:
    if error.is_silence:
        message = gettext_noop(
            "the DNS does not answer, so SPF, DKIM, DMARC and mail servers could not be checked. "
            "Check this machine’s network, or set [dns] resolver to a DNS server that it may ask."
        )
        return find_doubtful("dns", "dns-silent", message)
    message = Phrase(
        "the DNS servers of %(domain)s answer with a failure, so receivers cannot look up who may "
        "send for it. Tell whoever looks after the domain; a frequent cause is DNSSEC with old "
        "signatures.",
        domain=domain,
    )
    return find_bad("dns", "dns-failing", message)


def _forget_earlier_answers() -> None:
    """Empty checkdmarc's own memory of half an hour: who runs the doctor wants to know what is there now."""
    from checkdmarc import utils

    utils.DNS_CACHE.clear()
