"""Checks of the names of mail servers: those that receive for our domains (MX), and those that send (PTR)."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address

from mailer.doctor.diagnosis import Diagnosis, find_bad, find_doubtful, find_good
from mailer.doctor.dns_lookups import Lookups
from mailer.doctor.mail_identity import MailIdentity
from mailer.doctor.relay_services import find_exchanger_service, find_mailbox_service
from mailer.doctor.spf_checks import find_sending_addresses


def check_mail_exchangers(identity: MailIdentity, lookups: Lookups) -> Iterator[Diagnosis]:
    """Check that replies, bounces and mails that unsubscribe can arrive.

    Raises:
        DnsUnansweredError: nobody answers.
    """
    what: dict[str, list[str]] = {}
    for domain, use in ((identity.from_domain, "replies"), (identity.return_domain, "bounces")):
        what.setdefault(domain, []).append(use)
    if identity.leave_domain:
        what.setdefault(identity.leave_domain, []).append("mails that unsubscribe")
    for domain, listed in what.items():
        yield _check_exchanger(domain, _join(listed), lookups)


def _join(words: list[str]) -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def _check_exchanger(domain: str, uses: str, lookups: Lookups) -> Diagnosis:
    servers = lookups.find_mail_servers(domain)
    if any(not host for _, host in servers):
        message = (
            f"{domain} says that it receives no mail (a null MX), so {uses} are lost, and some receivers "
            "refuse mail from such a domain. Publish the MX record of your mail server, or use another "
            "domain."
        )
        return find_bad("mx", "mx-null", message)
    if not servers:
        if addresses := lookups.find_addresses(domain):
            message = (
                f"{domain} has no MX record; {uses} are tried at its own address, {addresses[0]}, which is "
                "usually a web server. Publish the MX record of your mail server."
            )
            return find_doubtful("mx", "mx-missing", message)
        message = (
            f"{domain} has no MX record and no address, so {uses} cannot arrive, and some receivers refuse "
            "mail from such a domain. Publish the MX record of your mail server."
        )
        return find_bad("mx", "mx-missing", message)
    lost = [host for _, host in servers if not lookups.find_addresses(host)]
    if lost:
        report = find_bad if len(lost) == len(servers) else find_doubtful
        message = (
            f"the mail server {lost[0]} of {domain} has no address, so {uses} "
            f"{'cannot arrive' if len(lost) == len(servers) else 'may be late'}. Correct the MX record, or "
            "publish the address of that server."
        )
        return report("mx", "mx-without-address", message)
    return find_good("mx", f"{domain} receives {uses} ({servers[0][1]})")


def check_mailbox(identity: MailIdentity, lookups: Lookups) -> Iterator[Diagnosis]:
    """Check that bounces and mails that unsubscribe arrive at the provider of the mailbox that is read.

    Only two providers that are known to be different count: a filter or a server of one's own passes mail on.

    Raises:
        DnsUnansweredError: nobody answers.
    """
    mailbox = find_mailbox_service(identity.mailbox_host) if identity.mailbox_host else None
    if mailbox is None or not identity.has_bounce_address:
        return
    for domain in dict.fromkeys(filter(None, (identity.return_domain, identity.leave_domain))):
        found = [find_exchanger_service(host) for _, host in lookups.find_mail_servers(domain)]
        if found and found[0] is not None and mailbox not in found:
            message = (
                f"mail to {domain} arrives at {found[0].name}, and [feedback] imap reads a mailbox at "
                f"{mailbox.name}, so nobody reads what comes back. Read the mailbox at {found[0].name}, or "
                "use addresses whose mail arrives where you read."
            )
            yield find_doubtful("return path", "return-path-elsewhere", message)


def check_reverse_dns(identity: MailIdentity, lookups: Lookups) -> Iterator[Diagnosis]:
    """Check that each address of a relay of ours has a name, and the name that address.

    Raises:
        DnsUnansweredError: nobody answers.
    """
    for relay in identity.relays:
        if relay.service is not None and not relay.addresses:
            continue
        for address in find_sending_addresses(relay, lookups):
            yield _check_address(address, lookups)


def _check_address(address: str, lookups: Lookups) -> Diagnosis:
    names = lookups.find_host_names(address)
    if not names:
        message = (
            f"the address {address} that your mail leaves from has no name in the reverse DNS, and Gmail, "
            "Microsoft, Naver and many others refuse mail from such an address. Whoever gave you the address "
            "(your network or hosting provider) sets it."
        )
        return find_bad("ptr", "ptr-missing", message)
    confirmed = [
        name
        for name in names
        if any(ip_address(each) == ip_address(address) for each in lookups.find_addresses(name))
    ]
    if confirmed:
        return find_good("ptr", f"{address} is {confirmed[0]}, and that name leads back to it")
    message = (
        f"the reverse DNS calls {address} {names[0]}, and that name does not lead back to {address}, so it "
        "counts as no name. Publish this record, or correct the reverse DNS."
    )
    kind = "AAAA" if ":" in address else "A"
    return find_bad("ptr", "ptr-unconfirmed", message, record=f"{names[0]}. IN {kind} {address}")
