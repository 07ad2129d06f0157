"""Requests from the pages for a transactional mail, and what the one-time link in it then does.

A request writes a single row, whatever the address: whether there is anything to send is decided later
(:mod:`mailer.selfservice.mail_worker`). So an address on the list, one that is not, and a suppressed one all
get the same answer: same words, same status, same time. What needs a one-time link does because newsletters
get forwarded. Reading writes nothing; pressing the button uses the link up, in the transaction of the change.
What takes a link's token raises TokenError if the link is invalid, used or expired.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Engine
from sqlmodel import Session

from mailer.database.engine import Clock, open_session, read_clock
from mailer.database.models import QueuedTransactionalMail, TransactionalMailKind
from mailer.i18n import gettext_noop
from mailer.privacy.data_export import export_personal_data
from mailer.privacy.erasure import erase_person
from mailer.selfservice.rate_limit import MailLimiter, TooManyRequestsError
from mailer.selfservice.subscription import SubscriptionSummary, open_link, open_subscription
from mailer.workspace import Keys, Workspace
from subscribers.address import normalise_address
from subscribers.consent.preferences import change_address
from subscribers.errors import AddressError, TokenError, UnknownSubscriberError
from subscribers.tokens import LinkPurpose

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
    """Request a one-time link (export, erase, address) for the reader behind ``token``, mailed to them. Raise
    TokenError as :func:`open_subscription` does, and TooManyRequestsError as :func:`request_mail` does.
    """
    with open_subscription(engine, keys, token) as reader:
        limiter = _make_limiter(reader.session, keys)
        rank = _count_request(reader.session, limiter, visitor)
        number, now = reader.subscriber_id, limiter.now
        _add_mail(reader.session, kind, visitor, now=now, network_rank=rank, subscriber_id=number)
        reader.session.commit()


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


def read_link_summary(engine: Engine, keys: Keys, token: str, purpose: LinkPurpose) -> SubscriptionSummary:
    """Read what a one-time link is for. Writes nothing."""
    with open_link(engine, keys, token, purpose, use=False) as (reader, _):
        return reader.summarise()


def export_data(engine: Engine, keys: Keys, token: str) -> dict[str, Any]:
    """Return all data about the subscriber the link was mailed to, as JSON values. Uses the link up."""
    with open_link(engine, keys, token, LinkPurpose.export, use=True) as (reader, now):
        address = reader.subscriber.email
        exported = export_personal_data(reader.session, address, key=keys.suppression, now=now)
        reader.session.commit()
        return exported


def erase_data(workspace: Workspace, engine: Engine, token: str, *, evidence: str) -> None:
    """Erase the subscriber the link was mailed to. If that fails, the link still works."""
    with open_link(engine, workspace.keys, token, LinkPurpose.erase, use=False) as (reader, now):
        address = reader.subscriber.email
    # The subscriber's links are deleted in the same transaction, so this one cannot be used again.
    erase_person(workspace, engine, address, method="page", source="mailed link", evidence=evidence, now=now)


def request_address_change(engine: Engine, keys: Keys, token: str, email: str, visitor: Visitor) -> None:
    """Request an email to the new address that asks to confirm it. Uses the link up if the address is valid;
    raise AddressError if it is not."""
    with open_link(engine, keys, token, LinkPurpose.address, use=True) as (reader, now):
        number, kind = reader.subscriber_id, TransactionalMailKind.new_address
        detail = normalise_address(email).email
        _add_mail(reader.session, kind, visitor, now=now, subscriber_id=number, detail=detail)
        reader.session.commit()


def confirm_address_change(
    engine: Engine, keys: Keys, token: str, *, language: str, evidence: str
) -> tuple[str, SubscriptionSummary]:
    """Change the subscriber's address to the one the link was mailed to; return the token for the reader's
    own pages, and the subscription. Raise TokenError also if the address has been taken since."""
    with open_link(engine, keys, token, LinkPurpose.new_address, use=True) as (reader, now):
        try:
            change_address(
                reader.session,
                reader.subscriber_id,
                reader.new_address,
                key=keys.suppression,
                method="page",
                source="mailed link",
                now=now,
                language=language,
                evidence=f"address changed; {evidence}".removesuffix("; "),
            )
        except (AddressError, UnknownSubscriberError) as error:
            raise TokenError from error
        changed = reader.sign_token(), reader.summarise()
        reader.session.commit()
        return changed
