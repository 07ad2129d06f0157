"""Whatever comes back, in whatever order and however often, has one result."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, delete, text
from sqlmodel import Session

from mailer.database.feedback_models import FeedbackEvent, FeedbackMessage
from mailer.database.models import Campaign, Delivery
from mailer.feedback.context import FeedbackContext
from mailer.feedback.incoming_message import IncomingMessage
from mailer.reasons.reason import Reason
from mailer.workspace import Workspace
from subscribers.models import Subscriber, Suppression
from subscribers.tokens import LinkPurpose
from tests.factories.feedback import (
    BOUNCE_ADDRESS,
    add_sent_campaign,
    bring,
    make_bounce,
    make_complaint,
    make_leave,
    read_events,
    read_records,
    read_statuses,
    send_again,
    set_feedback,
    sign,
)

WEEKS = 7
PEOPLE = (1, 2)
BOUNCES = ("dead", "full", "suspended", "late", "blocked", "forged leave", "spoofed")
KINDS = (*BOUNCES, "leave", "complaint")
Event = tuple[str, int, int]
"""A kind, a reader and the number of a campaign."""
FEW = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def context(workspace: Workspace) -> Iterator[FeedbackContext]:
    workspace = set_feedback(workspace, bounce_address=BOUNCE_ADDRESS)
    engine = workspace.open_database(durable=False)
    yield FeedbackContext(workspace=workspace, engine=engine)
    engine.dispose()


def make(context: FeedbackContext, kind: str, person: int, campaign: int) -> IncomingMessage:
    token = sign(context.workspace, person, campaign)
    match kind:
        case "leave":
            return make_leave(sign(context.workspace, person, campaign, LinkPurpose.leave))
        case "forged leave":
            return make_leave(token)
        case "complaint":
            return make_complaint(token=token)
        case "spoofed":
            return make_bounce(address=f"reader{person - 1}@example.org")
        case "late":
            return make_bounce(token, action="delayed")
    reasons = {"dead": Reason.no_such_user, "full": Reason.full, "suspended": Reason.suspended}
    return make_bounce(token, reason=reasons.get(kind, Reason.blocked))


def empty(engine: Engine) -> None:
    """Forget everything, as though the program were new: numbers begin at 1 again."""
    with Session(engine) as session:
        for table in (FeedbackEvent, FeedbackMessage, Delivery, Campaign, Subscriber, Suppression):
            session.exec(delete(table))
        session.execute(text("DELETE FROM sqlite_sequence"))
        session.commit()


def play(context: FeedbackContext, events: list[Event], now: datetime) -> dict[int, str]:
    """Send a campaign a week to both readers, let ``events`` come back, and return the statuses."""
    empty(context.engine)
    add_sent_campaign(context.engine, len(PEOPLE), at=now - timedelta(weeks=WEEKS), audience=1000)
    for week in range(1, WEEKS):
        # Two of a thousand may be dead; two of two would be held for a person.
        send_again(context.engine, list(PEOPLE), at=now - timedelta(weeks=WEEKS - week), audience=1000)
    for kind, person, campaign in events:
        bring(context, make(context, kind, person, campaign), now=now)
    return read_statuses(context.engine)


@st.composite
def orders(draw: st.DrawFn) -> tuple[list[Event], list[Event]]:
    """Events in one order, and the same in another with some of them more than once."""
    kind, person = draw(st.sampled_from(("full", "dead", "suspended"))), draw(st.sampled_from(PEOPLE))
    run = [(kind, person, week) for week in range(1, draw(st.integers(1, WEEKS)) + 1)]
    any_event = st.tuples(st.sampled_from(BOUNCES), st.sampled_from(PEOPLE), st.integers(1, WEEKS))
    events = [*run, *draw(st.lists(any_event, max_size=6))]
    again = draw(st.lists(st.sampled_from(events), max_size=4))
    return events, draw(st.permutations([*events, *again]))


@FEW
@given(both=orders())
def test_the_order_of_bounces_and_their_repetition_change_nothing(
    context: FeedbackContext, now: datetime, both: tuple[list[Event], list[Event]]
) -> None:
    events, shuffled = both
    first = play(context, events, now)
    assert play(context, shuffled, now) == first
    # A spoofed bounce does not know which message it answers, and a forged token names nobody.
    counted = {one if one[0] != "spoofed" else one[:2] for one in events if one[0] != "forged leave"}
    assert len(read_events(context.engine)) == len(counted)
    for person in PEOPLE:
        kinds = {kind for kind, one, _ in events if one == person}
        if "dead" in kinds:
            assert first[person] == "bounced"
        if not kinds & {"dead", "full", "suspended"}:
            assert first[person] == "active"
    assert len(read_records(context.engine)) == list(first.values()).count("bounced")


@FEW
@given(events=st.lists(st.tuples(st.sampled_from(KINDS), st.sampled_from(PEOPLE), st.integers(1, WEEKS))))
def test_whoever_left_or_complained_is_gone_whatever_else_comes_and_nobody_else_is(
    context: FeedbackContext, now: datetime, events: list[Event]
) -> None:
    statuses = play(context, events, now)
    for person in PEOPLE:
        kinds = {kind for kind, one, _ in events if one == person}
        if kinds & {"leave", "complaint", "dead"}:
            assert statuses[person] in {"unsubscribed", "complained", "bounced"}
        elif not kinds & {"full", "suspended"}:
            assert statuses[person] == "active"
