"""Rate limits for public forms, counted in the database so that they hold across machines and restarts.

Counters are stored under a keyed hash, which reveals neither the address nor the network.
"""

import hmac
from datetime import datetime, timedelta
from ipaddress import IPv6Address, ip_address

from sqlalchemy import Connection, case, delete, literal
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import SQLModel, col

from mailer.database.models import Throttle
from subscribers.consent.suppression import SuppressionKey

_TABLE = SQLModel.metadata.tables["throttle"]
_DOTLESS_DOMAINS = frozenset({"gmail.com", "googlemail.com"})
_IPV6_PREFIX_BITS = 64
_KEY_DIGITS = 40


def count_attempt(connection: Connection, key: str, *, limit: int, window: timedelta, now: datetime) -> bool:
    """Count an attempt for ``key``; return whether it is within the ``limit`` allowed per ``window``.

    A single statement, so that concurrent attempts are all counted. The caller commits.
    """
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    statement = insert(_TABLE).values(key=key, since=now, used=1)
    is_over = col(Throttle.since) <= literal(now - window, _TABLE.c.since.type)
    counted = statement.on_conflict_do_update(
        index_elements=["key"],
        set_={
            "used": case((is_over, 1), else_=_TABLE.c.used + 1),
            "since": case((is_over, statement.excluded.since), else_=_TABLE.c.since),
        },
    ).returning(_TABLE.c.used)
    return bool(connection.execute(counted).scalar_one() <= limit)


def forget_attempts(connection: Connection, *, current: datetime) -> None:
    """Delete the counters that started before that moment."""
    connection.execute(delete(_TABLE).where(_TABLE.c.since < current))


def make_address_key(key: SuppressionKey, what: str, email: str) -> str:
    """Make the key that counts requests for ``what`` by email address.

    Only here are spellings of the same mailbox treated as one: ``+word`` is dropped, and so are the dots at
    Gmail.
    """
    local, _, domain = email.lower().rpartition("@")
    local = local.partition("+")[0] or local
    if domain in _DOTLESS_DOMAINS:
        local, domain = local.replace(".", ""), "gmail.com"
    return _make_key(key, what, f"{local}@{domain}")


def make_network_key(key: SuppressionKey, what: str, address: str) -> str:
    """Make the key that counts requests for ``what`` by network: an IPv4 address or an IPv6 /64."""
    try:
        origin = ip_address(address.partition("%")[0])
    except ValueError:
        return _make_key(key, what, "nowhere")
    if isinstance(origin, IPv6Address) and origin.ipv4_mapped is not None:
        origin = origin.ipv4_mapped
    if isinstance(origin, IPv6Address):
        return _make_key(key, what, str(int(origin) >> (128 - _IPV6_PREFIX_BITS)))
    return _make_key(key, what, str(origin))


def _make_key(key: SuppressionKey, what: str, who: str) -> str:
    digest = hmac.digest(key.key, f"throttle\0{what}\0{who}".encode("utf-8", "replace"), "sha256")
    return f"{what}:{digest.hex()[:_KEY_DIGITS]}"
