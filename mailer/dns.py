"""Asks the DNS, through this machine's resolver or the one in the settings, within a time limit.

dnspython is imported when the first question is asked: most commands ask none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailer.network import parse_listen_address

if TYPE_CHECKING:
    from dns.resolver import Resolver

    from mailer.settings import DnsSettings


def make_resolver(settings: DnsSettings) -> Resolver:
    """Make a resolver with its own cache, which takes at most ``[dns] timeout`` for a question. Raise
    dns.resolver.NoResolverConfiguration if this machine names none, and neither do the settings."""
    from dns.resolver import Cache, Resolver

    if settings.resolver:
        address = parse_listen_address(settings.resolver)
        resolver = Resolver(configure=False)
        resolver.nameservers = [address.host]
        resolver.port = address.port
    else:
        resolver = Resolver()
    resolver.timeout = min(2.0, settings.timeout)
    resolver.lifetime = settings.timeout
    resolver.cache = Cache()
    return resolver
