"""Asks the DNS who receives the mail of a domain."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from mailer.providers.provider_table import ProviderTable

if TYPE_CHECKING:
    from dns.resolver import Answer, Resolver

# Who receives mail changes seldom, whatever a record's TTL says: most say an hour or less.
_SHORTEST = timedelta(days=1)
_LONGEST = timedelta(days=14)
_NO_MAIL = timedelta(days=2)
_UNANSWERED = timedelta(hours=1)


@dataclass(frozen=True, kw_only=True)
class MxAnswer:
    """Who receives the mail of ``domain``: the key of a provider, or "" for a server of its own or none.

    It holds for ``lasts``. ``is_answered`` is false if the DNS did not answer, which says nothing.
    """

    domain: str
    provider: str
    lasts: timedelta
    is_answered: bool = True


def look_up_provider(domain: str, resolver: Resolver, table: ProviderTable) -> MxAnswer:
    """Ask ``resolver`` for the MX of ``domain``. Never raises; takes as long as the resolver's ``lifetime``.

    ``domain`` is in A-labels. The hosts of the lowest preference decide (RFC 5321, section 5.1): a backup
    elsewhere receives next to nothing.
    """
    from dns.exception import DNSException
    from dns.resolver import NXDOMAIN, YXDOMAIN

    try:
        answer = resolver.resolve(f"{domain}.", "MX", search=False, raise_on_no_answer=False)
    except (NXDOMAIN, YXDOMAIN):
        return MxAnswer(domain=domain, provider="", lasts=_NO_MAIL)
    except (DNSException, OSError, UnicodeError):
        return MxAnswer(domain=domain, provider="", lasts=_UNANSWERED, is_answered=False)
    if answer.rrset is None:
        return MxAnswer(domain=domain, provider="", lasts=_NO_MAIL)
    found = table.find_provider_of_mx(_list_preferred_hosts(answer))
    lasts = min(max(timedelta(seconds=answer.rrset.ttl), _SHORTEST), _LONGEST)
    return MxAnswer(domain=domain, provider=found.key if found else "", lasts=lasts)


def _list_preferred_hosts(answer: Answer) -> list[str]:
    lowest = min(record.preference for record in answer)
    return sorted(record.exchange.to_text() for record in answer if record.preference == lowest)
