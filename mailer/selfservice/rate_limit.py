"""How often strangers may ask: counted in the database, so that it holds over all machines and restarts.

What is counted is known by a keyed hash alone: neither an address nor a network can be read from it.
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
    """Count one more for ``key``; whether it is still among the ``most`` allowed ``within`` that time.

    One statement, so that of two who ask at once each is counted. The caller commits.
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


def forget_attempts(connection: Connection, *, before: datetime) -> None:
    """Drop what was counted from before that moment."""
    connection.execute(delete(_TABLE).where(_TABLE.c.since < before))


def make_address_key(key: SuppressionKey, what: str, email: str) -> str:
    """The name under which asking for ``what`` at an address is counted.

    Spellings that reach the same mailbox are one, here and nowhere else: ``+word`` is dropped, and at Gmail
    the dots.
    """
    local, _, domain = email.lower().rpartition("@")
    local = local.partition("+")[0] or local
    if domain in _DOTLESS_DOMAINS:
        local, domain = local.replace(".", ""), "gmail.com"
    return _make_key(key, what, f"{local}@{domain}")


def make_network_key(key: SuppressionKey, what: str, address: str) -> str:
    """The name under which asking for ``what`` from a network is counted: an IPv4 address, an IPv6 /64."""
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
