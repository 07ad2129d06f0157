"""Subscribers and a campaign in the database, for the tests of sending."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, insert, update
from sqlmodel import Session, col, select

from mailer.database.models import Campaign, CampaignState, Delivery, DeliveryState, Dispatcher
from mailer.dispatch.batch_writer import Batch, Transition
from mailer.dispatch.deliveries import Claim
from mailer.dispatch.ledger import Ledger
from mailer.smtp.interfaces import apply_dot_stuffing
from mailer.smtp.reply_classifier import Outcome
from subscribers.models import Status, Subscriber

START = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)


class FakeClock:
    """A database clock that only advances on request."""

    def __init__(self, now: datetime = START) -> None:
        self.now = now

    def __call__(self, _: Connection) -> datetime:
        return self.now

    def advance(self, **amount: float) -> None:
        self.now += timedelta(**amount)


class FakeMonotonic:
    """A process's own clock in seconds, which stands still until moved."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def add_subscribers(engine: Engine, addresses: Sequence[str], **values: Any) -> list[int]:
    """Add active subscribers with ``addresses``; return their ids."""
    with Session(engine) as session:
        people = [
            Subscriber(email=address, envelope=address, created_at=START, updated_at=START, **values)
            for address in addresses
        ]
        session.add_all(people)
        session.commit()
        return [person.id or 0 for person in people]


def add_campaign(engine: Engine, readers: int | Sequence[str], **values: Any) -> int:
    """Add a sending campaign, with a queued delivery for each of ``readers`` (a number, or addresses)."""
    addresses = [f"reader{n}@example.org" for n in range(readers)] if isinstance(readers, int) else readers
    people = add_subscribers(engine, addresses)
    with Session(engine) as session:
        campaign = Campaign(
            **{
                "edition": "2026-1",
                "title": "Spring",
                "segment": "all",
                "state": CampaignState.sending,
                "digest": "d",
                "audience": len(people),
                "created_at": START,
                **values,
            }
        )
        session.add(campaign)
        session.flush()
        number = campaign.id or 0
        session.add_all(
            Delivery(campaign_id=number, subscriber_id=person, updated_at=START) for person in people
        )
        session.commit()
        return number


def register_dispatchers(engine: Engine, *names: str) -> None:
    """Register dispatchers, without which a ledger starts nothing for them."""
    rows = [{"id": name, "host": "", "started_at": START, "heartbeat_at": START} for name in names]
    with engine.begin() as connection:
        connection.execute(insert(Dispatcher), rows)


def read_deliveries(engine: Engine) -> dict[str, Delivery]:
    """Map each reader's address to the delivery, detached, in the order of ids."""
    with Session(engine) as session:
        both = col(Delivery.subscriber_id) == col(Subscriber.id)
        statement = select(Subscriber.email, Delivery).join(Delivery, both).order_by(col(Delivery.id))
        found = dict(session.exec(statement).all())
        session.expunge_all()
        return found


def read_states(engine: Engine) -> dict[str, DeliveryState]:
    """Map each reader's address to the state of the delivery."""
    return {address: delivery.state for address, delivery in read_deliveries(engine).items()}


def read_campaign(engine: Engine, campaign_id: int) -> Campaign:
    with Session(engine) as session:
        campaign = session.get_one(Campaign, campaign_id)
        session.expunge_all()
        return campaign


def set_status(engine: Engine, address: str, status: Status) -> None:
    """Change a subscriber's status directly in the database."""
    with engine.begin() as connection:
        connection.execute(update(Subscriber).where(col(Subscriber.email) == address).values(status=status))


def set_campaign_state(engine: Engine, campaign_id: int, state: CampaignState) -> None:
    with engine.begin() as connection:
        connection.execute(update(Campaign).where(col(Campaign.id) == campaign_id).values(state=state))


def build_plain(claim: Any) -> bytes:
    """A short message with dots stuffed, and with the same Message-ID for every attempt."""
    number, campaign = claim.subscriber.id, claim.campaign_id
    message = (
        f"From: news@example.org\r\nTo: {claim.subscriber.email}\r\nSubject: Spring\r\n"
        f"Message-ID: <c{campaign}.s{number}@example.org>\r\n\r\nDear partner,\r\n..dots\r\n.\r\nend\r\n"
    )
    return apply_dot_stuffing(message.encode())


def begin(ledger: Ledger, claim: Claim) -> bool:
    """Mark one delivery as about to be sent; return whether it may be."""
    return claim.delivery_id in ledger.record(Batch(starting=[claim.delivery_id])).started


def settle(ledger: Ledger, claim: Claim, outcome: Outcome) -> bool:
    """Record the outcome of one delivery; return whether it was still ours."""
    return not ledger.record(ledger.make_batch([(claim, outcome)])).lost


def give_back(ledger: Ledger, claims: Sequence[Claim]) -> None:
    """Put deliveries that were not tried back in the queue, as a run does at its end."""
    returns = [Transition(claim.delivery_id, DeliveryState.queued) for claim in claims]
    ledger.record(ledger.make_batch([], returned=returns))
