"""What servers refuse while a campaign is sent, recorded with what comes back later."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import update
from sqlmodel import col

from mailer.database.feedback_models import Consequence, Evidence, FeedbackState
from mailer.database.models import Campaign, CampaignState, Delivery, DeliveryState
from mailer.dispatch.dead_addresses import mark_dead_addresses
from mailer.feedback.context import FeedbackContext
from mailer.feedback.refusals import RefusalWatch, record_refusals
from mailer.privacy.retention import prune
from mailer.reasons.reason import Reason
from mailer.settings import RetentionSettings
from tests.factories.campaigns import with_settings
from tests.factories.feedback import (
    add_sent_campaign,
    read_events,
    read_messages,
    read_records,
    read_statuses,
    send_again,
)

DEAD = (550, "5.1.1 <reader0@example.org>: no such user")
FULL = (552, "5.2.2 <reader1@example.org>: mailbox full")
BLOCKED = (554, "5.7.1 Service unavailable; client host [192.0.2.1] blocked using a block list")


@pytest.fixture
def ended(context: FeedbackContext, campaign: int, now: datetime) -> int:
    """The campaign, finished an hour ago."""
    end_campaign(context, campaign, now)
    return campaign


def end_campaign(context: FeedbackContext, campaign: int, now: datetime, **values: object) -> None:
    ended = {"state": CampaignState.finished, "finished_at": now - timedelta(hours=1), **values}
    with context.engine.begin() as connection:
        connection.execute(update(Campaign).where(col(Campaign.id) == campaign).values(**ended))


def refuse(
    context: FeedbackContext,
    campaign: int,
    people: dict[int, tuple[int, str]],
    state: DeliveryState = DeliveryState.rejected,
) -> None:
    with context.engine.begin() as connection:
        for person, (code, words) in people.items():
            theirs = (col(Delivery.campaign_id) == campaign, col(Delivery.subscriber_id) == person)
            values = {"state": state, "code": code, "reason": words, "attempts": 1}
            connection.execute(update(Delivery).where(*theirs).values(**values))


def test_each_refusal_is_recorded_once_with_its_reason_and_what_was_done(
    context: FeedbackContext, ended: int, now: datetime
) -> None:
    refuse(context, ended, {1: DEAD, 2: FULL, 3: BLOCKED})
    key = context.workspace.keys.suppression
    assert mark_dead_addresses(context.engine, ended, key, halt_at_rejected=0.1) == 1
    watch = RefusalWatch(context, clock=lambda _: now)
    assert watch.look() == 3
    assert watch.look() == 0
    assert record_refusals(context, ended, now=now) == 0
    assert [
        (event.subscriber_id, event.campaign_id, event.reason, event.code, event.status, event.consequence)
        for event in read_events(context.engine)
    ] == [
        (1, ended, Reason.no_such_user, "550", "5.1.1", Consequence.bounced),
        (2, ended, Reason.full, "552", "5.2.2", Consequence.recorded),
        (3, ended, Reason.blocked, "554", "5.7.1", Consequence.alarm),
    ]
    assert {event.evidence for event in read_events(context.engine)} == {Evidence.refusal}
    assert {message.source for message in read_messages(context.engine)} == {"sending"}
    # The end of sending had marked the dead address; it is not marked twice.
    assert len(read_records(context.engine)) == 1
    assert list(read_statuses(context.engine).values()).count("bounced") == 1


def test_nothing_is_recorded_before_the_refusals_are_final(
    context: FeedbackContext, campaign: int, now: datetime
) -> None:
    refuse(context, campaign, {2: FULL})
    end_campaign(context, campaign, now, state=CampaignState.sending, finished_at=None)
    watch = RefusalWatch(context, clock=lambda _: now)
    assert (watch.look(), record_refusals(context, campaign, now=now)) == (0, 0)
    # Those of a campaign that ended long ago were recorded long ago, or never.
    end_campaign(context, campaign, now, finished_at=now - timedelta(days=31))
    assert watch.look() == 0
    end_campaign(context, campaign, now)
    assert watch.look() == 1
    # Once resumed, it ends again, with others.
    refuse(context, campaign, {3: FULL})
    assert watch.look() == 0
    end_campaign(context, campaign, now, finished_at=now)
    assert watch.look() == 1


def test_a_dead_address_that_sending_did_not_believe_is_not_believed_here(
    context: FeedbackContext, ended: int, now: datetime
) -> None:
    refuse(context, ended, dict.fromkeys((1, 2, 3, 4), (550, "5.1.1 no such user")))
    key = context.workspace.keys.suppression
    assert mark_dead_addresses(context.engine, ended, key, halt_at_rejected=0.1) == 0
    assert record_refusals(context, ended, now=now) == 4
    assert set(read_statuses(context.engine).values()) == {"active"}
    assert {event.consequence for event in read_events(context.engine)} == {Consequence.recorded}


def test_a_relay_that_refuses_everybody_says_nothing_about_its_readers_and_raises_an_alarm(
    context: FeedbackContext, ended: int, now: datetime
) -> None:
    # Our own rules would call these words dead, the rules of sending would not.
    vague = (550, "5.7.1 this person is unknown here, no such user")
    refuse(context, ended, {1: vague, 2: vague, 3: vague, 4: vague, 5: BLOCKED})
    record_refusals(context, ended, now=now)
    assert set(read_statuses(context.engine).values()) == {"active"}
    assert [event.consequence for event in read_events(context.engine)].count(Consequence.alarm) >= 1
    assert {message.state for message in read_messages(context.engine)} == {FeedbackState.recorded}


def test_refusals_of_a_full_mailbox_count_together_until_it_gets_no_more_mail(
    context: FeedbackContext, now: datetime
) -> None:
    add_sent_campaign(context.engine, 5, at=now - timedelta(days=200))
    for weeks in range(8, 0, -1):
        at = now - timedelta(weeks=weeks)
        number = send_again(context.engine, [1, 2], at=at)
        refuse(context, number, {2: FULL})
        if weeks == 4:
            # We gave up on one that was deferred: the same mailbox, the same reason.
            gave_up = (452, "gave up after 9 attempts: 4.2.2 mailbox full")
            refuse(context, number, {2: gave_up}, state=DeliveryState.failed)
        end_campaign(context, number, now)
        record_refusals(context, number, now=at)
        # Five refusals at first, over 28 days; the sixth is the first after thirty.
        expected = "bounced" if weeks <= 3 else "active"
        assert read_statuses(context.engine)[2] == expected, weeks
    assert read_statuses(context.engine)[1] == "active"
    assert {event.reason for event in read_events(context.engine)} == {Reason.full}


def test_the_words_of_a_refusal_go_when_those_of_the_ledger_do(
    context: FeedbackContext, ended: int, now: datetime
) -> None:
    refuse(context, ended, {2: FULL})
    record_refusals(context, ended, now=now)
    workspace = with_settings(context.workspace, retention=RetentionSettings(reply_months=6))
    prune(workspace, context.engine, now=now + timedelta(days=100), on_person=lambda: None)
    assert "full" in read_events(context.engine)[0].words
    prune(workspace, context.engine, now=now + timedelta(days=200), on_person=lambda: None)
    (event,) = read_events(context.engine)
    assert (event.words, event.address, event.reason) == ("", "", Reason.full)
