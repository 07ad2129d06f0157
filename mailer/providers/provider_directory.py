"""Which provider receives the mail of a domain, from memory: a look-up costs one dictionary."""

import time
from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta
from types import MappingProxyType

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from mailer.database.clock import Clock, read_clock
from mailer.providers.domain_cache import read_known_providers
from mailer.providers.provider import Provider
from mailer.providers.provider_table import ProviderTable, load_providers

# What other threads and machines have found since is read this often.
_REFRESH_SECONDS = 10.0
# Answers are dated before they are committed.
_COMMIT_SLACK = timedelta(seconds=30)


class ProviderDirectory:
    """The providers by domain: the providers' own domains, and what the DNS said of others.

    A domain that was not looked up yet has no provider. With ``uses_cache`` false, only the providers' own
    domains have one; with ``only``, domains of providers with other keys need not have one. For one
    thread; it asks the database every ten seconds, and never the DNS.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        uses_cache: bool = True,
        only: Collection[str] | None = None,
        table: ProviderTable | None = None,
        clock: Clock = read_clock,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._engine = engine
        self._uses_cache = uses_cache
        self._only = only
        self._table = table or load_providers()
        self._clock = clock
        self._monotonic = monotonic
        self._keys = {domain: provider.key for domain, provider in self._table.by_domain.items()}
        self.keys: Mapping[str, str] = MappingProxyType(self._keys)
        """The providers' keys by domain, in small letters and A-labels, for who asks for every message. A key
        may be of another version's table, or "" for none."""
        self._read_until: datetime | None = None
        self._refresh_at = float("-inf")

    def find_provider(self, domain: str) -> Provider | None:
        """The provider of ``domain``, which is in small letters and A-labels; None if none is known."""
        # A key of a table that was newer, or older, is none.
        return self._table.by_key.get(self._keys.get(domain, ""))

    def refresh(self) -> bool:
        """Read what was found since the last time, if that is a while ago; return whether anything is new.

        If the database does not answer, what is known stays in use.
        """
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
