"""Looks up names for the checks of the DNS: remembers the answers, and gives up on a DNS that is silent."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dns.nameserver import Nameserver
    from dns.resolver import Answer, Resolver

_PATIENCE = 4
"""How many times the time of one question is waited for answers that never come, all questions together."""


class DnsUnansweredError(Exception):
    """Nobody answered a question, or only with a failure.

    ``question`` is its name and type; ``is_silence`` says that nothing came at all.
    """

    def __init__(self, question: str, *, is_silence: bool) -> None:
        self.question = question
        self.is_silence = is_silence
        super().__init__(question)


class Lookups:
    """The questions of one examination. Each raises :class:`DnsUnansweredError` where nobody answers.

    checkdmarc is given this object in place of a resolver: it calls :meth:`resolve`, and what it swallows of
    the failures there, :meth:`raise_unanswered` brings to light.
    """

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver
        self._unanswered: list[DnsUnansweredError] = []
        self._waited = 0.0

    @property
    def lifetime(self) -> float:
        """Seconds for one question."""
        return self._resolver.lifetime

    @property
    def nameservers(self) -> Sequence[str | Nameserver]:
        from dns.nameserver import Do53Nameserver

        return [
            Do53Nameserver(server, self._resolver.port) if isinstance(server, str) else server
            for server in self._resolver.nameservers
        ]

    def resolve(self, name: Any, kind: Any, **_: object) -> Answer:
        """Ask one question. Raise dns.exception.DNSException if there is no such name or no such record, or
        nobody answers. Once silence has cost too much time, at once.
        """
        from dns.exception import Timeout
        from dns.resolver import NoNameservers

        question = f"{str(name).rstrip('.')} {kind}"
        if self._waited >= _PATIENCE * self.lifetime:
            self._unanswered.append(DnsUnansweredError(question, is_silence=True))
            raise Timeout
        # Absolute, so that the search list of this machine is never tried.
        asked = f"{str(name).rstrip('.')}."
        began = time.monotonic()
        try:
            return self._resolver.resolve(asked, kind, lifetime=self.lifetime)
        except (Timeout, OSError):
            self._waited += time.monotonic() - began
            self._unanswered.append(DnsUnansweredError(question, is_silence=True))
            raise
        except NoNameservers:
            self._unanswered.append(DnsUnansweredError(question, is_silence=False))
            raise

    def forget_unanswered(self) -> None:
        """Begin to note what is unanswered."""
        self._unanswered.clear()

    def raise_unanswered(self) -> None:
        """Raise the first DnsUnansweredError since :meth:`forget_unanswered`, if there was one."""
        if self._unanswered:
            raise self._unanswered[0]

    def find_texts(self, name: str) -> tuple[str, ...]:
        """Return the TXT records of ``name``, each in one piece; none if there are none."""
        return tuple(
            b"".join(record.strings).decode("utf-8", "replace") for record in self._find(name, "TXT")
        )

    def find_mail_servers(self, domain: str) -> tuple[tuple[int, str], ...]:
        """Return the MX records of ``domain``, preference and host, the best first; a null MX has ""."""
        found = [
            (record.preference, record.exchange.to_text().rstrip(".")) for record in self._find(domain, "MX")
        ]
        return tuple(sorted(found))

    def find_addresses(self, host: str) -> tuple[str, ...]:
        """Return the IPv4 and IPv6 addresses of ``host``."""
        return tuple(record.address for kind in ("A", "AAAA") for record in self._find(host, kind))

    def find_host_names(self, address: str) -> tuple[str, ...]:
        """Return the names that the reverse DNS gives ``address``."""
        from dns.reversename import from_address

        found = self._find(str(from_address(address)), "PTR")
        return tuple(record.target.to_text(omit_final_dot=True) for record in found)

    def has_name(self, name: str) -> bool:
        """Return whether there is such a name at all."""
        from dns.resolver import NXDOMAIN, NoAnswer

        self.forget_unanswered()
        try:
            self._ask(name, "SOA")
        except NoAnswer:
            return True
        except NXDOMAIN:
            return False
        return True

    def _find(self, name: str, kind: str) -> list[Any]:
        from dns.exception import DNSException

        self.forget_unanswered()
        try:
            return list(self._ask(name, kind))
        except DNSException:
            # No such name or record: what nobody answered has its own error.
            return []

    def _ask(self, name: str, kind: str) -> Answer:
        from dns.exception import DNSException

        try:
            return self.resolve(name, kind)
        except (DNSException, OSError):
            self.raise_unanswered()
            raise
