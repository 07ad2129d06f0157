"""How many transactional mails strangers may have sent, from one network, from all, and to whom.

Anyone can enter anyone's address in a public form. So what one address gets is limited whoever asks, what a
network may ask for is limited whomever it names, and a domain gets no more than a trickle. The limits on
requests refuse one at the page. Those on a domain and on all mails only put mails off: the page must not
reveal what becomes of an address, and a real reader's mail is late then instead of lost.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType

from sqlalchemy import Connection

from mailer.database.models import TransactionalMailKind
from mailer.errors import MailerError
from mailer.selfservice.rate_limit import (
    Limit,
    count_attempt,
    find_next_window,
    forget_attempts,
    make_address_key,
    make_key,
    make_network_key,
    restart_window,
)
from subscribers.consent.suppression import SuppressionKey

_HOUR = timedelta(hours=1)
MAIL_WINDOW = timedelta(days=1)
"""An address gets one mail of each kind in this time, however often it is requested. A mail that cannot be
sent is retried for as long."""

NETWORK = Limit(name="network", maximum=20, window=_HOUR)
"""Requests from an IPv4 address or an IPv6 /64, which is one home or one office. A meeting that signs up
together behind one address fits; a program is through in seconds."""

WIDER_NETWORK = Limit(name="wider-network", maximum=60, window=_HOUR)
"""Requests from an IPv4 /24 or an IPv6 /48. A /48 is what one customer gets (RFC 6177): 65,536 networks of
the limit above. A /24 is the least that is routed on its own; three busy offices in one still fit."""

ALL_REQUESTS = Limit(name="requests", maximum=5000, window=_HOUR)
"""Requests from everywhere. To reach it takes 84 wider networks; it keeps the queue's table small."""

DOMAIN = Limit(name="domain", maximum=60, window=_HOUR)
"""Mails to addresses of one domain: one a minute. A whole office signs up in an hour, and a domain whose
addresses a stranger invents or lists gets a trickle and no flood."""

ALL_MAILS = Limit(name="mails", maximum=1000, window=_HOUR)
"""Mails in all. More unrequested mail would cost the relay, and the newsletter, their reputation."""

FORM = Limit(name="form", maximum=1, window=MAIL_WINDOW)
"""Requests with one copy of a form; a form is valid for as long."""

_SIGN_UP = Limit(name="join", maximum=1, window=MAIL_WINDOW)
_LINK = Limit(name="link", maximum=1, window=MAIL_WINDOW)
_NEW_ADDRESS = Limit(name="new_address", maximum=1, window=MAIL_WINDOW)
# To ask for these takes the link of a newsletter, and each works for an hour: a reader may need another.
_DATA = tuple(
    Limit(name=kind.value, maximum=3, window=MAIL_WINDOW)
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
"""Every limit there is."""

_QUIET_RANK = 2
"""A network's requests up to this one in an hour may use all of the limits on mails; later ones use half, so
that no single network can make everybody else wait."""


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
        """Count a request from a network; return its number among those of the wider network this hour.

        Raises:
            TooManyRequestsError: a limit is reached. The caller commits all the same, or the refused request
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
        """Use up a copy of a form; return False for a repetition of the request it was used for.

        A reader who double-clicks sends the form twice, and sees the answer to the second.

        Raises:
            UsedFormError: it was used for another request.
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
        """Count the day of an address from now on: a retry may reach it only now."""
        key = make_address_key(self.key, _ADDRESS_LIMITS[kind], email)
        restart_window(self.connection, key, now=self.now)

    def forget(self) -> None:
        """Delete every counter that has no effect any more."""
        forget_attempts(self.connection, LIMITS, now=self.now)

    def _count(self, key: str, limit: Limit) -> int:
        used = count_attempt(self.connection, key, limit, now=self.now)
        if used > limit.maximum:
            raise TooManyRequestsError
        return used

    def _list_mail_limits(self, email: str) -> tuple[tuple[str, Limit], ...]:
        domain = email.rpartition("@")[2]
        return (make_key(self.key, DOMAIN, domain), DOMAIN), (make_key(self.key, ALL_MAILS, ""), ALL_MAILS)
