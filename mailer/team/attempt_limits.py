"""How often a link may be asked for, or a password tried: enough for people, too slow for guessing.

Nothing here ever locks an account. What one network has used up is taken from that network, so that somebody
who knows a colleague's address cannot keep them out. A browser that was signed in with an address before has
attempts of its own for it, whatever its network and all others have used up. Passkeys, and the organisation's
sign-in, are not limited: nobody guesses those.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from mailer.errors import MailerError
from mailer.selfservice.rate_limit import (
    AttemptLimit,
    count_attempt,
    find_next_window,
    forget_attempts,
    forget_key,
    make_key,
    make_network_key,
)
from subscribers.consent.suppression import SuppressionKey

_QUARTER = timedelta(minutes=15)
_HOUR = timedelta(hours=1)

NETWORK = AttemptLimit(name="studio-network", maximum=100, window=_HOUR)
"""Attempts of every kind from one office: an IPv4 address, or an IPv6 /64."""

WIDER_NETWORK = AttemptLimit(name="studio-wider-network", maximum=300, window=_HOUR)
"""Attempts from an IPv4 /24 or an IPv6 /48, which one customer may have."""

LINK = AttemptLimit(name="studio-link", maximum=5, window=_QUARTER)
"""Links to one address that one network asks for."""

ALL_LINKS = AttemptLimit(name="studio-all-links", maximum=30, window=_HOUR)
"""Links to one address that unknown browsers everywhere ask for: nobody's mailbox is flooded."""

PASSWORD = AttemptLimit(name="studio-password", maximum=10, window=_QUARTER)
"""Passwords tried for one address from one network, since the last that was right."""

ALL_PASSWORDS = AttemptLimit(name="studio-all-passwords", maximum=100, window=_HOUR)
"""Passwords tried for one address by unknown browsers everywhere."""

USED_TICKET = AttemptLimit(name="studio-ticket", maximum=1, window=_HOUR)
"""Uses of one ticket; none is valid for longer."""

_LIMITS = (NETWORK, WIDER_NETWORK, LINK, ALL_LINKS, PASSWORD, ALL_PASSWORDS, USED_TICKET)


class TooManyAttemptsError(MailerError):
    """Too many attempts came from one network, or for one address."""

    def __init__(self, *, until: datetime) -> None:
        super().__init__()
        self.until = until


@dataclass(frozen=True, kw_only=True)
class AttemptLimiter:
    """Counts attempts in the transaction of ``connection``. ``network`` is the visitor's address.
    ``known_browser`` names a browser that was signed in with the address before; "" is for any other. The
    caller commits, also after an error, or the attempt would not count."""

    connection: Connection
    key: SuppressionKey
    now: datetime
    network: str
    known_browser: str = ""

    def count_network(self) -> None:
        """Count an attempt of whatever kind by an unknown browser. Raise TooManyAttemptsError if its network
        has used its attempts up.
        """
        if self.known_browser:
            return
        for limit, ipv4_bits, ipv6_bits in ((NETWORK, 32, 64), (WIDER_NETWORK, 24, 48)):
            key = make_network_key(self.key, limit, self.network, ipv4_bits=ipv4_bits, ipv6_bits=ipv6_bits)
            self._count(limit, key)

    def may_mail_link(self, email: str) -> bool:
        """Count a link asked for; return whether it may be mailed."""
        try:
            self._count_address(email, here=LINK, everywhere=ALL_LINKS)
        except TooManyAttemptsError:
            return False
        return True

    def count_password(self, email: str) -> None:
        """Count a password that is tried for an address. Raise TooManyAttemptsError if too many were."""
        self._count_address(email, here=PASSWORD, everywhere=ALL_PASSWORDS)

    def forget_passwords(self, email: str) -> None:
        """Forget the attempts that were made here, because one was right."""
        forget_key(self.connection, self._make_key(PASSWORD, email, self._place))

    def use_ticket(self, ticket_id: str) -> bool:
        """Use a ticket up; return False if it was used before."""
        key = make_key(self.key, USED_TICKET, ticket_id)
        return count_attempt(self.connection, key, USED_TICKET, now=self.now) == 1

    @property
    def _place(self) -> str:
        if self.known_browser:
            return self.known_browser
        return make_network_key(self.key, NETWORK, self.network, ipv4_bits=32, ipv6_bits=64)

    def _count_address(self, email: str, *, here: AttemptLimit, everywhere: AttemptLimit) -> None:
        self._count(here, self._make_key(here, email, self._place))
        if not self.known_browser:
            self._count(everywhere, self._make_key(everywhere, email))

    def _count(self, limit: AttemptLimit, key: str) -> None:
        if count_attempt(self.connection, key, limit, now=self.now) > limit.maximum:
            end = find_next_window(self.connection, key, limit, now=self.now)
            raise TooManyAttemptsError(until=end or self.now + limit.window)

    def _make_key(self, limit: AttemptLimit, email: str, place: str = "") -> str:
        return make_key(self.key, limit, f"{email}\0{place}")


def forget_studio_attempts(connection: Connection, *, now: datetime) -> None:
    """Delete the counters that have no effect any more. The caller commits."""
    forget_attempts(connection, _LIMITS, now=now)
