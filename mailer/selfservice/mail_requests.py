"""Requests from the pages for a transactional mail: to sign up, or for a link to the preferences, to one's
data or to a change of address.

A request writes a single row, whatever the address: whether there is anything to send is decided later
(:mod:`mailer.selfservice.mail_worker`). So an address on the list, one that is not, and a suppressed one all
get the same answer: same words, same status, same time.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine
from sqlmodel import Session

from mailer.database.clock import Clock, read_clock
from mailer.database.engine import open_session
from mailer.database.models import QueuedTransactionalMail, TransactionalMailKind
from mailer.i18n import gettext_noop
from mailer.selfservice.mail_limits import MailLimiter, TooManyRequestsError
from mailer.selfservice.subscription import open_subscription
from mailer.workspace import Keys
from subscribers.address import normalise_address

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
"""The sentences around the sign-up button, for the consent record."""

WORDING_VERSION = "2"


@dataclass(frozen=True, kw_only=True)
class Visitor:
    """A visitor: network ``address``, ``evidence`` of it for consent records, and the page's ``language``."""

    address: str
    evidence: str
    language: str


def request_mail(
    engine: Engine,
    keys: Keys,
    kind: TransactionalMailKind,
    email: str,
    visitor: Visitor,
    *,
    form_token: str,
    wording: str = "",
    clock: Clock = read_clock,
) -> None:
    """Request a mail of ``kind`` (confirm or link) to ``email``, with the form whose token is ``form_token``.

    A repetition of a request changes nothing.

    Raises:
        AddressError: the address is invalid; the form can be sent again.
        TooManyRequestsError: too many requests came from this network, or from all; nothing is requested.
        UsedFormError: this copy of the form was sent before, for another address.
    """
    normalised = normalise_address(email).email
    with open_session(engine) as session:
        limiter = _make_limiter(session, keys, clock)
        rank = _count_request(session, limiter, visitor)
        if limiter.use_form(form_token, kind, normalised):
            _add_mail(
                session, kind, visitor, now=limiter.now, network_rank=rank, email=normalised, wording=wording
            )
        session.commit()


def request_data_link(
    engine: Engine, keys: Keys, kind: TransactionalMailKind, token: str, visitor: Visitor
) -> None:
    """Request a one-time link (export, erase, address) for the reader behind ``token``, mailed to them.

    Raises:
        TokenError: the token is invalid, or its subscriber is not on the list or was erased.
        TooManyRequestsError: too many requests came from this network, or from all; nothing is requested.
    """
    with open_subscription(engine, keys, token) as reader:
        limiter = _make_limiter(reader.session, keys)
        rank = _count_request(reader.session, limiter, visitor)
        _add_mail(
            *(reader.session, kind, visitor),
            now=limiter.now,
            network_rank=rank,
            subscriber_id=reader.subscriber_id,
        )
        reader.session.commit()


def request_address_confirmation(session: Session, subscriber_id: int, email: str, visitor: Visitor) -> None:
    """Request a mail to the new address that asks to confirm it. The caller commits.

    Raises:
        AddressError: the address is invalid.
    """
    detail = normalise_address(email).email
    now = read_clock(session.connection())
    _add_mail(
        *(session, TransactionalMailKind.new_address, visitor),
        now=now,
        subscriber_id=subscriber_id,
        detail=detail,
    )


def _count_request(session: Session, limiter: MailLimiter, visitor: Visitor) -> int:
    try:
        return limiter.count_request(visitor.address)
    except TooManyRequestsError:
        # Commit the count; otherwise refused requests would not be counted.
        session.commit()
        raise


def _make_limiter(session: Session, keys: Keys, clock: Clock = read_clock) -> MailLimiter:
    connection = session.connection()
    return MailLimiter(connection=connection, key=keys.suppression, now=clock(connection))


def _add_mail(
    session: Session,
    kind: TransactionalMailKind,
    visitor: Visitor,
    *,
    now: datetime,
    network_rank: int = 0,
    email: str = "",
    subscriber_id: int | None = None,
    detail: str = "",
    wording: str = "",
) -> None:
    session.add(
        QueuedTransactionalMail(
            kind=kind,
            email=email,
            subscriber_id=subscriber_id,
            detail=detail,
            language=visitor.language,
            wording=wording,
            wording_version=WORDING_VERSION if wording else "",
            origin=visitor.evidence,
            network_rank=network_rank,
            asked_at=now,
            not_before=now,
        )
    )
