"""Forgetting a person: in the list, in the ledger's words about them, in the pages a database keeps aside."""

from datetime import datetime

from sqlalchemy import Engine, update
from sqlmodel import col

from mailer.database.engine import session
from mailer.database.models import Delivery
from subscribers.consent import erase
from subscribers.listing import find_subscriber
from subscribers.suppression import SuppressionKey


def erase_person(engine: Engine, address: str, *, key: SuppressionKey, method: str, now: datetime) -> None:
    """Erase whoever has ``address``: their data, and what servers said about them, which often quotes it.

    Their deliveries stay counted; the keyed hash stays so that no import brings them back.

    Raises:
        SubscriberError: nobody on the list has the address.
    """
    with session(engine) as writing:
        person = find_subscriber(writing, address)
        writing.connection().execute(
            update(Delivery).where(col(Delivery.subscriber_id) == person.id).values(reason="", updated_at=now)
        )
        erase(writing, address, key=key, method=method, now=now)
        writing.commit()
    _fold_in_log(engine)


def _fold_in_log(engine: Engine) -> None:
    """SQLite keeps old pages in its write-ahead log until it is folded in; PostgreSQL sees to its own."""
    if engine.dialect.name == "sqlite":
        raw = engine.raw_connection()
        try:
            raw.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            raw.close()
