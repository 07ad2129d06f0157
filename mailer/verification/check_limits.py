"""How often one network, and everybody together, may ask whether a mail is from us.

A check costs time, and each guess at a code is one, so both are counted as the other forms are.
"""

from datetime import datetime, timedelta

from sqlalchemy import Connection

from mailer.errors import MailerError
from mailer.selfservice.rate_limit import Limit, count_attempt, forget_attempts, make_key, make_network_key
from subscribers.consent.suppression import SuppressionKey

_HOUR = timedelta(hours=1)

NETWORK = Limit(name="verify-network", maximum=60, window=_HOUR)
"""Checks from an IPv4 address or an IPv6 /64. A ministry in which a fake went round fits."""

WIDER_NETWORK = Limit(name="verify-wider-network", maximum=240, window=_HOUR)
"""Checks from an IPv4 /24 or an IPv6 /48."""

ALL_CHECKS = Limit(name="verify", maximum=10_000, window=_HOUR)
"""Checks from everywhere. At this rate it would take half a century to guess one code."""

LIMITS = (NETWORK, WIDER_NETWORK, ALL_CHECKS)


class TooManyChecksError(MailerError):
    """Too many checks came from one network, or from everywhere."""


def count_check(connection: Connection, key: SuppressionKey, address: str, *, now: datetime) -> None:
    """Count a check from the network of ``address``. The caller commits, also if it is refused.

    The first check of an hour deletes the counters that have no effect any more.

    Raises:
        TooManyChecksError: a limit is reached.
    """
    counted = (
        (make_network_key(key, NETWORK, address, ipv4_bits=32, ipv6_bits=64), NETWORK),
        (make_network_key(key, WIDER_NETWORK, address, ipv4_bits=24, ipv6_bits=48), WIDER_NETWORK),
        (make_key(key, ALL_CHECKS, ""), ALL_CHECKS),
    )
    for name, limit in counted:
        used = count_attempt(connection, name, limit, now=now)
        if limit is ALL_CHECKS and used == 1:
            forget_attempts(connection, LIMITS, now=now)
        if used > limit.maximum:
            raise TooManyChecksError
