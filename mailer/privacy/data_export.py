"""Exporting all data about a person, for them (GDPR, Art. 15 and 20; PIPL, Art. 45).

Foreign keys decide what belongs to a person: a row that refers to the subscriber, or to a row that does. So a
table added later is exported without a change here. Tests go to addresses that need not be on the list, so
theirs are found by the address.
"""

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from enum import Enum
from typing import Any

from sqlalchemy import ColumnElement, Table, or_
from sqlmodel import Session, SQLModel, col, select

from mailer.database.approval_models import ApprovalAnswer, ApprovalReviewer, ApprovalRound
from mailer.database.edition_models import Comment, CommentThread
from mailer.database.models import Campaign, CampaignContent, SentTest
from mailer.database.team_models import ActivityRecord, TeamMember
from mailer.privacy.address_search import make_address_matcher
from mailer.privacy.feedback_data import list_messages
from mailer.rendering.body.variants import StoryFacts, decode_stories
from mailer.rendering.compiled_edition import CompiledEdition, CompiledVersionError
from mailer.utc import format_iso
from subscribers.consent.suppression import SuppressionKey, list_lifted_suppressions, read_suppression
from subscribers.models import Subscriber
from subscribers.queries import find_kept_subscriber, find_subscriber, list_merged_subscribers

_SUBSCRIBER_TABLE = "subscriber"


def export_personal_data(
    session: Session, address: str, *, key: SuppressionKey, now: datetime
) -> dict[str, Any]:
    """Return all data about the person with ``address``, as JSON values.

    Their own row is under ``subscriber``, and ``merged`` has those of other addresses of theirs that were
    merged with it. The rows of each table that belong to them are under its name, in primary key order;
    ``tables`` describes each table in a sentence. Writes nothing. Raise SubscriberError if the address is
    invalid or not on the list.
    """
    person = find_kept_subscriber(session, find_subscriber(session, address))
    people = [person, *list_merged_subscribers(session, person.id or 0)]
    numbers = [one.id or 0 for one in people]
    suppression = read_suppression(session, key, person.email)
    tables = list(list_personal_tables())
    rows = {table.name: _read_rows(session, table, numbers) for table in tables}
    everybody = {row["id"]: row for row in rows.pop(_SUBSCRIBER_TABLE)}
    own = everybody.pop(person.id)
    return {
        "written_at": _to_json_value(now),
        "subscriber": own,
        "merged": list(everybody.values()),
        "suppression": suppression
        and {"reason": suppression.reason.value, "at": _to_json_value(suppression.at)},
        "lifted_suppressions": [
            # Without the digest: it tells its owner nothing, and only our own key can read it.
            {name: _to_json_value(value) for name, value in lifted if name not in {"id", "digest"}}
            for one in people
            for lifted in list_lifted_suppressions(session, key, one.email)
        ],
        "tests": [test for one in people for test in _read_tests(session, one.email)],
        "messages": [
            {name: _to_json_value(value) for name, value in message.items()}
            for one in people
            for message in list_messages(session, one)
        ],
        "activity": [line for one in people for line in _read_activity(session, one.email)],
        "comments": [comment for one in people for comment in _read_comments(session, one.email)],
        "approvals": [asked for one in people for asked in _read_approvals(session, one.email)],
        **{name: _name_stories(session, _add_campaign_names(session, found)) for name, found in rows.items()},
        "tables": {table.name: _describe_table(table) for table in tables},
    }


def list_personal_tables() -> Iterator[Table]:
    """Yield the tables whose rows belong to a person, the subscriber's own first."""
    for table in SQLModel.metadata.sorted_tables:
        if _make_owner_condition(table, [0]) is not None:
            yield table


def _make_owner_condition(table: Table, numbers: Sequence[int]) -> ColumnElement[bool] | None:
    """Make the condition that a row of ``table`` belongs to the person who has these ``numbers`` as a
    subscriber; None if no row belongs to anyone."""
    if table.name == _SUBSCRIBER_TABLE:
        return table.c.id.in_(numbers)
    conditions: list[ColumnElement[bool]] = []
    for foreign_key in table.foreign_keys:
        target = foreign_key.column.table
        assert isinstance(target, Table)  # noqa: S101 - for the type checker
        theirs = None if target is table else _make_owner_condition(target, numbers)
        if theirs is None:
            continue
        if target.name == _SUBSCRIBER_TABLE:
            conditions.append(foreign_key.parent.in_(numbers))
        else:
            conditions.append(foreign_key.parent.in_(select(foreign_key.column).where(theirs)))
    return or_(*conditions) if conditions else None


def _read_rows(session: Session, table: Table, numbers: Sequence[int]) -> list[dict[str, Any]]:
    theirs = _make_owner_condition(table, numbers)
    assert theirs is not None  # noqa: S101 - the table is a personal one
    found = session.connection().execute(table.select().where(theirs).order_by(*table.primary_key))
    return [{name: _to_json_value(value) for name, value in row._mapping.items()} for row in found]


def _read_tests(session: Session, email: str) -> list[dict[str, Any]]:
    sent = session.exec(select(SentTest).where(SentTest.address == email).order_by(col(SentTest.id)))
    return [{name: _to_json_value(value) for name, value in test} for test in sent]


def _read_activity(session: Session, email: str) -> list[dict[str, Any]]:
    """Return what the team did with the address. Who of the team did it is not the person's own data."""
    texts = (ActivityRecord.subject, ActivityRecord.detail)
    quotes_it = or_(*(col(text).icontains(email, autoescape=True) for text in texts))
    pattern = make_address_matcher(email).text_pattern
    found = session.exec(select(ActivityRecord).where(quotes_it).order_by(col(ActivityRecord.id)))
    return [
        {"at": _to_json_value(one.at), "act": one.act, "subject": one.subject, "detail": one.detail}
        for one in found
        if pattern.search(one.subject) or pattern.search(one.detail)
    ]


def _read_comments(session: Session, email: str) -> list[dict[str, Any]]:
    """Return what the team says of the address about a story, and what its owner says as one of the team."""
    names_it = or_(
        col(Comment.text).icontains(email, autoescape=True),
        col(CommentThread.quote).icontains(email, autoescape=True),
    )
    found = session.exec(
        select(Comment, CommentThread, TeamMember.email)
        .where(Comment.thread_id == CommentThread.id, Comment.member_id == TeamMember.id)
        .where(names_it | (col(TeamMember.email) == email))
        .order_by(col(Comment.id))
    )
    pattern = make_address_matcher(email).text_pattern
    return [
        {
            "at": _to_json_value(comment.created_at),
            "edition": thread.edition,
            "story": thread.story,
            "passage": thread.quote,
            "text": comment.text,
        }
        for comment, thread, author in found
        if author == email or pattern.search(comment.text) or pattern.search(thread.quote)
    ]


def _read_approvals(session: Session, email: str) -> list[dict[str, Any]]:
    """Return the approvals that the address was asked for, and what its owner answered."""
    found = session.exec(
        select(ApprovalReviewer, ApprovalRound, ApprovalAnswer)
        .where(ApprovalReviewer.email == email, ApprovalReviewer.round_id == ApprovalRound.id)
        .outerjoin(ApprovalAnswer, col(ApprovalAnswer.reviewer_id) == col(ApprovalReviewer.id))
        .order_by(col(ApprovalReviewer.id))
    )
    return [
        {
            "name": reviewer.name,
            "edition": asked.edition,
            "asked_at": _to_json_value(asked.asked_at),
            "answer": answer and answer.verdict.value,
            "words": answer.words if answer is not None else "",
            "answered_at": answer and _to_json_value(answer.answered_at),
        }
        for reviewer, asked, answer in found
    ]


def _add_campaign_names(session: Session, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Add the edition's name and title to rows with a campaign's number, which means nothing to a reader."""
    numbers = {row["campaign_id"] for row in rows if row.get("campaign_id") is not None}
    named = select(Campaign.id, Campaign.edition, Campaign.title).where(col(Campaign.id).in_(numbers))
    campaigns = {number: (edition, title) for number, edition, title in session.exec(named)}
    return [
        row | dict(zip(("edition", "title"), campaigns[row["campaign_id"]], strict=True))
        if row.get("campaign_id") in campaigns
        else row
        for row in rows
    ]


def _name_stories(session: Session, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Replace the ledger's number for the stories of a message by their names, which readers know."""
    numbers = {row["campaign_id"] for row in rows if row.get("stories")}
    if not numbers:
        return rows
    contents = select(CampaignContent.campaign_id, CampaignContent.body).join(
        Campaign, col(Campaign.id) == col(CampaignContent.campaign_id)
    )
    own = (col(Campaign.id).in_(numbers), col(CampaignContent.language) == col(Campaign.language))
    facts = {number: _read_stories(body) for number, body in session.exec(contents.where(*own))}
    return [
        row | {"stories": sorted(decode_stories(facts[row["campaign_id"]], row["stories"]))}
        if row.get("stories") and facts.get(row["campaign_id"])
        else row
        for row in rows
    ]


def _read_stories(body: bytes) -> tuple[StoryFacts, ...]:
    try:
        return CompiledEdition.from_bytes(body).stories
    except CompiledVersionError:
        # Sent by another version of the program: the number stays.
        return ()


def _describe_table(table: Table) -> str:
    """Describe a table with the first paragraph of its model's docstring."""
    for mapper in Subscriber._sa_registry.mappers:
        if mapper.local_table is table:
            first, _, _ = (mapper.class_.__doc__ or "").strip().partition("\n\n")
            return " ".join(first.replace("``", "").split())
    return ""


def _to_json_value(value: Any) -> Any:
    match value:
        case datetime():
            return format_iso(value)
        case date():
            return value.isoformat()
        case Enum():
            return value.value
        case bytes():
            return value.hex()
        case _:
            return value
