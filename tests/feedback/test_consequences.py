"""What happens to whom because of what came back, on both databases."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlmodel import Session

from mailer.database.feedback_models import Consequence, Evidence, FeedbackKind, FeedbackState
from mailer.database.models import DeliveryState
from mailer.feedback.context import FeedbackContext
from mailer.feedback.incoming_message import IncomingMessage, OriginalMessage, ReportedRecipient
from mailer.feedback.review import judge
from mailer.reasons.reason import Reason
from mailer.rendering.mail_merge import message_id
from subscribers.consent.status_changes import add_consent_record, erase, resubscribe
from subscribers.consent.suppression import is_suppressed
from subscribers.models import ConsentEvent, Subscriber
from subscribers.tokens import LinkPurpose
from tests.factories.deliveries import read_deliveries
from tests.factories.feedback import (
    BOUNCE_ADDRESS,
    add_sent_campaign,
    bring,
    make_bounce,
    make_complaint,
    make_leave,
    read_events,
    read_messages,
    read_records,
    read_statuses,
    send_again,
    set_deliveries,
    set_feedback,
    sign,
)

ADDRESS = "reader0@example.org"


def test_an_address_that_is_dead_removes_its_reader_at_once_with_a_record_that_does_not_name_it(
    context: FeedbackContext, campaign: int, now: datetime
) -> None:
    token = sign(context.workspace, 1, campaign)
    receipt = bring(context, make_bounce(token, address=ADDRESS), now=now)
    assert (receipt.is_new, receipt.state) == (True, FeedbackState.recorded)
    assert read_statuses(context.engine) == {1: "bounced"} | dict.fromkeys((2, 3, 4, 5), "active")
    assert read_records(context.engine) == [(1, "bounced", "bounce", "550 5.1.1 no_such_user")]
    (event,) = read_events(context.engine)
    assert (event.subscriber_id, event.campaign_id, event.evidence) == (1, campaign, Evidence.token)
    assert (event.consequence, event.address) == (Consequence.bounced, ADDRESS)
    with Session(context.engine) as session:
        assert is_suppressed(session, context.workspace.keys.suppression, ADDRESS)


def test_the_same_message_counts_once_whatever_brings_it(
    context: FeedbackContext, campaign: int, now: datetime
) -> None:
    bounce = make_bounce(sign(context.workspace, 1, campaign))
    first = bring(context, bounce, now=now)
    again = bring(context, bounce, now=now + timedelta(hours=1))
    assert (again.number, again.is_new) == (first.number, False)
    assert len(read_events(context.engine)) == len(read_records(context.engine)) == 1


def test_what_is_late_or_has_arrived_or_has_another_reason_removes_nobody(
    context: FeedbackContext, campaign: int, now: datetime
) -> None:
    token = sign(context.workspace, 1, campaign)
    for action in ("delayed", "delivered", "relayed", "expanded"):
        bring(context, make_bounce(token, action=action), now=now)
    assert {event.consequence for event in read_events(context.engine)} == {Consequence.recorded}
    for reason in [reason for reason in Reason if not reason.is_dead]:
        bring(context, make_bounce(token, reason=reason), now=now)
        # What a server says about us raises an alarm.
        expected = Consequence.alarm if reason.concerns_us else Consequence.recorded
        assert read_events(context.engine)[-1].consequence is expected
    assert set(read_statuses(context.engine).values()) == {"active"}


def test_a_bounce_removes_nobody_who_was_not_sent_that_message(
    context: FeedbackContext, campaign: int, now: datetime
) -> None:
    set_deliveries(context.engine, campaign, state=DeliveryState.queued)
    bring(context, make_bounce(sign(context.workspace, 1, campaign)), now=now)
    bring(context, make_bounce(sign(context.workspace, 2, 77)), now=now)
    assert set(read_statuses(context.engine).values()) == {"active"}
    assert [one.consequence for one in read_events(context.engine)] == [Consequence.unproven] * 2


def test_a_reader_who_did_something_after_the_message_was_sent_stays(
    context: FeedbackContext, campaign: int, now: datetime
) -> None:
    with Session(context.engine) as session:
        person = session.get_one(Subscriber, 1)
        at = now - timedelta(hours=1)
        add_consent_record(session, person, ConsentEvent.updated, method="page", now=at)
        session.commit()
    bring(context, make_bounce(sign(context.workspace, 1, campaign)), now=now)
    assert read_statuses(context.engine)[1] == "active"
    assert read_events(context.engine)[0].consequence is Consequence.outdated


def test_mail_that_went_on_to_another_address_is_about_the_reader_whose_token_it_has(
    context: FeedbackContext, campaign: int, now: datetime
) -> None:
    bounce = make_bounce(sign(context.workspace, 1, campaign), address="reader1@example.org")
    bring(context, bounce, now=now)
    assert read_statuses(context.engine)[1] == "bounced"
    assert read_statuses(context.engine)[2] == "active"
    assert read_events(context.engine)[0].address == "reader1@example.org"


def test_of_several_recipients_behind_one_reader_the_readers_own_address_counts(
    context: FeedbackContext, campaign: int, now: datetime
) -> None:
    dead = ReportedRecipient(address="gone@example.com", reason=Reason.no_such_user, action="failed")
    own = ReportedRecipient(address=ADDRESS, reason=None, action="expanded")
    other = ReportedRecipient(address="here@example.com", reason=None, action="delivered")
    whole = make_bounce(sign(context.workspace, 1, campaign))
    bring(context, replace(whole, recipients=(dead, own, other)), now=now)
    bring(context, replace(whole, recipients=(dead, other)), now=now)
    assert read_statuses(context.engine)[1] == "active"
    own_dead = replace(dead, address=ADDRESS.upper())
    bring(context, replace(whole, recipients=(other, own_dead)), now=now)
    assert read_statuses(context.engine)[1] == "bounced"
    assert [one.consequence.value for one in read_events(context.engine)] == ["recorded"] * 6 + ["bounced"]


def test_each_recipient_that_a_provider_reports_is_judged_alone(
    context: FeedbackContext, campaign: int, now: datetime
) -> None:
    recipients = (
        ReportedRecipient(address=ADDRESS, reason=Reason.no_such_user, action="failed"),
        ReportedRecipient(address="reader1@example.org", reason=Reason.full, action="failed"),
        ReportedRecipient(address="nobody@example.org", reason=Reason.no_such_user, action="failed"),
    )
    message = IncomingMessage(kind=FeedbackKind.bounce, recipients=recipients)
    bring(context, message, now=now, raw=None, is_authentic=True)
    assert {n for n, status in read_statuses(context.engine).items() if status == "bounced"} == {1}
    found = [(one.subscriber_id, one.consequence.value) for one in read_events(context.engine)]
    assert found == [(1, "bounced"), (2, "recorded"), (None, "recorded")]


@pytest.mark.parametrize("bounce_address", ["", BOUNCE_ADDRESS])
def test_an_address_alone_is_held_for_a_person(
    context: FeedbackContext, campaign: int, now: datetime, bounce_address: str
) -> None:
    context = replace(context, workspace=set_feedback(context.workspace, bounce_address=bounce_address))
    receipt = bring(context, make_bounce(address=ADDRESS), now=now)
    complaint = bring(context, make_complaint(address=ADDRESS), now=now)
    assert receipt.is_held
    assert complaint.is_held
    assert set(read_statuses(context.engine).values()) == {"active"}
    assert read_messages(context.engine)[0].raw is not None


def test_an_address_that_got_nothing_lately_is_no_evidence(context: FeedbackContext, now: datetime) -> None:
    context = replace(context, workspace=set_feedback(context.workspace, bounce_address=""))
    add_sent_campaign(context.engine, 5, at=now - timedelta(days=30))
    bring(context, make_bounce(address=ADDRESS), now=now)
    bring(context, make_complaint(address=ADDRESS), now=now)
    assert set(read_statuses(context.engine).values()) == {"active"}
    assert [one.consequence for one in read_events(context.engine)] == [Consequence.unproven] * 2


def test_what_a_provider_signs_needs_no_token(context: FeedbackContext, campaign: int, now: datetime) -> None:
    bring(context, make_bounce(address=ADDRESS), now=now, raw=None, is_authentic=True)
    assert read_statuses(context.engine)[1] == "bounced"


def send_every_week(context: FeedbackContext, now: datetime, number: int) -> list[int]:
    """Campaigns to readers 1 and 2, one a week, the last a day ago."""
    first = add_sent_campaign(context.engine, 2, at=now - timedelta(days=1, weeks=number - 1))
    return [
        first,
        *(
            send_again(context.engine, [1, 2], at=now - timedelta(days=1, weeks=number - 1 - week))
            for week in range(1, number)
        ),
    ]


def test_a_full_mailbox_removes_its_reader_after_so_many_bounces_over_so_many_days(
    context: FeedbackContext, now: datetime
) -> None:
    campaigns = send_every_week(context, now, 6)
    # Newest first: what counts is when the messages were sent, not when their bounces are read.
    for at, campaign in enumerate(reversed(campaigns)):
        assert read_statuses(context.engine)[1] == "active", at
        reason = Reason.full if at % 2 else Reason.suspended
        bring(context, make_bounce(sign(context.workspace, 1, campaign), reason=reason), now=now)
    assert read_statuses(context.engine) == {1: "bounced", 2: "active"}
    ((_, _, method, evidence),) = read_records(context.engine)
    assert method == "bounce"
    assert "6 bounces over 35 days" in evidence


def test_a_message_that_arrived_in_between_begins_the_count_anew(
    context: FeedbackContext, now: datetime
) -> None:
    for campaign in [one for one in send_every_week(context, now, 9) if one != 4]:
        bring(context, make_bounce(sign(context.workspace, 1, campaign), reason=Reason.full), now=now)
    assert read_statuses(context.engine)[1] == "active"


def test_five_bounces_in_a_week_are_no_reason_yet(context: FeedbackContext, now: datetime) -> None:
    campaigns = [add_sent_campaign(context.engine, 1, at=now - timedelta(days=9))]
    campaigns += [send_again(context.engine, [1], at=now - timedelta(days=9 - day)) for day in range(1, 8)]
    for campaign in campaigns:
        bring(context, make_bounce(sign(context.workspace, 1, campaign), reason=Reason.full), now=now)
    assert read_statuses(context.engine)[1] == "active"


def test_more_dead_addresses_than_is_plausible_are_held_and_not_removed(
    context: FeedbackContext, now: datetime
) -> None:
    campaign = add_sent_campaign(context.engine, 100, at=now - timedelta(days=1))
    receipts = [
        bring(context, make_bounce(sign(context.workspace, number, campaign)), now=now)
        for number in range(1, 31)
    ]
    # A fifth of this campaign, as with refusals while sending.
    assert [receipt.is_held for receipt in receipts] == [False] * 19 + [True] * 11
    assert list(read_statuses(context.engine).values()).count("bounced") == 19


def test_an_old_list_may_have_an_eighth_of_dead_addresses(context: FeedbackContext, now: datetime) -> None:
    campaign = add_sent_campaign(context.engine, 200, at=now - timedelta(days=1))
    receipts = [
        bring(context, make_bounce(sign(context.workspace, number, campaign)), now=now)
        for number in range(1, 33)
    ]
    assert [receipt.is_held for receipt in receipts] == [False] * 30 + [True] * 2


def test_a_complaint_suppresses_by_token_though_the_address_is_hidden(
    context: FeedbackContext, campaign: int, now: datetime
) -> None:
    bring(context, make_complaint(token=sign(context.workspace, 3, campaign)), now=now)
    assert read_statuses(context.engine)[3] == "complained"
    (event,) = read_events(context.engine)
    assert (event.reason, event.consequence) == (Reason.complaint, Consequence.complained)
    with Session(context.engine) as session:
        key = context.workspace.keys.suppression
        assert is_suppressed(session, key, "reader2@example.org")
        resubscribe(session, 3, key=key, method="page", now=now)
        session.commit()
    # The provider tells of the same complaint in another way, and the reader has come back since.
    bring(context, make_complaint(token=sign(context.workspace, 3, campaign)), now=now, key="again")
    assert read_statuses(context.engine)[3] == "active"


def test_a_mail_to_the_leaving_address_leaves_and_proves_a_delivery_in_doubt(
    context: FeedbackContext, campaign: int, now: datetime
) -> None:
    set_deliveries(context.engine, campaign, state=DeliveryState.in_doubt)
    token = sign(context.workspace, 2, campaign, LinkPurpose.leave)
    bring(context, make_leave(token.upper()), now=now)
    assert read_statuses(context.engine)[2] == "unsubscribed"
    assert read_records(context.engine) == [(2, "unsubscribed", "mail", "a mail to the leaving address")]
    states = {address: one.state for address, one in read_deliveries(context.engine).items()}
    assert states.pop("reader1@example.org") is DeliveryState.sent
    assert set(states.values()) == {DeliveryState.in_doubt}
    assert read_events(context.engine)[0].settled_doubt


def test_one_mail_to_several_leaving_addresses_leaves_for_each(
    context: FeedbackContext, campaign: int, now: datetime
) -> None:
    tokens = [sign(context.workspace, person, campaign, LinkPurpose.leave) for person in (4, 2)]
    to = tuple(address for token in tokens for address in make_leave(token).delivered_to)
    bring(context, replace(make_leave(""), delivered_to=to), now=now)
    gone = {n for n, status in read_statuses(context.engine).items() if status == "unsubscribed"}
    assert gone == {2, 4}


def test_nobody_leaves_by_a_token_that_is_not_for_leaving_and_a_person_looks_at_it(
    context: FeedbackContext, campaign: int, now: datetime
) -> None:
    good = sign(context.workspace, 1, campaign, LinkPurpose.leave)
    forged = [sign(context.workspace, 1, campaign), good[:-1] + ("0" if good[-1] != "0" else "1"), "0" * 50]
    for token in forged:
        assert bring(context, make_leave(token), now=now).is_held
    assert set(read_statuses(context.engine).values()) == {"active"}


def test_whoever_is_only_named_as_leaving_is_found_and_waits_for_a_person(
    context: FeedbackContext, campaign: int, now: datetime
) -> None:
    named = ReportedRecipient(address="reader1@example.org", reason=None)
    receipt = bring(context, replace(make_leave("0" * 50), recipients=(named,)), now=now)
    assert receipt.is_held
    assert read_statuses(context.engine)[2] == "active"
    judge(context, receipt.number, "leave", by="Kim", now=now)
    assert read_statuses(context.engine)[2] == "unsubscribed"


def test_whatever_comes_back_proves_a_delivery_in_doubt(
    context: FeedbackContext, campaign: int, now: datetime
) -> None:
    set_deliveries(context.engine, campaign, state=DeliveryState.in_doubt)
    kinds = [FeedbackKind.bounce, FeedbackKind.auto_reply, FeedbackKind.reply, FeedbackKind.complaint]
    for person, kind in enumerate(kinds, 1):
        whole = make_bounce(sign(context.workspace, person, campaign), action="delayed")
        bring(context, replace(whole, kind=kind), now=now)
    states = [one.state.value for one in read_deliveries(context.engine).values()]
    assert states == ["sent"] * 4 + ["in_doubt"]


def test_the_person_is_found_by_each_trace_of_our_message(
    context: FeedbackContext, campaign: int, now: datetime
) -> None:
    tokens = context.workspace.keys.tokens
    token = sign(context.workspace, 1, campaign)
    leave = sign(context.workspace, 1, campaign, LinkPurpose.leave)
    link = tokens.sign(LinkPurpose.subscription, subscriber_id=1, campaign_id=campaign)
    originals = [
        OriginalMessage(feedback_token=token.upper()),
        OriginalMessage(envelope_sender=f"bounce+{token}@news.example.org"),
        OriginalMessage(message_id=message_id(campaign, 1, "example.org", tokens)),
        OriginalMessage(message_id=message_id(campaign, 1, "büro.example.org", tokens)),
        OriginalMessage(list_unsubscribe=f"<mailto:leave+{leave}@news.example.org>"),
        OriginalMessage(list_unsubscribe=f"<https://news.example.org/u/{link}>"),
    ]
    plain = make_bounce(action="delayed", address="elsewhere@example.com")
    for original in originals:
        bring(context, replace(plain, original=original), now=now)
    bring(context, make_bounce(action="delayed", envelope_id=token), now=now)
    found = [(one.subscriber_id, one.campaign_id, one.evidence.value) for one in read_events(context.engine)]
    kinds = ["token", "token", "message_id", "message_id", "token", "token", "token"]
    assert found == [(1, campaign, kind) for kind in kinds]


def test_a_message_id_that_somebody_made_up_finds_nobody(
    context: FeedbackContext, campaign: int, now: datetime
) -> None:
    made_up = f"<c{campaign}.s1.{'0' * 12}@example.org>"
    bring(context, replace(make_bounce(), original=OriginalMessage(message_id=made_up)), now=now)
    assert read_events(context.engine)[0].subscriber_id is None


def test_of_somebody_who_was_erased_nothing_is_kept_again(
    context: FeedbackContext, campaign: int, now: datetime
) -> None:
    token = sign(context.workspace, 1, campaign)
    with Session(context.engine) as session:
        erase(session, ADDRESS, key=context.workspace.keys.suppression, method="test", now=now)
        session.commit()
    for bounce in (make_bounce(token, address=ADDRESS), make_bounce(address=ADDRESS)):
        bring(context, replace(bounce, sender=ADDRESS, subject=f"about {ADDRESS}"), now=now)
    for row in (*read_events(context.engine), *read_messages(context.engine)):
        assert ADDRESS not in repr(row)


def test_what_was_not_understood_waits_for_a_person_with_its_beginning(
    context: FeedbackContext, now: datetime
) -> None:
    raw = b"x" * 300_000
    assert bring(context, IncomingMessage(kind=FeedbackKind.other), now=now, raw=raw).is_held
    (message,) = read_messages(context.engine)
    assert (message.size, len(message.raw or b"")) == (300_000, 262_144)
    assert message.note == "it was not understood"
