"""The messages that came back, page by page, and as somebody may safely look at them."""

from datetime import datetime

from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import insert
from sqlmodel import Session

from mailer.database.feedback_models import FeedbackKind, FeedbackMessage, FeedbackState
from mailer.feedback.context import FeedbackContext
from mailer.feedback.message_list import (
    PAGE_ROWS,
    find_next_held,
    list_messages,
    view_message,
)

_LOOKED_AT = 20_000


def add_messages(
    context: FeedbackContext, kind: FeedbackKind, number: int, at: datetime, state: FeedbackState
) -> None:
    fixed = {"received_at": at, "source": "", "kind": kind, "state": state, "sender": "", "subject": ""}
    more = {"size": 0, "note": "", "judgement": "", "judged_by": ""}
    rows = [{**fixed, **more, "fingerprint": f"{kind} {place}"} for place in range(number)]
    with context.engine.begin() as connection:
        connection.execute(insert(FeedbackMessage), rows)


def test_a_rare_message_is_found_behind_many_others_in_pages_that_each_look_at_a_part(
    context: FeedbackContext, now: datetime
) -> None:
    add_messages(context, FeedbackKind.reply, 1, now, FeedbackState.forwarded)
    add_messages(context, FeedbackKind.bounce, _LOOKED_AT + PAGE_ROWS, now, FeedbackState.recorded)
    with Session(context.engine) as session:
        first, older = list_messages(session, kind=FeedbackKind.reply)
        assert first == []
        assert older is not None
        second, older = list_messages(session, kind=FeedbackKind.reply, before=older)
        assert [one.kind for one in second] == [FeedbackKind.reply]
        assert older is None
        everything, older = list_messages(session)
        assert len(everything) == PAGE_ROWS
        assert older == everything[-1].id


def test_of_nothing_there_is_an_empty_page(context: FeedbackContext) -> None:
    with Session(context.engine) as session:
        assert list_messages(session, campaign_id=7)[1] is None
        assert find_next_held(session, 1) is None


def test_after_the_last_message_that_waits_comes_the_first(context: FeedbackContext, now: datetime) -> None:
    add_messages(context, FeedbackKind.other, 3, now, FeedbackState.held)
    with Session(context.engine) as session:
        assert [find_next_held(session, number) for number in (0, 1, 3)] == [1, 2, 1]


@given(st.binary(max_size=2000) | st.text(max_size=500).map(str.encode))
def test_any_bytes_can_be_looked_at(raw: bytes) -> None:
    shown = view_message(raw)
    assert "\0" not in shown.text
    assert all("\n" not in name for name, _ in shown.headers)


def test_what_a_message_brings_with_it_is_named_and_never_shown() -> None:
    raw = (
        b"From: a@example.org\nContent-Type: multipart/mixed; boundary=x\n\n--x\n"
        b"Content-Type: text/plain\n\nHello\n--x\nContent-Type: text/html; name=page.html\n\n<b>secret</b>\n"
        b'--x\nContent-Disposition: attachment; filename="=?utf-8?q?pl=C3=A4n.exe?="\n\nMZ\n--x--\n'
    )
    shown = view_message(raw)
    assert shown.text == "Hello"
    assert list(shown.attachments) == ["page.html", "plän.exe"]
    assert shown.headers == (("From", "a@example.org"),)
