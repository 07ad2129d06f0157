"""What somebody did is written down with the act, and nobody can change or delete it later."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session, select

from mailer.activity.acts import Act
from mailer.activity.deeds import Deed
from mailer.activity.record import Actor, record_activity
from mailer.database.secure_delete import MASK, mask_addresses
from mailer.database.team_models import ActivityRecord, Role
from mailer.privacy.address_search import make_address_matcher
from mailer.team.members import add_member

MEI = Actor.from_command_line("mei")


def record(engine: Engine, now: datetime, **values: str) -> None:
    with Session(engine) as session:
        record_activity(session, MEI, Deed(act=Act.edited_subscriber, **values), now=now)  # type: ignore[arg-type]
        session.commit()


def read(engine: Engine) -> list[ActivityRecord]:
    with Session(engine) as session:
        return list(session.exec(select(ActivityRecord).order_by(text("id"))))


def test_a_record_says_who_did_what_to_what_and_when(session: Session, now: datetime) -> None:
    ann = add_member(session, "ann@example.org", "Ann Author", Role.author, now=now)
    actor = Actor.from_member(ann)
    record_activity(session, actor, Deed(act=Act.created_edition, edition="2026-1", detail="blank"), now=now)
    record_activity(session, MEI, Deed(act=Act.paused_campaign, subject="7"), now=now)
    session.commit()
    first, second = session.exec(select(ActivityRecord).order_by(text("id"))).all()
    assert (first.member_id, first.name, first.act, first.edition) == (
        ann.id,
        "Ann Author",
        "created_edition",
        "2026-1",
    )
    assert (first.at, first.detail) == (now, "blank")
    assert (second.member_id, second.name, second.subject) == (None, "mei", "7")


def test_an_act_that_is_rolled_back_leaves_no_record(engine: Engine, now: datetime) -> None:
    with Session(engine) as session:
        record_activity(session, MEI, Deed(act=Act.rotated_keys), now=now)
        session.rollback()
    assert read(engine) == []


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM activity_record",
        "UPDATE activity_record SET name = 'somebody else'",
        "UPDATE activity_record SET detail = ''",
        "UPDATE activity_record SET at = '2020-01-01 00:00:00+00:00'",
        "UPDATE activity_record SET member_id = 1",
        "UPDATE activity_record SET id = 77",
        "UPDATE activity_record SET subject = '<…> and more'",
        "INSERT OR REPLACE INTO activity_record VALUES (1, '2020-01-01', NULL, 'x', 'y', '', '', '')",
        "TRUNCATE activity_record",
    ],
)
def test_no_statement_changes_or_deletes_a_record(engine: Engine, now: datetime, statement: str) -> None:
    record(engine, now, subject="kim@example.org", detail="by letter")
    before = [one.model_dump() for one in read(engine)]
    with Session(engine) as session:
        add_member(session, "ann@example.org", "Ann", Role.guest, now=now)
        session.commit()
    with engine.connect() as connection, pytest.raises(DBAPIError):
        connection.execute(text(statement))
    assert [one.model_dump() for one in read(engine)] == before


def test_an_erased_address_is_masked_with_the_whole_text(engine: Engine, now: datetime) -> None:
    record(engine, now, subject="kim@example.org", detail="Kim, KIM@example.org, by telephone")
    record(engine, now, subject="joakim@example.org", detail="by letter")
    matcher = make_address_matcher("kim@example.org")
    with engine.begin() as connection:
        assert mask_addresses(connection, matcher.text_pattern, matcher.spellings) == 2
    kim, joakim = read(engine)
    assert (kim.subject, kim.detail, kim.name) == (MASK, MASK, "mei")
    assert (joakim.subject, joakim.detail) == ("joakim@example.org", "by letter")


@given(words=st.text(st.characters(), max_size=1500))
def test_any_text_becomes_one_line_that_both_databases_keep(words: str) -> None:
    with Session() as session:
        record_activity(
            session,
            Actor(name=words),
            Deed(act=Act.sent_test, edition=words, subject=words, detail=words),
            now=datetime(2026, 3, 1, tzinfo=UTC),
        )
        (row,) = session.new
        assert isinstance(row, ActivityRecord)
        for said, length in ((row.name, 200), (row.edition, 200), (row.subject, 400), (row.detail, 1000)):
            assert len(said) <= length
            assert said == " ".join(said.split())
            assert not any(ord(sign) < 32 or 0xD800 <= ord(sign) < 0xE000 for sign in said)


def test_texts_that_are_hard_to_store_are_stored(engine: Engine, now: datetime) -> None:
    record(engine, now, subject="a\0b\udcff\nc", detail="界" * 5000)
    (row,) = read(engine)
    assert row.subject == "a b? c"
    assert len(row.detail) == 1000


def test_every_act_has_words() -> None:
    assert all(act.words for act in Act)
    assert all(act.value == act.name for act in Act)
