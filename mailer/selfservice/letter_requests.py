"""What may be asked for on a page, to be mailed: to join, one's link, one's data, another address.

Asking writes one row and no more, whoever the address belongs to: whether there is anything to mail is found
out later (:mod:`mailer.selfservice.letter_worker`). So the answer is the same in words, in status and in time for an
address that is on the list, for one that is not, and for one that must never get mail.
"""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Engine
from sqlmodel import Session

from mailer.database.clock import read_clock
from mailer.database.engine import open_session
from mailer.database.models import LetterKind, QueuedLetter
from mailer.errors import MailerError
from mailer.i18n import gettext_noop
from mailer.selfservice.rate_limit import count_attempt, make_network_key
from mailer.selfservice.unsubscribe import find_token_subscriber, read_token
from mailer.workspace import Keys
from subscribers.address import normalise_address
from subscribers.errors import TokenError
from subscribers.models import Status

INVALID_ADDRESS = gettext_noop("Enter an email address in the correct format, like name@example.org.")
PRESS_AGAIN = gettext_noop("Please press the button again.")
SIGN_UP_REQUESTED = gettext_noop(
    "If we can write to the address you gave, an email is on its way there. Open it and press the button."
)
LINK_REQUESTED = gettext_noop(
    "If the address you gave is on our list, an email with your link is on its way there."
)
DATA_LINK_REQUESTED = gettext_noop("An email with the link is on its way.")
ADDRESS_CHANGE_REQUESTED = gettext_noop(
    "An email is on its way to the new address. Open it and press the button."
)

SIGN_UP_SENTENCES = (
    gettext_noop(
        "Enter your email address. We will send you one email with a button to confirm. "
        "Until you press it, we send nothing else."
    ),
    gettext_noop(
        "I would like to receive the newsletter from %(organisation)s by email. I can "
        "unsubscribe at any time with one click."
    ),
    gettext_noop("Subscribe"),
)
"""What the page says around the button; it goes into the consent record."""

WORDING_VERSION = "2"
MAX_REQUESTS_PER_NETWORK = 20
_NETWORK_WINDOW = timedelta(hours=1)


class TooManyRequestsError(MailerError):
    """Too many requests came from one network."""


@dataclass(frozen=True, kw_only=True)
class Visitor:
    """Who asks, as far as that is known: the network ``address``, its ``evidence`` for a consent record, and
    the ``language`` of the page."""

    address: str
    evidence: str
    language: str


def request_letter(
    engine: Engine, keys: Keys, kind: LetterKind, email: str, visitor: Visitor, *, wording: str = ""
) -> None:
    """Have a letter of ``kind`` (confirm or link) written to whoever has ``email``.

    Raises:
        AddressError: it is no address.
        TooManyRequestsError: this network has asked too often.
    """
    normalised = normalise_address(email)
    with open_session(engine) as opened:
        _count_request(opened, keys, visitor)
        _add_letter(opened, kind, visitor, email=normalised.email, wording=wording)
        opened.commit()


def request_data_link(engine: Engine, keys: Keys, kind: LetterKind, token: str, visitor: Visitor) -> None:
    """Have the link of an errand (export, erase, address) mailed to the reader behind ``token``.

    Raises:
        TokenError: the token is not ours, or nobody is behind it any more.
        TooManyRequestsError: this network has asked too often.
    """
    claim = read_token(keys, token)
    with open_session(engine) as opened:
        subscriber = find_token_subscriber(opened, claim)
        if subscriber.status is Status.erased:
            raise TokenError
        _count_request(opened, keys, visitor)
        _add_letter(opened, kind, visitor, subscriber_id=subscriber.id)
        opened.commit()


def request_address_confirmation(opened: Session, subscriber_id: int, email: str, visitor: Visitor) -> None:
    """Have the new address confirmed by a letter to it. The caller commits.

    Raises:
        AddressError: it is no address.
    """
    detail = normalise_address(email).email
    _add_letter(opened, LetterKind.new_address, visitor, subscriber_id=subscriber_id, detail=detail)


def _count_request(opened: Session, keys: Keys, visitor: Visitor) -> None:
    connection = opened.connection()
    now = read_clock(connection)
    name = make_network_key(keys.suppression, "network", visitor.address)
    if not count_attempt(connection, name, limit=MAX_REQUESTS_PER_NETWORK, window=_NETWORK_WINDOW, now=now):
        # The count stays, or asking on would never be too much.
        opened.commit()
        raise TooManyRequestsError


def _add_letter(
    opened: Session,
    kind: LetterKind,
    visitor: Visitor,
    *,
    email: str = "",
    subscriber_id: int | None = None,
    detail: str = "",
    wording: str = "",
) -> None:
    now = read_clock(opened.connection())
    opened.add(
        QueuedLetter(
            kind=kind,
            email=email,
            subscriber_id=subscriber_id,
            detail=detail,
            language=visitor.language,
            wording=wording,
            wording_version=WORDING_VERSION if wording else "",
            origin=visitor.evidence,
            asked_at=now,
            not_before=now,
        )
    )
