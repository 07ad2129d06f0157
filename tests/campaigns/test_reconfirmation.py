"""Asking readers whether they still want the newsletter: who answers stays, and who does not is paused."""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from email import message_from_bytes, policy

import pytest
from sqlalchemy import Engine, update
from sqlmodel import Session, col, select

from mailer.campaigns.launch import launch_or_continue
from mailer.campaigns.outbox import write_outbox
from mailer.campaigns.reconfirmation import (
    ReconfirmationError,
    ReconfirmationPlan,
    ReconfirmationStanding,
    close_due_reconfirmations,
    list_standings,
    plan_reconfirmation,
    store_reconfirmation,
)
from mailer.database.feedback_models import FeedbackEvent, FeedbackKind, FeedbackMessage
from mailer.database.models import Delivery, DeliveryState
from mailer.i18n import LANGUAGES
from mailer.selfservice.confirmation import keep_sending
from mailer.selfservice.preferences import load_form
from mailer.workspace import Workspace
from subscribers.models import ConsentEvent, ConsentRecord, Status, Subscriber
from subscribers.segments.segment import parse_segment
from subscribers.tokens import LinkPurpose
from tests.factories.deliveries import START, FakeClock, set_status
from tests.factories.json_output import to_json

UNTIL = START + timedelta(days=30)
PEOPLE = ("mei@example.org", "bat@example.org", "lin@example.org", "kim@example.org", "ana@example.org")


@pytest.fixture
def workspace(either_workspace: Workspace) -> Workspace:
    return either_workspace


@pytest.fixture
def engine(workspace: Workspace) -> Iterator[Engine]:
    engine = workspace.open_database(durable=True)
    with Session(engine) as session:
        for address in PEOPLE:
            session.add(
                Subscriber(
                    **{"email": address, "envelope": address, "status": Status.active, "language": "fr"},
                    **{"created_at": START - timedelta(days=900), "updated_at": START - timedelta(days=900)},
                )
            )
        session.commit()
    yield engine
    engine.dispose()


def plan(
    workspace: Workspace, engine: Engine, until: datetime | None = UNTIL, now: datetime = START
) -> ReconfirmationPlan:
    return plan_reconfirmation(workspace, engine, parse_segment("all"), until=until, now=now)


def ask(workspace: Workspace, engine: Engine) -> int:
    """Ask everybody, and have every letter handed over a minute later; return the campaign's id."""
    planned = plan(workspace, engine)
    store_reconfirmation(engine, planned, by="Mei Chen", now=START)
    launched = launch_or_continue(engine, workspace, planned.plan, now=START)
    with engine.begin() as connection:
        handed_over = {"state": DeliveryState.sent, "updated_at": START + timedelta(minutes=1)}
        connection.execute(update(Delivery).values(handed_over))
    return launched.campaign_id


def find(engine: Engine, address: str) -> Subscriber:
    with Session(engine) as session:
        return session.exec(select(Subscriber).where(Subscriber.email == address)).one()


def sign(workspace: Workspace, engine: Engine, address: str, campaign: int) -> str:
    number = find(engine, address).id or 0
    signer = workspace.keys.tokens
    return signer.sign(LinkPurpose.subscription, subscriber_id=number, campaign_id=campaign)


def press(workspace: Workspace, engine: Engine, address: str, campaign: int, day: int = 3) -> None:
    keep_sending(
        engine,
        workspace.keys,
        sign(workspace, engine, address, campaign),
        wording="Do you still want it? Yes",
        now=START + timedelta(days=day),
        language="fr",
        evidence="192.0.2.1",
    )


def read_records(engine: Engine, address: str) -> list[ConsentRecord]:
    number = find(engine, address).id
    with Session(engine) as session:
        records = select(ConsentRecord).where(ConsentRecord.subscriber_id == number)
        return list(session.exec(records.order_by(col(ConsentRecord.id))))


def stand(engine: Engine) -> ReconfirmationStanding:
    with Session(engine) as session:
        (standing,) = list_standings(session)
    return standing


def close(engine: Engine, when: datetime = UNTIL) -> dict[str, int]:
    return close_due_reconfirmations(engine, clock=FakeClock(when))


def test_the_letter_is_in_the_reader_s_language_and_leads_to_their_page(
    workspace: Workspace, engine: Engine
) -> None:
    planned = plan(workspace, engine)
    assert planned.plan.errors == ()
    assert set(planned.plan.languages) == set(LANGUAGES)
    outbox = write_outbox(workspace, engine, planned.plan, addresses=[PEOPLE[0]], now=START)
    message = message_from_bytes(outbox[0].read_bytes(), policy=policy.default)
    assert message["subject"] == "Souhaitez-vous toujours recevoir notre lettre d’information ?"
    assert "List-Unsubscribe" in message
    for kind in ("plain", "html"):
        part = message.get_body((kind,))
        assert part is not None
        text = part.get_content()
        assert "d’ici au 31 mars 2026" in text
        assert "@@" not in text
    links = re.findall(r'href="([^"]+)"[^>]*>Oui, continuez à me l’envoyer', text)
    assert [link.startswith(f"{workspace.settings.web.base_url}/p/") for link in links] == [True]
    assert "<img" not in text, "nothing in it tells that it was opened"


def test_who_presses_the_button_stays_and_it_is_recorded_once(workspace: Workspace, engine: Engine) -> None:
    campaign = ask(workspace, engine)
    press(workspace, engine, PEOPLE[0], campaign)
    press(workspace, engine, PEOPLE[0], campaign, day=4)
    (record,) = read_records(engine, PEOPLE[0])
    assert (record.event, record.method) == (ConsentEvent.reconfirmed, "page")
    assert (record.wording, record.source) == ("Do you still want it? Yes", f"campaign {campaign}")
    close(engine)
    assert find(engine, PEOPLE[0]).status is Status.active


def test_who_does_not_answer_is_paused_and_the_record_says_why(workspace: Workspace, engine: Engine) -> None:
    campaign = ask(workspace, engine)
    press(workspace, engine, PEOPLE[0], campaign)
    set_status(engine, PEOPLE[1], Status.unsubscribed)
    early = UNTIL - timedelta(seconds=1)
    assert close(engine, early) == {}
    assert close(engine) == {"reconfirmation~1": 3}
    assert close(engine, UNTIL + timedelta(days=1)) == {}
    silent = find(engine, PEOPLE[2])
    assert (silent.status, silent.paused_until) == (Status.paused, None)
    (record,) = read_records(engine, PEOPLE[2])
    assert (record.event, record.source) == (ConsentEvent.paused, "reconfirmation~1")
    assert record.evidence == (
        "asked on 2026-03-01 whether they still want the newsletter; no answer by 2026-03-31"
    )
    standing = to_json(stand(engine))
    assert {name: standing[name] for name in ("asked", "stay", "left", "replied", "paused", "waiting")} == {
        **{"asked": 5, "stay": 1, "left": 1, "replied": 0, "paused": 3, "waiting": 0}
    }


def test_a_pause_ends_when_they_press_the_button_later(workspace: Workspace, engine: Engine) -> None:
    campaign = ask(workspace, engine)
    close(engine)
    press(workspace, engine, PEOPLE[2], campaign, day=90)
    assert find(engine, PEOPLE[2]).status is Status.active


def test_who_wrote_back_waits_for_a_person(workspace: Workspace, engine: Engine) -> None:
    ask(workspace, engine)
    number = find(engine, PEOPLE[3]).id
    with Session(engine) as session:
        reply = FeedbackMessage(fingerprint="1", received_at=START, kind=FeedbackKind.reply)
        session.add(reply)
        session.flush()
        at = START + timedelta(days=2)
        session.add(FeedbackEvent(message_id=reply.id or 0, subscriber_id=number, at=at))
        session.commit()
    close(engine)
    assert find(engine, PEOPLE[3]).status is Status.active
    assert stand(engine).replied == 1


def test_who_was_asked_too_late_or_never_is_not_paused(workspace: Workspace, engine: Engine) -> None:
    ask(workspace, engine)
    late = {"updated_at": UNTIL - timedelta(days=6)}
    numbers = [find(engine, address).id for address in PEOPLE[:3]]
    with engine.begin() as connection:
        for number, values in zip(numbers, (late, {"state": "failed"}, {"state": "in_doubt"}), strict=True):
            mine = col(Delivery.subscriber_id) == number
            connection.execute(update(Delivery).where(mine).values(values))
    assert close(engine) == {"reconfirmation~1": 2}
    assert [find(engine, address).status for address in PEOPLE[:3]] == [Status.active] * 3


def test_their_page_asks_until_they_have_answered(workspace: Workspace, engine: Engine) -> None:
    campaign = ask(workspace, engine)

    def asks(address: str, campaign: int) -> bool:
        token = sign(workspace, engine, address, campaign)
        return load_form(engine, workspace.keys, token, today=START.date()).asks

    assert asks(PEOPLE[0], campaign)
    assert not asks(PEOPLE[0], 0), "the link of another mail"
    press(workspace, engine, PEOPLE[0], campaign)
    assert not asks(PEOPLE[0], campaign)
    set_status(engine, PEOPLE[1], Status.unsubscribed)
    assert not asks(PEOPLE[1], campaign)
    press(workspace, engine, PEOPLE[1], campaign)
    assert find(engine, PEOPLE[1]).status is Status.unsubscribed
    assert read_records(engine, PEOPLE[1]) == []


def test_the_same_command_goes_on_and_asks_nobody_twice(workspace: Workspace, engine: Engine) -> None:
    campaign = ask(workspace, engine)
    later = START + timedelta(days=1)
    again = plan(workspace, engine, until=None, now=later)
    assert again.is_known
    assert again.answer_by == UNTIL
    assert again.plan.audience == 0
    store_reconfirmation(engine, again, by="Mei Chen", now=later)
    result = launch_or_continue(engine, workspace, again.plan, now=later)
    assert (result.campaign_id, result.continued) == (campaign, True)
    with pytest.raises(ReconfirmationError, match="asked until 2026-03-31"):
        plan(workspace, engine, until=UNTIL + timedelta(days=3), now=later)
    close(engine)
    assert plan(workspace, engine, until=None, now=UNTIL).plan.edition == "reconfirmation~2"


@pytest.mark.parametrize(("days", "word"), [(6, "little"), (366, "much"), (-1, "little")])
def test_the_time_to_answer_is_a_week_to_a_year(
    workspace: Workspace, engine: Engine, days: int, word: str
) -> None:
    with pytest.raises(ReconfirmationError, match=f"too {word} time to answer"):
        plan(workspace, engine, until=START + timedelta(days=days))


def test_of_two_that_begin_together_one_is_told(workspace: Workspace, engine: Engine) -> None:
    first, second = plan(workspace, engine), plan(workspace, engine)
    store_reconfirmation(engine, first, by="Mei", now=START)
    with pytest.raises(ReconfirmationError, match="at the same moment"):
        store_reconfirmation(engine, second, by="Bat", now=START)
