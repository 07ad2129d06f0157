"""Query the list: count and find subscribers, and read everything known about one. Nothing here writes."""

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import and_, func, join, literal, true, union_all
from sqlalchemy import select as select_columns
from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from subscribers.address import normalise_address
from subscribers.errors import UnknownSubscriberError
from subscribers.models import (
    ConsentEvent,
    ConsentRecord,
    ImportBatch,
    MergedSubscriber,
    Status,
    Subscriber,
    SubscriberSector,
    SubscriberTag,
)
from subscribers.segments.segment import Segment, eligible

_CHUNK = 500
"""How many subscribers' sectors and tags are read in one statement."""


def select_subscribers(segment: Segment, *, today: date | None = None) -> SelectOfScalar[Subscriber]:
    """Select a segment's subscribers by ID; with ``today``, only those who receive mail on that day."""
    wanted = select(Subscriber).where(segment.where()).order_by(col(Subscriber.id))
    return wanted if today is None else wanted.where(eligible(today))


def count_subscribers(session: Session, segment: Segment, *, today: date | None = None) -> int:
    wanted = select(func.count()).select_from(Subscriber).where(segment.where())
    return session.exec(wanted if today is None else wanted.where(eligible(today))).one()


def list_subscriber_details(
    session: Session, segment: Segment, *, today: date | None = None
) -> Iterator[dict[str, Any]]:
    """Yield the details of each subscriber in a segment, in the order of their IDs, as
    :func:`read_subscriber_details` has them, but without ``consent`` and ``merged_into``."""
    found = session.exec(
        select_subscribers(segment, today=today).execution_options(yield_per=_CHUNK, stream_results=True)
    )
    for chunk in found.partitions(_CHUNK):
        sectors, tags = read_sectors(session, chunk), read_tags(session, chunk)
        for subscriber in chunk:
            yield _details_as_dict(subscriber, sectors[subscriber.id or 0], tags[subscriber.id or 0])


def find_subscriber(session: Session, address: str) -> Subscriber:
    """Return the subscriber with ``address``, in any spelling. Raise AddressError if ``address`` is not
    valid, and UnknownSubscriberError if no subscriber has it.
    """
    email = normalise_address(address).email
    if (subscriber := find_by_email(session, email)) is None:
        raise UnknownSubscriberError(email)
    return subscriber


def find_by_email(session: Session, email: str) -> Subscriber | None:
    """Return the subscriber with the normalised address ``email``; None if there is none."""
    return session.exec(select(Subscriber).where(Subscriber.email == email)).one_or_none()


def find_kept_subscriber(session: Session, subscriber: Subscriber) -> Subscriber:
    """Return who stands for ``subscriber``: the one they were merged into, or they themselves."""
    if subscriber.status is not Status.merged:
        return subscriber
    kept = session.exec(
        select(Subscriber)
        .join(MergedSubscriber, col(MergedSubscriber.kept_id) == col(Subscriber.id))
        .where(MergedSubscriber.subscriber_id == subscriber.id)
    ).one_or_none()
    return subscriber if kept is None else kept


def list_merged_subscribers(session: Session, subscriber_id: int) -> Sequence[Subscriber]:
    return session.exec(
        select(Subscriber)
        .join(MergedSubscriber, col(MergedSubscriber.subscriber_id) == col(Subscriber.id))
        .where(MergedSubscriber.kept_id == subscriber_id)
        .order_by(col(Subscriber.id))
    ).all()


def read_subscriber_details(session: Session, address: str) -> dict[str, Any]:
    """Return everything known about the subscriber with ``address``, ready for JSON.

    Times are ISO 8601 in UTC; ``consent`` holds the records, oldest first. ``merged_into`` is the address of
    the one they were merged into, if they were. Raises as :func:`find_subscriber` does.
    """
    subscriber = find_subscriber(session, address)
    sectors, tags = read_sectors(session, [subscriber]), read_tags(session, [subscriber])
    records = session.exec(
        select(ConsentRecord)
        .where(ConsentRecord.subscriber_id == subscriber.id)
        .order_by(col(ConsentRecord.at), col(ConsentRecord.id))
    )
    known = _details_as_dict(subscriber, sectors[subscriber.id or 0], tags[subscriber.id or 0])
    if subscriber.status is Status.merged:
        known["merged_into"] = find_kept_subscriber(session, subscriber).email
    return known | {"consent": [_record_as_dict(record) for record in records]}


def read_sectors(session: Session, subscribers: Sequence[Subscriber]) -> defaultdict[int, set[str]]:
    """Return the sectors of a few hundred subscribers, by subscriber ID."""
    ids = [subscriber.id for subscriber in subscribers]
    sectors: defaultdict[int, set[str]] = defaultdict(set)
    for row in session.exec(select(SubscriberSector).where(col(SubscriberSector.subscriber_id).in_(ids))):
        sectors[row.subscriber_id].add(row.sector)
    return sectors


def read_tags(session: Session, subscribers: Sequence[Subscriber]) -> defaultdict[int, set[str]]:
    """Return the tags of a few hundred subscribers, by subscriber ID."""
    ids = [subscriber.id for subscriber in subscribers]
    tags: defaultdict[int, set[str]] = defaultdict(set)
    for row in session.exec(select(SubscriberTag).where(col(SubscriberTag.subscriber_id).in_(ids))):
        tags[row.subscriber_id].add(row.tag)
    return tags


@dataclass(frozen=True, kw_only=True)
class StoredDetails:
    """The details of a subscriber that the team changes, as stored. ``email`` is whose they are, "" for
    nobody's yet."""

    email: str = ""
    name: str = ""
    organisation: str = ""
    country: str | None = None
    language: str | None = None
    sectors: frozenset[str] = frozenset()
    tags: frozenset[str] = frozenset()

    @property
    def digest(self) -> str:
        """16 hex digits; others say that one of the details, or the address, was changed since."""
        return digest_values(*vars(self).values())


def digest_values(*values: object) -> str:
    told = [sorted(value) if isinstance(value, frozenset) else value for value in values]
    return hashlib.sha256(repr(told).encode()).hexdigest()[:16]


def read_details(session: Session, subscriber: Subscriber) -> StoredDetails:
    number = subscriber.id or 0
    return StoredDetails(
        email=subscriber.email,
        name=subscriber.name,
        organisation=subscriber.organisation,
        country=subscriber.country,
        language=subscriber.language,
        sectors=frozenset(read_sectors(session, [subscriber])[number]),
        tags=frozenset(read_tags(session, [subscriber])[number]),
    )


def find_status_record(session: Session, subscriber: Subscriber) -> ConsentRecord | None:
    """Return the latest record of what gave a subscriber their status. That somebody else was merged into
    them is no reason for it."""
    others = {ConsentEvent.updated, ConsentEvent.unsuppressed}
    if subscriber.status is not Status.merged:
        others.add(ConsentEvent.merged)
    wanted = select(ConsentRecord).where(
        col(ConsentRecord.subscriber_id) == subscriber.id, col(ConsentRecord.event).not_in(others)
    )
    return session.exec(wanted.order_by(col(ConsentRecord.id).desc()).limit(1)).first()


def list_consent_records(session: Session, numbers: Sequence[int], *, limit: int) -> Sequence[ConsentRecord]:
    wanted = select(ConsentRecord).where(col(ConsentRecord.subscriber_id).in_(numbers))
    newest = wanted.order_by(col(ConsentRecord.at).desc(), col(ConsentRecord.id).desc())
    return session.exec(newest.limit(limit)).all()


def list_tags(session: Session, *, most: int) -> list[str]:
    """List the first tags that subscribers have, by name.

    A database would read every row to find the few different ones, so each is found from the one before.
    """
    tag = col(SubscriberTag.tag)
    first = select(func.min(tag).label("tag")).cte("first_tags", recursive=True)
    following = select(func.min(tag)).where(tag > first.c.tag).correlate(first).scalar_subquery()
    tags = first.union_all(select(following).where(first.c.tag.is_not(None)))
    return sorted(session.exec(select(tags.c.tag).where(tags.c.tag.is_not(None)).limit(most)))


def list_import_files(
    session: Session, numbers: Collection[int], *, most: int
) -> Sequence[tuple[int | None, str]]:
    """Return the numbers and files of the ``most`` latest imports, and of those with ``numbers``."""
    files = select(ImportBatch.id, ImportBatch.source)
    latest = session.exec(files.order_by(col(ImportBatch.id).desc()).limit(most)).all()
    return [*latest, *session.exec(files.where(col(ImportBatch.id).in_(numbers)))]


def _details_as_dict(subscriber: Subscriber, sectors: set[str], tags: set[str]) -> dict[str, Any]:
    return {
        "id": subscriber.id,
        "email": subscriber.email,
        "envelope": subscriber.envelope,
        "name": subscriber.name,
        "organisation": subscriber.organisation,
        "country": subscriber.country,
        "language": subscriber.language,
        "sectors": sorted(sectors),
        "tags": sorted(tags),
        "status": subscriber.status.value,
        "paused_until": subscriber.paused_until and subscriber.paused_until.isoformat(),
        "click_consent": subscriber.click_consent,
        "created_at": _format_utc(subscriber.created_at),
        "updated_at": _format_utc(subscriber.updated_at),
    }


def _record_as_dict(record: ConsentRecord) -> dict[str, Any]:
    return {
        "at": _format_utc(record.at),
        "event": record.event.value,
        "method": record.method,
        "source": record.source,
        "language": record.language,
        "wording_version": record.wording_version,
        "wording": record.wording,
        "evidence": record.evidence,
        "basis": record.basis,
    }


def _format_utc(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


@dataclass(frozen=True, kw_only=True)
class CrossTableRow:
    """The counts for one country, or for all. ``by_sector`` is in the order of the table's sectors. A
    subscriber who follows two is counted in both; ``other`` counts other sectors, ``none`` the people who
    follow no sector.
    """

    by_sector: tuple[int, ...]
    other: int
    none: int
    people: int


@dataclass(frozen=True, kw_only=True)
class CrossTable:
    """``countries`` by alpha-2 code, largest first; None stands for unknown and comes last."""

    sectors: tuple[str, ...]
    countries: dict[str | None, CrossTableRow]
    total: CrossTableRow


def make_cross_table(
    session: Session, segment: Segment, sectors: Sequence[str], *, today: date | None = None
) -> CrossTable:
    """Count ``segment`` by country and ``sectors``; with ``today``, only those who receive mail on that day.

    It is a single statement, so all numbers are from the same moment.
    """
    counted = session.connection().execute(_make_statement(segment, sectors, today))
    fields: dict[str | None, list[int]] = {}
    people: dict[str | None, int] = {}
    for row in counted:
        if row.kind == _PEOPLE:
            people[row.country] = row.people
        else:
            fields[row.country] = [int(number) for number in row[3:]]
    ordered = sorted(people, key=lambda code: (code is None, -people[code], code or ""))
    countries = {code: _make_row(fields[code], people[code]) for code in ordered}
    columns = zip(*fields.values(), strict=True) if fields else [(0,)] * (len(sectors) + 2)
    total = _make_row([sum(column) for column in columns], sum(people.values()))
    return CrossTable(sectors=tuple(sectors), countries=countries, total=total)


_FIELDS, _PEOPLE = "fields", "people"


def _make_statement(segment: Segment, sectors: Sequence[str], today: date | None) -> Any:
    """Select each country's counts by sector from the join with sectors, and its people from the list.
    Sectors are columns rather than rows: the index has the countries in order, so nothing is sorted.
    """
    audience = and_(segment.where(), true() if today is None else eligible(today))
    country, follows = col(Subscriber.country), col(SubscriberSector.sector)
    conditions = [*(follows == sector for sector in sectors), follows.not_in(sectors), follows.is_(None)]
    fields = [
        func.count().filter(condition).label(f"field_{place}") for place, condition in enumerate(conditions)
    ]
    with_sectors = join(
        Subscriber, SubscriberSector, col(SubscriberSector.subscriber_id) == col(Subscriber.id), isouter=True
    )
    parts: list[Any] = [
        select_columns(
            country.label("country"), literal(_FIELDS).label("kind"), literal(0).label("people"), *fields
        ).select_from(with_sectors),
        select_columns(country, literal(_PEOPLE), func.count(), *(literal(0) for _ in fields)).select_from(
            Subscriber
        ),
    ]
    return union_all(*(part.where(audience).group_by(country) for part in parts))


def _make_row(fields: Sequence[int], people: int) -> CrossTableRow:
    *by_sector, other, none = fields
    return CrossTableRow(by_sector=tuple(by_sector), other=other, none=none, people=people)
