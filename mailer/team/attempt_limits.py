"""How often a link may be asked for, or a password tried: enough for people, too slow for guessing.

Nothing here ever locks an account. What one network has used up is taken from that network, so that somebody
who knows a colleague's address cannot keep them out. What all networks together have used up for one address
only holds for browsers that have never been signed in with it; and passkeys are not limited by address.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from mailer.errors import MailerError
from mailer.selfservice.rate_limit import (
    Limit,
    count_attempt,
    find_next_window,
    forget_attempts,
    make_key,
    make_network_key,
)
from subscribers.consent.suppression import SuppressionKey

_QUARTER = timedelta(minutes=15)
_HOUR = timedelta(hours=1)

NETWORK = Limit(name="studio-network", maximum=100, window=_HOUR)
"""Attempts of every kind from one office: an IPv4 address, or an IPv6 /64."""

WIDER_NETWORK = Limit(name="studio-wider-network", maximum=300, window=_HOUR)
"""Attempts from an IPv4 /24 or an IPv6 /48, which one customer may have."""

LINK = Limit(name="studio-link", maximum=5, window=_QUARTER)
"""Links to one address that one network asks for."""

ALL_LINKS = Limit(name="studio-all-links", maximum=30, window=_HOUR)
"""Links to one address that unknown browsers everywhere ask for: nobody's mailbox is flooded."""

PASSWORD = Limit(name="studio-password", maximum=10, window=_QUARTER)
"""Wrong passwords for one address from one network."""

ALL_PASSWORDS = Limit(name="studio-all-passwords", maximum=100, window=_HOUR)
"""Wrong passwords for one address from unknown browsers everywhere."""

USED_TICKET = Limit(name="studio-ticket", maximum=1, window=_HOUR)
"""Uses of one ticket; none is valid for longer."""

_LIMITS = (NETWORK, WIDER_NETWORK, LINK, ALL_LINKS, PASSWORD, ALL_PASSWORDS, USED_TICKET)


class TooManyAttemptsError(MailerError):
    """Too many attempts came from one network, or for one address."""

    def __init__(self, *, until: datetime) -> None:
        super().__init__()
        self.until = until


@dataclass(frozen=True, kw_only=True)
class AttemptLimiter:
    """Counts attempts in the transaction of ``connection``. ``network`` is the visitor's address, and
    ``is_known`` says whether their browser was signed in with the address before. The caller commits, also
    after an error, or the attempt would not count."""

    connection: Connection
    key: SuppressionKey
    now: datetime
    network: str
    is_known: bool = False

    def count_network(self) -> None:
        """Count an attempt of whatever kind.

        Raises:
            TooManyAttemptsError: the network has used its attempts up.
        """
        for limit, ipv4_bits, ipv6_bits in ((NETWORK, 32, 64), (WIDER_NETWORK, 24, 48)):
            key = make_network_key(self.key, limit, self.network, ipv4_bits=ipv4_bits, ipv6_bits=ipv6_bits)
            if count_attempt(self.connection, key, limit, now=self.now) > limit.maximum:
                raise self._make_error(key, limit)

    def may_mail_link(self, email: str) -> bool:
        """Count a link asked for; return whether it may be mailed."""
        own = self._count(LINK, email, per_network=True) <= LINK.maximum
        if self.is_known or not own:
            return own
        return self._count(ALL_LINKS, email) <= ALL_LINKS.maximum

    def check_password_attempts(self, email: str) -> None:
        """Check that a password may be tried for an address. Counts nothing.

        Raises:
            TooManyAttemptsError: too many were wrong.
        """
        checked = [(PASSWORD, True)] if self.is_known else [(PASSWORD, True), (ALL_PASSWORDS, False)]
        for limit, per_network in checked:
            key = self._make_key(limit, email, per_network=per_network)
            if find_next_window(self.connection, key, limit, now=self.now) is not None:
                raise self._make_error(key, limit)

    def count_wrong_password(self, email: str) -> None:
        """Count a wrong password."""
        self._count(PASSWORD, email, per_network=True)
        if not self.is_known:
            self._count(ALL_PASSWORDS, email)

    def use_ticket(self, ticket_id: str) -> bool:
        """Use a ticket up; return False if it was used before."""
        key = make_key(self.key, USED_TICKET, ticket_id)
        return count_attempt(self.connection, key, USED_TICKET, now=self.now) == 1

    def _count(self, limit: Limit, email: str, *, per_network: bool = False) -> int:
        key = self._make_key(limit, email, per_network=per_network)
        return count_attempt(self.connection, key, limit, now=self.now)

    def _make_key(self, limit: Limit, email: str, *, per_network: bool) -> str:
        place = make_network_key(self.key, limit, self.network, ipv4_bits=32, ipv6_bits=64)
        return make_key(self.key, limit, f"{email}\0{place if per_network else ''}")

    def _make_error(self, key: str, limit: Limit) -> TooManyAttemptsError:
        end = find_next_window(self.connection, key, limit, now=self.now)
        return TooManyAttemptsError(until=end or self.now + limit.window)


def forget_studio_attempts(connection: Connection, *, now: datetime) -> None:
    """Delete the counters that have no effect any more. The caller commits."""
    forget_attempts(connection, _LIMITS, now=now)
