"""Rate limits for public forms, counted in the database so that they hold across machines and restarts.

Counters are stored under a keyed hash, which reveals neither the address nor the network. What is limited,
and to how much, is in :mod:`mailer.selfservice.mail_limits`.
"""

import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv4Address, IPv6Address, ip_address

from sqlalchemy import Connection, and_, case, delete, literal, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import SQLModel, col

from mailer.database.models import Throttle
from subscribers.consent.suppression import SuppressionKey

_TABLE = SQLModel.metadata.tables["throttle"]
_DOTLESS_DOMAINS = frozenset({"gmail.com", "googlemail.com"})
_KEY_DIGITS = 40


@dataclass(frozen=True, kw_only=True)
class Limit:
    """At most ``maximum`` attempts per ``window``. The keys of its counters begin with ``name``."""

    name: str
    maximum: int
    window: timedelta


def count_attempt(connection: Connection, key: str, limit: Limit, *, now: datetime) -> int:
    """Count an attempt for ``key`` and return how many there were in its window, with this one.

    A single statement, so that concurrent attempts are all counted. The caller commits.
    """
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    statement = insert(_TABLE).values(key=key, since=now, used=1)
    is_over = col(Throttle.since) <= literal(now - limit.window, _TABLE.c.since.type)
    counted = statement.on_conflict_do_update(
        index_elements=["key"],
        set_={
            "used": case((is_over, 1), else_=_TABLE.c.used + 1),
            "since": case((is_over, statement.excluded.since), else_=_TABLE.c.since),
        },
    ).returning(_TABLE.c.used)
    return int(connection.execute(counted).scalar_one())


def find_next_window(
    connection: Connection, key: str, limit: Limit, *, now: datetime, maximum: int | None = None
) -> datetime | None:
    """Return when ``key`` has attempts again if none are left, otherwise None. Counts nothing.

    ``maximum`` replaces that of ``limit`` for those who get a part of it.
    """
    is_full = (_TABLE.c.key == key) & (_TABLE.c.used >= (limit.maximum if maximum is None else maximum))
    since = connection.execute(select(_TABLE.c.since).where(is_full)).scalar()
    if since is None or since + limit.window <= now:
        return None
    end: datetime = since + limit.window
    return end


def restart_window(connection: Connection, key: str, *, now: datetime) -> None:
    """Let the window of ``key`` begin ``now``, with the attempts it has. The caller commits."""
    connection.execute(update(_TABLE).where(_TABLE.c.key == key).values(since=now))


def forget_key(connection: Connection, key: str) -> None:
    """Delete the counter of ``key``. The caller commits."""
    connection.execute(delete(_TABLE).where(_TABLE.c.key == key))


def forget_attempts(connection: Connection, limits: Iterable[Limit], *, now: datetime) -> None:
    """Delete the counters of ``limits`` whose window is over: they have no effect. The caller commits."""
    is_over = [
        and_(_TABLE.c.key.startswith(f"{limit.name}:", autoescape=True), _TABLE.c.since <= now - limit.window)
        for limit in limits
    ]
    connection.execute(delete(_TABLE).where(or_(*is_over)))


def make_address_key(key: SuppressionKey, limit: Limit, email: str) -> str:
    """Make the key that counts by email address.

    Only here are spellings of the same mailbox treated as one: ``+word`` is dropped, and so are the dots at
    Gmail.
    """
    local, _, domain = email.lower().rpartition("@")
    local = local.partition("+")[0] or local
    if domain in _DOTLESS_DOMAINS:
        local, domain = local.replace(".", ""), "gmail.com"
    return make_key(key, limit, f"{local}@{domain}")


def make_network_key(
    key: SuppressionKey, limit: Limit, address: str, *, ipv4_bits: int, ipv6_bits: int
) -> str:
    """Make the key that counts by network: the first bits of an IPv4 or an IPv6 address."""
    try:
        origin = ip_address(address.partition("%")[0])
    except ValueError:
        return make_key(key, limit, "nowhere")
    if isinstance(origin, IPv6Address) and origin.ipv4_mapped is not None:
        origin = origin.ipv4_mapped
    bits = ipv4_bits if isinstance(origin, IPv4Address) else ipv6_bits
    return make_key(key, limit, f"{origin.version}/{int(origin) >> (origin.max_prefixlen - bits):x}")


def make_key(key: SuppressionKey, limit: Limit, value: str) -> str:
    """Make the key that counts by any other ``value``."""
    digest = hmac.digest(key.key, f"throttle\0{limit.name}\0{value}".encode("utf-8", "replace"), "sha256")
    return f"{limit.name}:{digest.hex()[:_KEY_DIGITS]}"
