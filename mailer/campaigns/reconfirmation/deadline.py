"""Ends a re-confirmation when its time is over: who was asked and has not answered is paused."""

from datetime import datetime

from sqlalchemy import ColumnElement, Engine, select, update
from sqlmodel import Session, col

from mailer.campaigns.reconfirmation.plan import SHORTEST
from mailer.campaigns.reconfirmation.record import has_answered, has_replied, was_asked
from mailer.database.clock import Clock, read_clock
from mailer.database.models import Campaign, Delivery
from mailer.database.reconfirmation_models import Reconfirmation
from subscribers.consent.status_changes import change_status, lock_subscriber
from subscribers.models import ConsentEvent, Status, Subscriber

_CHUNK = 500
_METHOD = "reconfirmation"


def close_due_reconfirmations(engine: Engine, *, clock: Clock = read_clock) -> dict[str, int]:
    """Close every re-confirmation whose time is over; return how many readers each paused, by its name.

    Paused are active readers whose letter was handed over at least seven days before, and who have neither
    done anything on their page nor written back since. A few hundred at a time are one transaction, so a
    process that is killed leaves nothing half done, and the next one goes on.
    """
    with engine.connect().execution_options(read_only=True) as connection:
        now = clock(connection)
        due = select(col(Reconfirmation.name)).where(
            col(Reconfirmation.closed_at).is_(None), col(Reconfirmation.answer_by) <= now
        )
        names = list(connection.scalars(due.order_by(col(Reconfirmation.id))))
    return {name: _close(engine, name, now) for name in names}


def _close(engine: Engine, name: str, now: datetime) -> int:
    paused = 0
    while True:
        with Session(engine) as session:
            silent = _find_silent(session, name, now)
            paused += sum(_pause(session, number, name, asked_at, now) for number, asked_at in silent)
            if len(silent) < _CHUNK:
                record = (col(Reconfirmation.name) == name, col(Reconfirmation.closed_at).is_(None))
                session.exec(update(Reconfirmation).where(*record).values(closed_at=now))
            session.commit()
        if len(silent) < _CHUNK:
            return paused


def _find_silent(
    session: Session, name: str, now: datetime, *further: ColumnElement[bool]
) -> list[tuple[int, datetime]]:
    """The next readers who were asked in time and have not answered, with when their letter was sent."""
    launched = col(Campaign.launched_at)
    statement = (
        select(col(Subscriber.id), col(Delivery.updated_at))
        .select_from(Delivery)
        .join(Campaign, col(Campaign.id) == col(Delivery.campaign_id))
        .join(Subscriber, col(Subscriber.id) == col(Delivery.subscriber_id))
        .where(
            was_asked(name),
            col(Delivery.updated_at) <= now - SHORTEST,
            col(Subscriber.status) == Status.active,
            ~has_answered(launched),
            ~has_replied(launched),
            *further,
        )
        .order_by(col(Subscriber.id))
        .limit(_CHUNK)
    )
    return [(number, asked_at) for number, asked_at in session.connection().execute(statement) if number]


def _pause(session: Session, subscriber_id: int, name: str, asked_at: datetime, now: datetime) -> bool:
    subscriber = lock_subscriber(session, subscriber_id)
    # They may have answered since we looked; now that the row is locked, nothing else can happen.
    if not _find_silent(session, name, now, col(Subscriber.id) == subscriber_id):
        return False
    change_status(
        session,
        subscriber,
        Status.paused,
        event=ConsentEvent.paused,
        method=_METHOD,
        source=name,
        now=now,
        evidence=f"asked on {asked_at:%Y-%m-%d} whether they still want the newsletter; no answer by "
        f"{now:%Y-%m-%d}",
    )
    return True
