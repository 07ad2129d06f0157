"""The providers of the list's domains, how many readers each has, and what is sent to it at most."""

import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from difflib import get_close_matches
from math import isfinite
from types import MappingProxyType

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from mailer.database.engine import Clock, read_clock
from mailer.errors import ConfigurationError
from mailer.providers.domain_lookup import count_domains, read_known_providers
from mailer.providers.provider_table import Provider, ProviderTable, load_providers
from mailer.settings import Settings

UNLIMITED = "unlimited"
# What other threads and machines have found since is read this often.
_REFRESH_SECONDS = 10.0
# Answers are dated before they are committed.
_COMMIT_SLACK = timedelta(seconds=30)


@dataclass(frozen=True, kw_only=True)
class ProviderAudience:
    """The active subscribers at one provider: how many people, with how many domains."""

    provider: Provider
    readers: int
    domains: int


@dataclass(frozen=True, kw_only=True)
class Audience:
    """The active subscribers by provider, the largest first; ``elsewhere`` have a server that belongs to no
    provider we know, and the domains of ``unknown`` were not looked up yet."""

    providers: tuple[ProviderAudience, ...]
    elsewhere: int
    unknown: int


def read_audience(connection: Connection, *, uses_cache: bool = True) -> Audience:
    """Count the active subscribers by provider. The DNS is not asked."""
    table = load_providers()
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


@dataclass(frozen=True, kw_only=True)
class ProviderLimit:
    """What is sent to one provider at most, over all machines, in messages per second and per day (UTC).
    ``is_set`` says that the rate stands in the settings, and not only in the table."""

    key: str
    name: str
    rate: float | None = None
    daily: int | None = None
    is_set: bool = False


def make_provider_limits(settings: Settings) -> Mapping[str, ProviderLimit]:
    """Return the limits by key of the provider; one without any limit is not in it. Raise ConfigurationError
    if the settings name an unknown provider, or a number that is none."""
    table = load_providers()
    rates = {key: _read_rate(key, value) for key, value in settings.provider_rates.items()}
    daily = {key: _read_daily(key, value) for key, value in settings.provider_daily_limits.items()}
    for section, keys in (("provider_rates", rates), ("provider_daily_limits", daily)):
        for key in keys:
            if key not in table.by_key:
                raise ConfigurationError(_explain_unknown(section, key, table))
    limits = {}
    for key, provider in table.by_key.items():
        rate = rates.get(key, provider.rate)
        number = daily.get(key, provider.daily_limit)
        if rate is not None or number is not None:
            limits[key] = ProviderLimit(
                key=key, name=provider.name, rate=rate, daily=number, is_set=key in rates
            )
    return limits


def _read_rate(key: str, value: float | str) -> float | None:
    if value in (UNLIMITED, 0):
        return None
    if isinstance(value, str) or not isfinite(value) or value < 0:
        raise ConfigurationError(
            f"[provider_rates] {key} = {value}: a rate is in messages per second and above 0. Correct it, or "
            f'write "{UNLIMITED}" for no limit.'
        )
    return value


def _read_daily(key: str, value: int | str) -> int | None:
    if value in (UNLIMITED, 0):
        return None
    if isinstance(value, str) or value < 0:
        raise ConfigurationError(
            f"[provider_daily_limits] {key} = {value}: a limit is a number of messages per day, above 0. "
            f'Correct it, or write "{UNLIMITED}" for no limit.'
        )
    return value


def _explain_unknown(section: str, key: str, table: ProviderTable) -> str:
    near = get_close_matches(key, table.by_key, n=1)
    hint = f"Did you mean {near[0]}?" if near else "`mailer providers --all` lists them."
    return f"[{section}] {key}: there is no provider of that name. {hint}"


class ProviderDirectory:
    """The providers by domain: the providers' own domains, and what the DNS said of others, unless
    ``uses_cache`` is false; with ``only``, domains of other providers need not have one. For one thread; it
    asks the database every ten seconds, and never the DNS."""

    def __init__(
        self,
        engine: Engine,
        *,
        uses_cache: bool = True,
        only: Collection[str] | None = None,
        clock: Clock = read_clock,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._engine = engine
        self._uses_cache = uses_cache
        self._only = only
        self._table = load_providers()
        self._clock = clock
        self._monotonic = monotonic
        self._keys = {domain: provider.key for domain, provider in self._table.by_domain.items()}
        self.keys: Mapping[str, str] = MappingProxyType(self._keys)
        """The providers' keys by domain, in small letters and A-labels, for who asks for every message. A key
        may be of another version's table, or "" for none."""
        self._read_until: datetime | None = None
        self._refresh_at = float("-inf")

    def find_provider(self, domain: str) -> Provider | None:
        """Return the provider of ``domain``, in small letters and A-labels; None if none is known."""
        # A key of a table that was newer, or older, is none.
        return self._table.by_key.get(self._keys.get(domain, ""))

    def refresh(self) -> bool:
        """Read what was found since the last time, if that is a while ago; return whether anything is new. If
        the database does not answer, what is known stays in use."""
        if not self._uses_cache or self._monotonic() < self._refresh_at:
            return False
        self._refresh_at = self._monotonic() + _REFRESH_SECONDS
        try:
            with self._engine.connect().execution_options(read_only=True) as connection:
                now = self._clock(connection)
                # A domain that moves from one of interest to another is among what is new.
                of = self._only if self._read_until is None else None
                found = read_known_providers(connection, since=self._read_until, of=of)
        except SQLAlchemyError:
            return False
        self._read_until = now - _COMMIT_SLACK
        for own in self._table.by_domain:
            found.pop(own, None)
        new = {domain: key for domain, key in found.items() if self._keys.get(domain, "") != key}
        self._keys.update(new)
        return bool(new)
