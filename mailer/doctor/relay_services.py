"""The services that many send through, and what each asks to have published: ``relay_services.toml``."""

import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

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
    hosts: tuple[str, ...]
    include: str
    replaces_return_path: bool
    mailboxes: tuple[str, ...]
    exchangers: tuple[str, ...]
    source: str


def find_relay_service(host: str) -> RelayService | None:
    """The service that runs the relay ``host``; None if it is not one of those we know."""
    return _find(host, lambda service: service.hosts)


def find_mailbox_service(host: str) -> RelayService | None:
    """The service whose IMAP server ``host`` is."""
    return _find(host, lambda service: service.mailboxes)


def find_exchanger_service(host: str) -> RelayService | None:
    """The service whose mailboxes the mail server ``host`` delivers to."""
    return _find(host, lambda service: service.exchangers)


def _find(host: str, list_patterns: Callable[[RelayService], tuple[str, ...]]) -> RelayService | None:
    host = host.casefold().rstrip(".")
    for service in read_relay_services():
        if any(fnmatchcase(host, pattern) for pattern in list_patterns(service)):
            return service
    return None


@cache
def read_relay_services() -> tuple[RelayService, ...]:
    """Every service of the table.

    Raises:
        TypeError: an entry lacks a key, or has one that services do not have.
    """
    entries = tomllib.loads(_FILE.read_text(encoding="utf-8"))
    return tuple(_read_entry(key, **entry) for key, entry in entries.items())


def _read_entry(
    key: str,
    *,
    name: str,
    hosts: list[str],
    source: str,
    include: str = "",
    replaces_return_path: bool = False,
    mailboxes: list[str] | None = None,
    exchangers: list[str] | None = None,
) -> RelayService:
    return RelayService(
        key=key,
        name=name,
        hosts=tuple(hosts),
        include=include,
        replaces_return_path=replaces_return_path,
        mailboxes=tuple(mailboxes or ()),
        exchangers=tuple(exchangers or ()),
        source=source,
    )
