"""Which domains and relays mail is sent from, and the known services among the relays."""

import tomllib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from mailer.dispatch.sending_settings import list_relays, load_signer
from mailer.errors import ConfigurationError
from mailer.network import is_reserved_domain
from mailer.settings import LOOPBACK_HOSTS, RelaySettings, Settings
from mailer.smtp.dkim import DkimRecord
from mailer.workspace import Workspace
from subscribers.address import normalise_address
from subscribers.errors import AddressError

_FILE = Path(__file__).with_name("relay_services.toml")


@dataclass(frozen=True, kw_only=True)
class RelayService:
    """A service that runs relays.

    ``hosts`` are patterns of the names of its relays, ``include`` is what an SPF record names for it, ""
    where it asks for none. A service with ``replaces_return_path`` writes an address of its own there, unless
    it was told otherwise. ``mailboxes`` and ``exchangers`` are patterns of its IMAP servers and of the mail
    servers that deliver to them. ``source`` is the page that says so.
    """

    key: str
    name: str
    hosts: Sequence[str]
    include: str = ""
    replaces_return_path: bool = False
    mailboxes: Sequence[str] = ()
    exchangers: Sequence[str] = ()
    source: str


def find_relay_service(host: str) -> RelayService | None:
    """Return the service that runs the relay ``host``; None if it is not one of those we know."""
    return _find(host, lambda service: service.hosts)


def find_mailbox_service(host: str) -> RelayService | None:
    """Return the service whose IMAP server ``host`` is."""
    return _find(host, lambda service: service.mailboxes)


def find_exchanger_service(host: str) -> RelayService | None:
    """Return the service whose mailboxes the mail server ``host`` delivers to."""
    return _find(host, lambda service: service.exchangers)


def _find(host: str, list_patterns: Callable[[RelayService], Sequence[str]]) -> RelayService | None:
    host = host.casefold().rstrip(".")
    for service in read_relay_services():
        if any(fnmatchcase(host, pattern) for pattern in list_patterns(service)):
            return service
    return None


@cache
def read_relay_services() -> tuple[RelayService, ...]:
    """Return every service of the table. Raise TypeError if an entry lacks a key, or has one that services do
    not have.
    """
    entries = tomllib.loads(_FILE.read_text(encoding="utf-8"))
    return tuple(RelayService(key=key, **entry) for key, entry in entries.items())


@dataclass(frozen=True, kw_only=True)
class RelayOrigin:
    """A relay, and the IP addresses its mail leaves from as far as the settings say.

    ``subject`` names it in findings. ``service`` is the provider that runs it, if it is one we know.
    """

    subject: str
    host: str
    addresses: tuple[str, ...] = ()
    service: RelayService | None = None

    @property
    def is_on_this_network(self) -> bool:
        """Whether its address is one of this machine or of an internal network."""
        if self.host in LOOPBACK_HOSTS:
            return True
        try:
            return not ip_address(self.host).is_global
        except ValueError:
            return "." not in self.host


@dataclass(frozen=True, kw_only=True)
class MailIdentity:
    """Domains in ASCII. ``return_domain`` is that of the envelope sender, ``leave_domain`` that of the
    address to leave by mail, "" for none. ``keys`` are the records our own signatures need; ``selector`` is
    that of a relay that signs, "" if unknown.
    """

    from_domain: str
    return_domain: str
    leave_domain: str
    signing_domain: str
    keys: tuple[DkimRecord, ...]
    selector: str
    relays: tuple[RelayOrigin, ...]
    has_bounce_address: bool = False
    """Whether ``[feedback] bounce_address`` is the return path."""
    mailbox_host: str = ""
    """The IMAP server where what comes back is read, "" for none."""

    @property
    def replaces_return_path(self) -> bool:
        """Whether every relay writes a return path of its own, so that our SPF record is not asked for."""
        return bool(self.relays) and all(
            relay.service is not None and relay.service.replaces_return_path for relay in self.relays
        )


def read_mail_identity(workspace: Workspace) -> MailIdentity | None:
    """Read it from the settings; None where nobody will look anything up: for an example's domain, mail that
    is only stored in a folder, and settings that another check finds unusable.
    """
    settings = workspace.settings
    if is_reserved_domain(settings.sender.domain):
        return None
    try:
        relays = tuple(_list_origins(settings))
        signer = load_signer(settings, workspace.root)
        from_domain = _to_ascii(settings.sender.domain)
        bounces = settings.feedback.bounce_address or settings.sender.bounces_to or settings.sender.address
        leaving = settings.feedback.leave_address
        identity = MailIdentity(
            from_domain=from_domain,
            return_domain=_to_ascii(bounces.rpartition("@")[2]),
            leave_domain=_to_ascii(leaving.rpartition("@")[2]) if leaving else "",
            signing_domain=_to_ascii(settings.dkim.domain or settings.sender.domain),
            keys=signer.records if signer else (),
            selector="" if signer else settings.dkim.selector,
            relays=relays,
            has_bounce_address=bool(settings.feedback.bounce_address),
            mailbox_host=urlsplit(settings.feedback.imap).hostname or "",
        )
    except (ConfigurationError, AddressError, ValueError):
        return None
    return identity if relays else None


def _list_origins(settings: Settings) -> Iterator[RelayOrigin]:
    smtp = settings.smtp
    for relay in list_relays(smtp):
        url = urlsplit(relay.url)
        if url.scheme in {"smtp", "smtps"} and url.hostname:
            yield RelayOrigin(
                subject=f"relay {relay.name}" if smtp.relays else "relay",
                host=url.hostname,
                addresses=_list_addresses(relay, settings),
                service=find_relay_service(url.hostname),
            )


def _list_addresses(relay: RelaySettings, settings: Settings) -> tuple[str, ...]:
    own = relay.sending_addresses
    return tuple(map(str, settings.smtp.sending_addresses if own is None else own))


def _to_ascii(domain: str) -> str:
    return normalise_address(f"postmaster@{domain}").envelope.rpartition("@")[2].lower()
