"""Rate limits for public forms, counted in the database so that they hold across machines and restarts.

Counters are stored under a keyed hash, which reveals neither the address nor the network. Anyone can enter
anyone's address in a public form. So what one address gets is limited whoever asks, what a network may ask
for is limited whomever it names, and a domain gets no more than a trickle. The limits on requests refuse one
at the page. Those on a domain and on all mails only put mails off: the page must not reveal what becomes of
an address, and a real reader's mail is late then instead of lost.
"""

import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv4Address, IPv6Address, ip_address
from types import MappingProxyType

from sqlalchemy import Connection, and_, case, delete, literal, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import SQLModel, col

from mailer.database.models import Throttle, TransactionalMailKind
from mailer.errors import MailerError
from subscribers.consent.suppression import SuppressionKey

_TABLE = SQLModel.metadata.tables["throttle"]
_DOTLESS_DOMAINS = frozenset({"gmail.com", "googlemail.com"})
_KEY_DIGITS = 40
_HOUR = timedelta(hours=1)
MAIL_WINDOW = timedelta(days=1)
"""An address gets one mail of each kind in this time, however often it is requested. A mail that cannot be
sent is retried for as long."""
_QUIET_RANK = 2
"""A network's requests up to this one in an hour may use all of the limits on mails; later ones use half, so
that no single network can make everybody else wait."""


@dataclass(frozen=True, kw_only=True)
class AttemptLimit:
    """At most ``maximum`` attempts per ``window``. The keys of its counters begin with ``name``."""

    name: str
    maximum: int
    window: timedelta


def count_attempt(connection: Connection, key: str, limit: AttemptLimit, *, now: datetime) -> int:
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
    connection: Connection, key: str, limit: AttemptLimit, *, now: datetime, maximum: int | None = None
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


def forget_key(connection: Connection, key: str) -> None:
    """Delete the counter of ``key``. The caller commits."""
    connection.execute(delete(_TABLE).where(_TABLE.c.key == key))


def forget_attempts(connection: Connection, limits: Iterable[AttemptLimit], *, now: datetime) -> None:
    """Delete the counters of ``limits`` whose window is over: they have no effect. The caller commits."""
    is_over = [
        and_(_TABLE.c.key.startswith(f"{limit.name}:", autoescape=True), _TABLE.c.since <= now - limit.window)
        for limit in limits
    ]
    connection.execute(delete(_TABLE).where(or_(*is_over)))


def make_address_key(key: SuppressionKey, limit: AttemptLimit, email: str) -> str:
    """Make the key that counts by email address. Only here are spellings of the same mailbox treated as one:
    ``+word`` is dropped, and so are the dots at Gmail.
    """
    local, _, domain = email.lower().rpartition("@")
    local = local.partition("+")[0] or local
    if domain in _DOTLESS_DOMAINS:
        local, domain = local.replace(".", ""), "gmail.com"
    return make_key(key, limit, f"{local}@{domain}")


def make_network_key(
    key: SuppressionKey, limit: AttemptLimit, address: str, *, ipv4_bits: int, ipv6_bits: int
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


def make_key(key: SuppressionKey, limit: AttemptLimit, value: str) -> str:
    """Make the key that counts by any other ``value``."""
    digest = hmac.digest(key.key, f"throttle\0{limit.name}\0{value}".encode("utf-8", "replace"), "sha256")
    return f"{limit.name}:{digest.hex()[:_KEY_DIGITS]}"


NETWORK = AttemptLimit(name="network", maximum=20, window=_HOUR)
"""Requests from an IPv4 address or an IPv6 /64, which is one home or one office. A meeting that signs up
together behind one address fits; a program is through in seconds."""

WIDER_NETWORK = AttemptLimit(name="wider-network", maximum=60, window=_HOUR)
"""Requests from an IPv4 /24 or an IPv6 /48. A /48 is what one customer gets (RFC 6177): 65,536 networks of
the limit above. A /24 is the least that is routed on its own; three busy offices in one still fit."""

ALL_REQUESTS = AttemptLimit(name="requests", maximum=5000, window=_HOUR)
"""Requests from everywhere. To reach it takes 84 wider networks; it keeps the queue's table small."""

DOMAIN = AttemptLimit(name="domain", maximum=60, window=_HOUR)
"""Mails to addresses of one domain: one a minute. A whole office signs up in an hour, and a domain whose
addresses a stranger invents or lists gets a trickle and no flood."""

ALL_MAILS = AttemptLimit(name="mails", maximum=1000, window=_HOUR)
"""Mails in all. More unrequested mail would cost the relay, and the newsletter, their reputation."""

FORM = AttemptLimit(name="form", maximum=1, window=MAIL_WINDOW)
"""Requests with one copy of a form; a form is valid for as long."""

_SIGN_UP = AttemptLimit(name="join", maximum=1, window=MAIL_WINDOW)
_LINK = AttemptLimit(name="link", maximum=1, window=MAIL_WINDOW)
_NEW_ADDRESS = AttemptLimit(name="new_address", maximum=1, window=MAIL_WINDOW)
# To ask for these takes the link of a newsletter, and each works for an hour: a reader may need another.
_DATA = tuple(
    AttemptLimit(name=kind.value, maximum=3, window=MAIL_WINDOW)
    for kind in (TransactionalMailKind.export, TransactionalMailKind.erase, TransactionalMailKind.address)
)
_ADDRESS_LIMITS = MappingProxyType(
    {
        TransactionalMailKind.confirm: _SIGN_UP,
        TransactionalMailKind.already: _SIGN_UP,
        TransactionalMailKind.link: _LINK,
        TransactionalMailKind.new_address: _NEW_ADDRESS,
        **{TransactionalMailKind(limit.name): limit for limit in _DATA},
    }
)

LIMITS = (
    *(NETWORK, WIDER_NETWORK, ALL_REQUESTS, DOMAIN, ALL_MAILS, FORM),
    *(_SIGN_UP, _LINK, _NEW_ADDRESS, *_DATA),
)
"""The limits of what readers request; other pages have limits of their own."""


class TooManyRequestsError(MailerError):
    """Too many requests came from one network, or from everywhere."""


class UsedFormError(MailerError):
    """This copy of the form was sent before, for another address."""


@dataclass(frozen=True, kw_only=True)
class MailLimiter:
    """Counts requests and mails in the transaction of ``connection``. The caller commits."""

    connection: Connection
    key: SuppressionKey
    now: datetime

    def count_request(self, network_address: str) -> int:
        """Count a request from a network; return its number among those of the wider network this hour. Raise
        TooManyRequestsError if a limit is reached. The caller commits all the same, or the refused request
        would not count.
        """
        narrow = make_network_key(self.key, NETWORK, network_address, ipv4_bits=32, ipv6_bits=64)
        wide = make_network_key(self.key, WIDER_NETWORK, network_address, ipv4_bits=24, ipv6_bits=48)
        # From narrow to wide: what one network is refused is not taken from its neighbours.
        self._count(narrow, NETWORK)
        rank = self._count(wide, WIDER_NETWORK)
        self._count(make_key(self.key, ALL_REQUESTS, ""), ALL_REQUESTS)
        return rank

    def use_form(self, form_token: str, kind: TransactionalMailKind, email: str) -> bool:
        """Use up a copy of a form; return False for a repetition of the request it was used for: a reader who
        double-clicks sees the answer to the second. Raise UsedFormError if it was used for another request.
        """
        request = make_key(self.key, FORM, f"{form_token}\0{kind}\0{email}")
        if count_attempt(self.connection, make_key(self.key, FORM, form_token), FORM, now=self.now) == 1:
            count_attempt(self.connection, request, FORM, now=self.now)
            return True
        if find_next_window(self.connection, request, FORM, now=self.now) is None:
            raise UsedFormError
        return False

    def find_delay(self, email: str, rank: int) -> datetime | None:
        """Return until when a mail to ``email`` has to wait, None if it may be sent now. Counts nothing.

        ``rank`` is the number that :meth:`count_request` gave the request.
        """
        share = 1 if rank <= _QUIET_RANK else 2
        ends = (
            find_next_window(self.connection, key, limit, now=self.now, maximum=limit.maximum // share)
            for key, limit in self._list_mail_limits(email)
        )
        return max((end for end in ends if end is not None), default=None)

    def count_mail(self, email: str) -> None:
        """Count a mail to ``email`` for its domain and in all."""
        for key, limit in self._list_mail_limits(email):
            count_attempt(self.connection, key, limit, now=self.now)

    def may_write_to(self, kind: TransactionalMailKind, email: str) -> bool:
        """Count a mail of ``kind`` to an address; return whether it may still get one."""
        limit = _ADDRESS_LIMITS[kind]
        key = make_address_key(self.key, limit, email)
        return count_attempt(self.connection, key, limit, now=self.now) <= limit.maximum

    def count_retry(self, kind: TransactionalMailKind, email: str) -> None:
        """Start the day of an address again: a retry may reach it only now."""
        key = make_address_key(self.key, _ADDRESS_LIMITS[kind], email)
        self.connection.execute(update(_TABLE).where(_TABLE.c.key == key).values(since=self.now))

    def _count(self, key: str, limit: AttemptLimit) -> int:
        used = count_attempt(self.connection, key, limit, now=self.now)
        if used > limit.maximum:
            raise TooManyRequestsError
        return used

    def _list_mail_limits(self, email: str) -> tuple[tuple[str, AttemptLimit], ...]:
        domain = email.rpartition("@")[2]
        return (make_key(self.key, DOMAIN, domain), DOMAIN), (make_key(self.key, ALL_MAILS, ""), ALL_MAILS)
