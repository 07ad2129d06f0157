"""Comments, replies, mentions: said once, changed only by who wrote them, and lost by nobody."""

import threading
import time
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine, text
from sqlmodel import Session, select

from mailer.comments.mentions import TextPart, divide_text, find_mentioned, list_mentions, mark_read
from mailer.comments.thread_list import Anchor, count_open_comments, list_commented_stories
from mailer.comments.threads import (
    CommentError,
    CommentGoneError,
    begin_thread,
    delete_comment,
    edit_comment,
    reopen_thread,
    resolve_thread,
)
from mailer.database.edition_models import Comment, CommentMention, CommentThread
from mailer.database.engine import open_engine
from mailer.database.team_models import ActivityRecord
from mailer.team.members import Member
from tests.comments.conftest import EDITION, STORY, Office, open_office

ANCHOR = Anchor(quote="sixty teachers", block_digest="d" * 64, block=3)


def test_a_thread_shows_who_said_what_about_which_passage(office: Office) -> None:
    thread = office.comment(office.ann, "  Is it sixty?\r\nSure?  ", anchor=ANCHOR)
    office.reply(office.bo, thread, "I counted.")
    [shown] = office.threads()
    assert (shown.id, shown.anchor, shown.row.title) == (thread, ANCHOR, "Water for all")
    assert [(shown.names[one.member_id], one.text) for one in shown.comments] == [
        ("Ann Author", "Is it sixty?\nSure?"),
        ("Bo", "I counted."),
    ]
    assert office.threads("other") == []


def test_a_comment_that_is_sent_twice_is_there_once(office: Office) -> None:
    first = office.comment(office.ann, "Once.", request="same")
    assert office.comment(office.ann, "Once.", request="same") == first
    office.reply(office.bo, first, "Yes.", request="other")
    office.reply(office.bo, first, "Yes.", request="other")
    [shown] = office.threads()
    assert [one.text for one in shown.comments] == ["Once.", "Yes."]


def test_a_comment_sent_twice_at_the_same_moment_is_there_once(
    postgres_database: str, tmp_path: Path, now: datetime
) -> None:
    engine = open_engine(postgres_database, root=tmp_path, durable=False)
    with Session(engine) as session:
        office = open_office(session, now)
    found: list[int] = []

    def send_again() -> None:
        with Session(engine) as other:
            found.append(begin_thread(other, office.ann, "Once.", **STORY, request="same", now=now))
            other.commit()

    with Session(engine) as one:
        first = begin_thread(one, office.ann, "Once.", **STORY, request="same", now=now)
        second = threading.Thread(target=send_again)
        second.start()
        await_blocked(engine)
        one.commit()
    second.join()
    assert found == [first]
    with Session(engine) as session:
        assert len(session.exec(select(CommentThread)).all()) == 1
    engine.dispose()


def await_blocked(engine: Engine) -> None:
    """Wait until a statement waits for another's transaction."""
    deadline = time.monotonic() + 30
    with engine.connect() as watching:
        while not watching.execute(text("SELECT count(*) FROM pg_locks WHERE NOT granted")).scalar():
            assert time.monotonic() < deadline
            watching.rollback()
            time.sleep(0.01)


@pytest.mark.parametrize("words", ["", "  \n\t ", "x" * 5001, "\x00\u202e"])
def test_an_empty_or_endless_comment_is_refused(sqlite_office: Office, words: str) -> None:
    with pytest.raises(CommentError):
        sqlite_office.comment(sqlite_office.ann, words)
    assert sqlite_office.threads() == []


def test_control_characters_are_left_out(office: Office) -> None:
    office.comment(office.ann, "a\x00b\x1b[31m\u202ec")
    assert office.threads()[0].comments[0].text == "ab[31mc"


def test_only_who_wrote_a_comment_may_change_or_delete_it(office: Office) -> None:
    office.comment(office.ann, "Mine.")
    mine = office.threads()[0].comments[0].id
    with pytest.raises(CommentError):
        edit_comment(office.session, office.mei, mine, "Not mine.", now=office.now)
    with pytest.raises(CommentError):
        delete_comment(office.session, office.mei, mine, now=office.now)
    edit_comment(office.session, office.ann, mine, "Better.", now=office.now)
    [comment] = office.threads()[0].comments
    assert (comment.text, comment.edited_at) == ("Better.", office.now)


def test_a_deleted_comment_keeps_its_place_only_where_others_have_replied(office: Office) -> None:
    thread = office.comment(office.ann, "First.")
    office.reply(office.bo, thread, "Second.")
    first, second = office.threads()[0].comments
    delete_comment(office.session, office.ann, first.id, now=office.now)
    shown = office.threads()[0].comments
    assert [(one.text, one.deleted_at) for one in shown] == [("", office.now), ("Second.", None)]
    assert office.session.get_one(Comment, first.id).text == ""
    delete_comment(office.session, office.ann, first.id, now=office.now)
    delete_comment(office.session, office.bo, second.id, now=office.now)
    assert office.threads() == []
    assert office.session.exec(select(CommentThread)).all() == []
    with pytest.raises(CommentGoneError):
        office.reply(office.ann, thread, "Too late.")
    with pytest.raises(CommentGoneError):
        edit_comment(office.session, office.ann, first.id, "Too late.", now=office.now)


def test_a_thread_is_resolved_and_reopened_by_hand_and_by_a_reply(office: Office) -> None:
    thread = office.comment(office.ann, "Check this.")
    resolve_thread(office.session, office.mei, thread, now=office.now)
    resolve_thread(office.session, office.bo, thread, now=office.now)
    [shown] = office.threads()
    assert (shown.row.resolved_by, shown.row.resolved_at) == (office.mei.id, office.now)
    assert shown.names[office.mei.id] == "Mei Lin 林"
    reopen_thread(office.session, office.bo, thread, now=office.now)
    assert office.threads()[0].row.resolved_at is None
    resolve_thread(office.session, office.mei, thread, now=office.now)
    office.reply(office.bo, thread, "Not yet.")
    assert office.threads()[0].row.resolved_at is None


def test_open_threads_are_counted_by_story_and_those_of_removed_stories_stay(office: Office) -> None:
    letter = {"edition": EDITION, "story": "", "title": "Dear partners"}
    other = {"edition": "2026-2", "story": "water", "title": ""}
    office.comment(office.ann, "One.")
    done = office.comment(office.ann, "Two.")
    office.comment(office.ann, "Three.", **letter)
    office.comment(office.ann, "Elsewhere.", **other)
    resolve_thread(office.session, office.ann, done, now=office.now)
    assert count_open_comments(office.session, EDITION) == {"water": 1, "": 1}
    stories = list_commented_stories(office.session, EDITION)
    assert [(one.story, one.title, one.open, one.resolved) for one in stories] == [
        ("", "Dear partners", 1, 0),
        ("water", "Water for all", 1, 1),
    ]


MEMBERS = [
    Member(id=number, email=f"{number}@example.org", name=name, role=None)  # type: ignore[arg-type]
    for number, name in enumerate(["Ann", "Ann Author", "李雷", "O'Brien (press)", "Ann"], start=1)
]


@pytest.mark.parametrize(
    ("words", "mentioned"),
    [
        ("@Ann Author, look", {2}),
        ("@ann look", {1, 5}),
        ("请@李雷看", set()),
        ("请 @李雷 看", {3}),
        ("(@O'Brien (press))", {4}),
        ("ann@ann.org and @@Ann", set()),
        ("@Anna is another", set()),
        ("Ann Author", set()),
        ("@Ann\n@李雷", {1, 5, 3}),
    ],
)
def test_names_after_an_at_sign_are_mentions(words: str, mentioned: set[int]) -> None:
    assert find_mentioned(words, MEMBERS) == mentioned


def test_a_text_is_divided_at_its_mentions_and_nothing_is_lost() -> None:
    parts = divide_text("Hi @Bo, and @BO.", ["Bo"])
    assert [part.text for part in parts if part.is_mention] == ["@Bo", "@BO"]
    assert "".join(part.text for part in parts) == "Hi @Bo, and @BO."
    assert divide_text("Hi", []) == [TextPart(text="Hi")]
    assert divide_text("", ["Bo"]) == []


def waiting_for(office: Office, member: Member) -> list[str]:
    office.session.flush()
    return [comment.text for _, comment, _ in list_mentions(office.session, member)]


def test_a_mention_waits_until_it_is_read_answered_or_resolved(office: Office) -> None:
    read = office.comment(office.ann, "@Bo read this")
    answered = office.comment(office.ann, "Answer this", mentioned=[office.bo.id, 999])
    resolved = office.comment(office.ann, "@bo resolve this")
    office.comment(office.bo, "@Bo to myself")
    assert waiting_for(office, office.bo) == ["@bo resolve this", "Answer this", "@Bo read this"]
    assert waiting_for(office, office.ann) == []
    mark_read(office.session, read, office.bo.id, now=office.now)
    assert waiting_for(office, office.bo) == ["@bo resolve this", "Answer this"]
    office.reply(office.bo, answered, "Done.")
    resolve_thread(office.session, office.ann, resolved, now=office.now)
    assert waiting_for(office, office.bo) == []
    reopen_thread(office.session, office.ann, resolved, now=office.now)
    assert waiting_for(office, office.bo) == ["@bo resolve this"]


def test_an_edited_comment_mentions_whom_it_names_now(office: Office) -> None:
    office.comment(office.ann, "@Bo look")
    mine = office.threads()[0].comments[0].id
    edit_comment(office.session, office.ann, mine, "@Mei Lin 林 look", now=office.now)
    assert waiting_for(office, office.bo) == []
    assert waiting_for(office, office.mei) == ["@Mei Lin 林 look"]
    delete_comment(office.session, office.ann, mine, now=office.now)
    assert waiting_for(office, office.mei) == []
    assert office.session.exec(select(CommentMention)).all() == []


def test_the_log_says_who_commented_and_not_what(office: Office) -> None:
    thread = office.comment(office.ann, "A secret opinion")
    office.reply(office.bo, thread, "Another")
    resolve_thread(office.session, office.mei, thread, now=office.now)
    office.session.flush()
    records = office.session.exec(select(ActivityRecord)).all()
    assert [(one.name, one.act, one.edition, one.subject, one.detail) for one in records] == [
        ("Ann Author", "commented", EDITION, "water", ""),
        ("Bo", "commented", EDITION, "water", ""),
        ("Mei Lin 林", "resolved_comment", EDITION, "water", ""),
    ]
