"""Fill a list with many invented readers, in a few statements."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from sqlalchemy import Connection, Engine, String, case, cast, insert, literal, select
from sqlmodel import SQLModel, col

from mailer.database.feedback_models import MailDomain
from subscribers.models import Status, Subscriber, SubscriberSector

_COLUMNS = SQLModel.metadata.tables["subscriber"].columns
_NAMES = ("Rina Okafor", "李明", "Бат-Эрдэнэ", "Amélie Dupré")
# None of these countries requires a consent record, which these readers do not have.
_COUNTRIES = ("MN", "CN", "KR", "KP")
_DOMAINS = 50
# Of each hundred domains, how many are hosted at whom; the rest have servers of their own.
_HOSTED = {"microsoft_365": 35, "google": 20, "qq": 10, "netease": 5, "orange": 3, "gmx": 2}


def add_readers(
    engine: Engine, count: int, *, sectors: tuple[str, ...], now: datetime, domains: int = _DOMAINS
) -> None:
    """Add ``count`` active readers in several countries and scripts, who each follow one or two of
    ``sectors``.

    Their languages are unknown, so that each gets the edition in its original language. Who receives the mail
    of their ``domains`` is known.
    """
    with engine.begin() as connection:
        _add_people(connection, count, now, domains)
        connection.execute(insert(MailDomain), list(_list_hosted(domains, now)))
        for turn in range(len(sectors) + 1):
            follow = select(col(Subscriber.id), literal(sectors[turn % len(sectors)]))
            # The last turn gives some readers a second sector.
            whom = _every(len(sectors), turn) if turn < len(sectors) else _every(2 * len(sectors), 1)
            statement = insert(SubscriberSector).from_select(["subscriber_id", "sector"], follow.where(whom))
            connection.execute(statement)


def _every(step: int, turn: int):  # type: ignore[no-untyped-def]  # SQLAlchemy's own long name
    return col(Subscriber.id) % step == turn


def _list_hosted(domains: int, now: datetime) -> Iterator[dict[str, object]]:
    hosts = [key for key, share in _HOSTED.items() for _ in range(share)]
    hosts += [""] * (100 - len(hosts))
    for number in range(domains):
        yield {
            "domain": f"desk{number}.example.org",
            "provider": hosts[number % 100],
            "looked_up_at": now,
            "expires_at": now + timedelta(days=14),
        }


def _add_people(connection: Connection, count: int, now: datetime, domains: int) -> None:
    numbers = select(literal(1).label("n")).cte("numbers", recursive=True)
    numbers = numbers.union_all(select(numbers.c.n + 1).where(numbers.c.n < count))
    digits = cast(numbers.c.n, String)
    address = literal("reader") + digits + "@desk" + cast(numbers.c.n % domains, String) + ".example.org"
    moment = literal(now, _COLUMNS.created_at.type)
    row = {
        "email": address,
        "envelope": address,
        "name": _one_of(_NAMES, numbers.c.n) + literal(" ") + digits,
        "organisation": literal("An invented desk"),
        "country": _one_of(_COUNTRIES, numbers.c.n),
        "status": literal(Status.active, _COLUMNS.status.type),
        "created_at": moment,
        "updated_at": moment,
    }
    connection.execute(insert(Subscriber).from_select(list(row), select(*row.values())))


def _one_of(values: tuple[str, ...], number):  # type: ignore[no-untyped-def]
    return case(*((number % len(values) == turn, value) for turn, value in enumerate(values)))
