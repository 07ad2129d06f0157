"""Who a message that came back is about.

Evidence is taken in this order: our signed token in an address that the message came to, in the ENVID, in
our own header of the returned part; our Message-ID there; the token in its ``List-Unsubscribe``; and last an
address. Whoever has a mail has its tokens, so they speak for its reader alone. An address can be written by
anyone: it counts only if a message was really sent there lately.
"""

import hmac
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import islice
from typing import Final

from sqlalchemy import ColumnElement, or_
from sqlmodel import Session, col, select

from mailer.database.feedback_models import Evidence, FeedbackKind
from mailer.database.models import Campaign, Delivery, DeliveryState
from mailer.feedback.incoming_message import IncomingMessage, ReportedRecipient
from mailer.keys import Keys
from mailer.rendering.headers import find_token
from mailer.rendering.mail_merge import message_id
from mailer.selfservice.subscription import verify_campaign
from subscribers.address import normalise_address
from subscribers.errors import AddressError, TokenError
from subscribers.models import Subscriber
from subscribers.tokens import LinkPurpose, TokenPayload

ADDRESS_DAYS: Final = 14
"""For how many days after a message an address alone is evidence. Most servers give up after five (RFC 5321,
section 4.5.4.1), and some look again after ten."""

_MESSAGE_ID = re.compile(r"<?c(\d{1,10})\.s(\d{1,10})\.([0-9a-fA-F]{12})@([A-Za-z0-9.-]{1,255})>?")
_MAIL_TOKEN = re.compile(r"(?<![0-9a-zA-Z])[0-9a-fA-F]{50}(?![0-9a-zA-Z])")
_LINK_TOKEN = re.compile(r"(?<![\w-])[\w-]{39}(?![\w-])", re.ASCII)
_MAX_SEARCHED: Final = 1024 * 1024
_MAX_TRACES: Final = 50
_CERTAIN = frozenset({Evidence.token, Evidence.message_id, Evidence.person, Evidence.refusal})
_MAIL_PURPOSES = (LinkPurpose.bounce, LinkPurpose.leave)


@dataclass(frozen=True, kw_only=True)
class FoundReader:
    """The subscriber that one reported recipient is about, with their own address. ``sent_at`` is when the
    campaign's message was sent to them, None if the ledger knows of none.
    """

    subscriber_id: int
    email: str
    evidence: Evidence
    campaign_id: int | None = None
    sent_at: datetime | None = None

    @property
    def is_certain(self) -> bool:
        """Whether only somebody who has a mail to this person can have caused the message."""
        return self.evidence in _CERTAIN


@dataclass(frozen=True, kw_only=True)
class ReaderMatch:
    """What a message says of one recipient, and who that is; None if nobody on the list was found."""

    recipient: ReportedRecipient
    person: FoundReader | None = None

    @property
    def is_own_address(self) -> bool:
        """Whether the report is about the subscriber's own address, not one that their mail went on to."""
        if self.person is None:
            return False
        spellings = (self.recipient.original_address, self.recipient.address)
        return self.person.email in map(_normalise, spellings)


def identify(
    session: Session,
    keys: Keys,
    message: IncomingMessage,
    *,
    now: datetime,
    raw: bytes | None = None,
    is_authentic: bool = False,
) -> list[ReaderMatch]:
    """Find the subscriber of each recipient that ``message`` reports, in its order. Writes nothing.

    ``is_authentic`` says that it is known who reports: only then does somebody leave who is merely named. A
    message that reports no recipient is one about its sender, or whoever its token names. Where its parts do
    not tell, a token anywhere in ``raw`` does: it is signed.
    """
    readers = _Readers(session, keys, now)
    if message.kind is FeedbackKind.leave and not is_authentic:
        return _find_leavers(readers, message)
    recipients = message.recipients or (ReportedRecipient(address="", reason=None),)
    addresses = (*message.delivered_to, message.original.envelope_sender)
    by_token = readers.find_by_tokens(_list_tokens(addresses))
    text = (raw or b"")[:_MAX_SEARCHED].decode("latin-1")
    return [_find_person(readers, message, recipient, by_token, text) for recipient in recipients]


def names_leaver(session: Session, keys: Keys, message: IncomingMessage) -> bool:
    """Return whether the message came to the leaving address of a reader, whatever it says."""
    readers = _Readers(session, keys, None)
    return any(
        readers.read_mail_token(token, (LinkPurpose.leave,)) is not None
        for token in _list_tokens(message.delivered_to)
    )


def find_person_by_address(session: Session, address: str, *, now: datetime) -> FoundReader | None:
    """Find the subscriber with ``address``, and the message last sent to them if that was lately."""
    return _Readers(session, None, now).find_by_address(address)


def load_person(session: Session, subscriber_id: int, campaign_id: int | None) -> FoundReader | None:
    """Read the subscriber of an event, and the message that it is about."""
    payload = TokenPayload(subscriber_id=subscriber_id, campaign_id=campaign_id or 0)
    return _Readers(session, None, None).load(payload, Evidence.nothing)


def _find_leavers(readers: "_Readers", message: IncomingMessage) -> list[ReaderMatch]:
    """Find everyone whose leaving address the message came to, else whom it names; of tokens, only one for
    leaving counts."""
    found: dict[int, ReaderMatch] = {}
    for address in message.delivered_to:
        for token in _list_tokens((address,)):
            payload = readers.read_mail_token(token, (LinkPurpose.leave,))
            person = payload and readers.load(payload, Evidence.token)
            if person and person.subscriber_id not in found:
                recipient = ReportedRecipient(address="", reason=None)
                found[person.subscriber_id] = ReaderMatch(recipient=recipient, person=person)
    if not found:
        # Whom a message only names, a person must judge.
        for recipient in message.recipients:
            found[0] = ReaderMatch(recipient=recipient, person=readers.find_by_address(recipient.address))
    return list(found.values())


def _find_person(
    readers: "_Readers",
    message: IncomingMessage,
    recipient: ReportedRecipient,
    by_token: FoundReader | None,
    text: str,
) -> ReaderMatch:
    original = message.original
    message_ids = islice(_MESSAGE_ID.finditer(text), _MAX_TRACES)
    person = (
        by_token
        or readers.find_by_tokens(_MAIL_TOKEN.findall(recipient.envelope_id))
        or readers.find_by_tokens(_MAIL_TOKEN.findall(original.feedback_token))
        or readers.find_by_message_id(original.message_id)
        or readers.find_by_tokens(_MAIL_TOKEN.findall(original.list_unsubscribe))
        or readers.find_by_links(_LINK_TOKEN.findall(original.list_unsubscribe))
        or readers.find_by_tokens(islice(_MAIL_TOKEN.findall(text), _MAX_TRACES))
        or _first(readers.find_by_message_id(found[0]) for found in message_ids)
        or _first(map(readers.find_by_address, _list_addresses(message, recipient)))
    )
    return ReaderMatch(recipient=recipient, person=person)


def _first(people: Iterable[FoundReader | None]) -> FoundReader | None:
    return next(filter(None, people), None)


def _list_tokens(addresses: Iterable[str]) -> Iterator[str]:
    return (token for address in addresses if (token := find_token(address)))


def _list_addresses(message: IncomingMessage, recipient: ReportedRecipient) -> Iterator[str]:
    """Yield the addresses that may be the subscriber's, likeliest first."""
    yield from filter(None, (recipient.original_address, recipient.address))
    if len(message.recipients) <= 1:
        yield from message.original.recipients
    if message.kind in {FeedbackKind.reply, FeedbackKind.auto_reply}:
        yield message.sender


def _normalise(address: str) -> str:
    try:
        return normalise_address(address).email
    except AddressError:
        return ""


class _Readers:
    def __init__(self, session: Session, keys: Keys | None, now: datetime | None) -> None:
        self._session = session
        self._keys = keys
        self._now = now

    def find_by_tokens(self, tokens: Iterable[str]) -> FoundReader | None:
        """Find the subscriber of the first token that is ours and still counts."""
        for token in tokens:
            payload = self.read_mail_token(token, _MAIL_PURPOSES)
            if payload and (person := self.load(payload, Evidence.token)):
                return person
        return None

    def find_by_links(self, tokens: Iterable[str]) -> FoundReader | None:
        """As :meth:`find_by_tokens`, for the token of the link to unsubscribe."""
        if self._keys is None:
            return None
        for token in tokens:
            try:
                payload = self._keys.tokens.read(token, LinkPurpose.subscription)
                verify_campaign(self._session, payload)
            except TokenError:
                continue
            if person := self.load(payload, Evidence.token):
                return person
        return None

    def read_mail_token(self, token: str, purposes: Iterable[LinkPurpose]) -> TokenPayload | None:
        """Verify a token for one of ``purposes``; None if it is not ours, or its key no longer counts."""
        if self._keys is None:
            return None
        for purpose in purposes:
            try:
                payload = self._keys.tokens.read_mail(token, purpose)
                verify_campaign(self._session, payload)
            except TokenError:
                continue
            return payload
        return None

    def find_by_message_id(self, value: str) -> FoundReader | None:
        found = _MESSAGE_ID.fullmatch(value.strip())
        if found is None or self._keys is None:
            return None
        signer = self._keys.tokens.newest()
        # It is made with the oldest key, and proves nothing once somebody else may have that one.
        if min(signer.keys) in signer.retired:
            return None
        campaign_id, subscriber_id, domain = int(found[1]), int(found[2]), found[4]
        for spelling in {domain, _decode_domain(domain)}:
            ours = message_id(campaign_id, subscriber_id, spelling, signer)
            if hmac.compare_digest(ours.encode(), f"<{value.strip().strip('<>')}>".encode()):
                payload = TokenPayload(subscriber_id=subscriber_id, campaign_id=campaign_id)
                return self.load(payload, Evidence.message_id)
        return None

    def find_by_address(self, address: str) -> FoundReader | None:
        """Find the subscriber with ``address``, and the message last sent to them if that was lately."""
        email = _normalise(address)
        if not email:
            return None
        theirs = or_(col(Subscriber.email) == email, col(Subscriber.envelope) == address.strip())
        subscriber = self._session.exec(select(Subscriber).where(theirs).limit(1)).first()
        if subscriber is None or subscriber.id is None:
            return None
        person = FoundReader(subscriber_id=subscriber.id, email=subscriber.email, evidence=Evidence.address)
        latest = self._session.exec(
            select(Delivery)
            .where(col(Delivery.subscriber_id) == subscriber.id, _was_sent())
            .order_by(col(Delivery.updated_at).desc())
            .limit(1)
        ).first()
        if latest is None or self._now is None or latest.updated_at < self._now - timedelta(ADDRESS_DAYS):
            return person
        return replace(person, campaign_id=latest.campaign_id, sent_at=latest.updated_at)

    def load(self, payload: TokenPayload, evidence: Evidence) -> FoundReader | None:
        subscriber = self._session.get(Subscriber, payload.subscriber_id)
        if subscriber is None:
            return None
        campaign = self._session.get(Campaign, payload.campaign_id)
        delivery = self._session.exec(
            select(Delivery).where(
                col(Delivery.campaign_id) == payload.campaign_id,
                col(Delivery.subscriber_id) == payload.subscriber_id,
                _was_sent(),
            )
        ).first()
        return FoundReader(
            subscriber_id=payload.subscriber_id,
            email=subscriber.email,
            evidence=evidence,
            campaign_id=campaign.id if campaign else None,
            sent_at=delivery.updated_at if delivery else None,
        )


def _was_sent() -> ColumnElement[bool]:
    """Return the condition that a message may have arrived: accepted, or once in doubt."""
    return or_(col(Delivery.state).in_((DeliveryState.sent, DeliveryState.in_doubt)), col(Delivery.doubted))


def _decode_domain(domain: str) -> str:
    """Return the domain as the settings may spell it, of which a Message-ID is made, in ASCII."""
    try:
        return domain.encode("ascii").decode("idna")
    except UnicodeError:
        return domain
