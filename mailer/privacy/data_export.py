"""Everything known about a person, for them (GDPR, Art. 15 and 20; PIPL, Art. 45).

What belongs to a person is found by the foreign keys: a row that names a subscriber, or names a row that
does. So a table that somebody adds later is in the answer without anybody thinking of it.
"""

from collections.abc import Iterator
from datetime import date, datetime
from enum import Enum
from typing import Any

from sqlalchemy import ColumnElement, Table, or_
from sqlmodel import Session, SQLModel, col, select

from mailer.database.models import Campaign
from subscribers.consent.suppression import SuppressionKey, list_lifted_suppressions, read_suppression
from subscribers.models import LiftedSuppression, Subscriber
from subscribers.queries import find_subscriber

_SUBSCRIBER_TABLE = "subscriber"


def export_personal_data(
    reading: Session, address: str, *, key: SuppressionKey, now: datetime
) -> dict[str, Any]:
    """Everything known about whoever has ``address``, as JSON can hold it: a person's own row under
    ``subscriber``, then each table that belongs to them under its name, its rows in the order they came.

    ``tables`` says in a sentence what each is. ``suppression`` is why the address must not get mail, None if
    it may; ``lifted_suppressions`` are those that a person took back. Writes nothing.

    Raises:
        SubscriberError: it is no address, or nobody on the list has it.
    """
    person = find_subscriber(reading, address)
    suppression = read_suppression(reading, key, person.email)
    tables = list(list_personal_tables())
    rows = {table.name: _read_rows(reading, table, person.id or 0) for table in tables}
    own = rows.pop(_SUBSCRIBER_TABLE)[0]
    return {
        "written_at": _to_json_value(now),
        "subscriber": own,
        "suppression": suppression
        and {"reason": suppression.reason.value, "at": _to_json_value(suppression.at)},
        "lifted_suppressions": [
            _describe_lifted(one) for one in list_lifted_suppressions(reading, key, person.email)
        ],
        **{name: _add_campaign_names(reading, found) for name, found in rows.items()},
        "tables": {table.name: _describe_table(table) for table in tables},
    }


def list_personal_tables() -> Iterator[Table]:
    """The tables whose rows belong to a person, the subscriber's own first."""
    for table in SQLModel.metadata.sorted_tables:
        if _make_owner_condition(table, 0) is not None:
            yield table


def _make_owner_condition(table: Table, person: int) -> ColumnElement[bool] | None:
    """Whether a row is the person's, as a condition on ``table``; None where no row is anybody's."""
    if table.name == _SUBSCRIBER_TABLE:
        return table.c.id == person
    conditions: list[ColumnElement[bool]] = []
    for foreign_key in table.foreign_keys:
        target = foreign_key.column.table
        assert isinstance(target, Table)  # noqa: S101 - for the type checker
        theirs = None if target is table else _make_owner_condition(target, person)
        if theirs is None:
            continue
        if target.name == _SUBSCRIBER_TABLE:
            conditions.append(foreign_key.parent == person)
        else:
            conditions.append(foreign_key.parent.in_(select(foreign_key.column).where(theirs)))
    return or_(*conditions) if conditions else None


def _read_rows(reading: Session, table: Table, person: int) -> list[dict[str, Any]]:
    theirs = _make_owner_condition(table, person)
    assert theirs is not None  # noqa: S101 - the table is a personal one
    found = reading.connection().execute(table.select().where(theirs).order_by(*table.primary_key))
    return [{name: _to_json_value(value) for name, value in row._mapping.items()} for row in found]


def _describe_lifted(lifted: LiftedSuppression) -> dict[str, Any]:
    # The hash tells its owner nothing, and nothing here but the list's own key reads it.
    return {name: _to_json_value(value) for name, value in lifted if name not in {"id", "digest"}}


def _add_campaign_names(reading: Session, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """``rows`` with the edition's name and title beside the number of a campaign, which tells a reader
    nothing."""
    numbers = {row["campaign_id"] for row in rows if row.get("campaign_id") is not None}
    named = select(Campaign.id, Campaign.edition, Campaign.title).where(col(Campaign.id).in_(numbers))
    campaigns = {number: (edition, title) for number, edition, title in reading.exec(named)}
    return [
        row | dict(zip(("edition", "title"), campaigns[row["campaign_id"]], strict=True))
        if row.get("campaign_id") in campaigns
        else row
        for row in rows
    ]


def _describe_table(table: Table) -> str:
    """What a table holds: the first paragraph of its model's own words."""
    for mapper in Subscriber._sa_registry.mappers:
        if mapper.local_table is table:
            first, _, _ = (mapper.class_.__doc__ or "").strip().partition("\n\n")
            return " ".join(first.replace("``", "").split())
    return ""


def _to_json_value(value: Any) -> Any:
    match value:
        case datetime():
            return value.isoformat().replace("+00:00", "Z")
        case date():
            return value.isoformat()
        case Enum():
            return value.value
        case bytes():
            return value.hex()
        case _:
            return value
