"""How many readers each provider receives mail for."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection

from mailer.providers.domain_cache import count_domains, read_known_providers
from mailer.providers.provider import Provider
from mailer.providers.provider_table import ProviderTable, load_providers


@dataclass(frozen=True, kw_only=True)
class ProviderAudience:
    """The active subscribers at one provider: how many people, with how many domains."""

    provider: Provider
    readers: int
    domains: int


@dataclass(frozen=True, kw_only=True)
class Audience:
    """The active subscribers by provider, the largest first.

    ``elsewhere`` have a server that belongs to no provider we know; ``unknown`` are those whose domain was
    not looked up yet.
    """

    providers: tuple[ProviderAudience, ...]
    elsewhere: int
    unknown: int


def read_audience(
    connection: Connection, *, uses_cache: bool = True, table: ProviderTable | None = None
) -> Audience:
    """Count the active subscribers by provider. The DNS is not asked."""
    table = table or load_providers()
    known: Mapping[str, str] = read_known_providers(connection) if uses_cache else {}
    readers: Counter[str] = Counter()
    domains: Counter[str] = Counter()
    elsewhere = unknown = 0
    for domain, number in count_domains(connection).items():
        own = table.find_provider_of_domain(domain)
        key = own.key if own else known.get(domain)
        if key is not None and key in table.by_key:
            readers[key] += number
            domains[key] += 1
        elif key is None:
            unknown += number
        else:
            elsewhere += number
    providers = [
        ProviderAudience(provider=table.by_key[key], readers=number, domains=domains[key])
        for key, number in readers.items()
    ]
    providers.sort(key=lambda each: (-each.readers, each.provider.name))
    return Audience(providers=tuple(providers), elsewhere=elsewhere, unknown=unknown)
