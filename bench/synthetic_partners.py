"""Fill a large list with invented partners whose countries, sectors, languages and tags are spread
realistically."""

from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, Connection, Engine, case, insert, literal, select, text
from sqlmodel import SQLModel, col

from bench.synthetic_readers import add_readers
from subscribers.models import Status, Subscriber, SubscriberTag

SECTORS = ("education", "sciences", "social", "culture", "information")
_COUNTRIES = (*("CN",) * 5, *("JP",) * 3, *("KR",) * 2, "MN", "KP", "FR", "TH", "VN", "ID", None)
_LANGUAGES = ("zh-Hans", "en", "en", "ja", "ko", "mn", "fr", None)
_NOW = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)


def add_partners(engine: Engine, count: int, *, sectors: tuple[str, ...] = SECTORS) -> None:
    """Add ``count`` partners, some of whom follow no sector and a tenth of whom are tagged press."""
    add_readers(engine, count, sectors=sectors, now=_NOW)
    with engine.begin() as connection:
        _spread(connection)
        _tag(connection)
    # PostgreSQL does this automatically after a minute; SQLite never does.
    if engine.dialect.name == "postgresql":
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE"))


def _spread(connection: Connection) -> None:
    table = SQLModel.metadata.tables["subscriber"]
    connection.execute(
        table.update().values(
            country=_one_of(_COUNTRIES, 7),
            language=_one_of(_LANGUAGES, 11),
            status=case((col(Subscriber.id) % 20 == 3, Status.unsubscribed), else_=Status.active),
        )
    )
    follows = SQLModel.metadata.tables["subscriber_sector"]
    connection.execute(follows.delete().where(follows.c.subscriber_id % 9 == 4))


def _tag(connection: Connection) -> None:
    for tag, step in (("press", 10), ("ministry", 4)):
        whom = select(col(Subscriber.id), literal(tag)).where(col(Subscriber.id) % step == 1)
        connection.execute(insert(SubscriberTag).from_select(["subscriber_id", "tag"], whom))


def _one_of(values: Sequence[str | None], stride: int) -> ColumnElement[str | None]:
    """Return an expression that picks one of ``values`` per partner; ``stride`` varies the order."""
    turn = col(Subscriber.id) // stride % len(values)
    return case(*((turn == number, value) for number, value in enumerate(values)))
