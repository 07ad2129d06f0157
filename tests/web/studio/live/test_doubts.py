"""Who may or may not have got a campaign: named to who may see partners, settled once, by what is known."""

import html
import http.client
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from sqlalchemy import Engine, event, select, update
from sqlmodel import Session, col

from mailer.campaigns.report.doubts import (
    DoubtCause,
    DoubtSettlement,
    group_doubts,
    group_settled,
    list_doubts,
    make_message_id,
)
from mailer.database.feedback_models import (
    Consequence,
    FeedbackEvent,
    FeedbackKind,
    FeedbackMessage,
    FeedbackState,
)
from mailer.database.models import Campaign, CampaignState, Delivery, DeliveryState
from mailer.database.team_models import ActivityRecord, Role
from mailer.dispatch.ledger import CRASH_REASON
from mailer.workspace import Workspace
from tests.factories.deliveries import START, add_campaign, read_campaign, read_states
from tests.factories.postfix_log import Relay
from tests.web.studio.house import PREPARED, Answer, House, open_house

S = DeliveryState
TIMED_OUT = "connection lost at dot: timed out"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[House]:
    with open_house(tmp_path_factory.mktemp("house"), sqlite_template) as house:
        yield house


@pytest.fixture
def campaign(house: House) -> Iterator[int]:
    """A finished campaign of six: three in doubt for one reason, one for another, and one settled."""
    yield add_doubtful(house.studio.engine)
    house.restore()


def add_doubtful(engine: Engine) -> int:
    number = add_campaign(engine, 6, state=CampaignState.finished, launched_at=START, title="Spring news")
    with engine.begin() as connection:
        found = select(col(Delivery.id)).where(col(Delivery.campaign_id) == number).order_by(col(Delivery.id))
        ids = list(connection.scalars(found))
        for places, values in (
            ((0, 1, 2), {"state": S.in_doubt, "doubted": True, "reason": TIMED_OUT}),
            (
                (3,),
                {"state": S.in_doubt, "doubted": True, "reason": CRASH_REASON},
            ),
            ((4,), {"state": S.sent, "doubted": True, "reason": "proved by an unsubscribe through its link"}),
            ((5,), {"state": S.sent}),
        ):
            chosen = col(Delivery.id).in_([ids[place] for place in places])
            connection.execute(update(Delivery).where(chosen).values(updated_at=START, **values))
    return number


def count(engine: Engine, state: DeliveryState) -> int:
    return list(read_states(engine).values()).count(state)


def list_details(house: House) -> list[str]:
    with house.studio.engine.connect() as connection:
        return list(connection.scalars(select(col(ActivityRecord.detail))))


def settle(house: House, campaign: int, who: Role = Role.approver, **form: str) -> str:
    answer = house.ask("POST", f"/campaigns/{campaign}/doubts", who, form=form)
    return answer.headers.get("location", str(answer.status)).rpartition("=")[2]


def test_they_are_named_with_what_is_known_and_not_to_guests(house: House, campaign: int) -> None:
    path = f"/campaigns/{campaign}/doubts"
    page = house.ask("GET", path, Role.author).body.decode()
    for words in (
        "reader0@example.org",
        "The mail server did not answer in time.",
        "Our program stopped while it was sending the message.",
        "4 partners may or may not have got it",
        "proved by",
    ):
        assert words in page
    assert make_message_id(campaign, 1, house.studio.workspace) in page.replace("&lt;", "<").replace(
        "&gt;", ">"
    )
    assert "They have it" not in page, "an author settles nothing"
    assert house.ask("GET", path, Role.guest).status == 403


def test_what_servers_wrote_stands_below_in_details(house: House, campaign: int) -> None:
    page = house.ask("GET", f"/campaigns/{campaign}/doubts", Role.author).body.decode()
    details = re.findall(
        r"<details>\s*<summary[^>]*>Technical details</summary>(.*?)</details>", page, re.DOTALL
    )
    without = re.sub(r"<details>.*?</details>", "", page, flags=re.DOTALL)
    assert len(details) == 5, "one for each in doubt, and one for those that are settled"
    for words in (TIMED_OUT, CRASH_REASON, "proved by", "Message-ID"):
        assert words in html.unescape("".join(details))
        assert words not in html.unescape(without)


def test_a_message_that_came_back_and_waits_is_what_settles_a_doubt(house: House, campaign: int) -> None:
    now = START + timedelta(hours=1)
    with Session(house.studio.engine) as session:
        for number, (state, of) in enumerate(
            (
                (FeedbackState.held, campaign),
                (FeedbackState.held, PREPARED),
                (FeedbackState.recorded, campaign),
            ),
            start=1,
        ):
            kind = FeedbackKind.bounce
            message = FeedbackMessage(fingerprint=str(number), received_at=now, kind=kind, state=state)
            session.add(message)
            session.flush()
            message_id, consequence = message.id or 0, Consequence.held
            session.add(
                FeedbackEvent(
                    message_id=message_id,
                    subscriber_id=number,
                    campaign_id=of,
                    at=now,
                    consequence=consequence,
                )
            )
        session.commit()
    page = house.ask("GET", f"/campaigns/{campaign}/doubts", Role.author).body.decode()
    assert re.findall(r'/feedback/messages/(\d+)">Judge the message', page) == ["1"]


def test_each_cause_and_each_settlement_has_words() -> None:
    assert all(cause.words for cause in DoubtCause)
    assert {one for one in DoubtSettlement if not one.words} == {DoubtSettlement.other}


def test_one_is_settled_and_a_second_click_changes_nothing(house: House, campaign: int) -> None:
    engine = house.studio.engine
    with engine.connect() as connection:
        first = connection.scalar(select(col(Delivery.id)).where(col(Delivery.state) == S.in_doubt))
    assert settle(house, campaign, what=str(first), act="arrived") == "doubts-settled"
    assert settle(house, campaign, what=str(first), act="again") == "doubts-gone"
    assert (count(engine, S.in_doubt), count(engine, S.queued)) == (3, 0)
    assert list_details(house) == ["they have it: 1"]


def test_all_for_one_reason_are_sent_again_and_the_campaign_goes_on(house: House, campaign: int) -> None:
    engine = house.studio.engine
    done = settle(house, campaign, what="group", cause="silence", act="again")
    assert done == "doubts-requeued"
    assert (count(engine, S.in_doubt), count(engine, S.queued)) == (1, 3)
    assert read_campaign(engine, campaign).state is CampaignState.sending
    assert settle(house, campaign, what="all", act="arrived") == "doubts-settled"
    assert count(engine, S.in_doubt) == 0
    assert (
        "Nobody is in doubt." in house.ask("GET", f"/campaigns/{campaign}/doubts", Role.author).body.decode()
    )


def test_nothing_is_sent_again_of_a_campaign_that_was_cancelled(house: House, campaign: int) -> None:
    with house.studio.engine.begin() as connection:
        connection.execute(update(Campaign).values(state=CampaignState.cancelled))
    assert settle(house, campaign, what="all", act="again") == "campaign-changed"
    assert settle(house, campaign, what="all", act="arrived") == "doubts-settled"


def test_nonsense_settles_nothing(house: House, campaign: int) -> None:
    for form in ({}, {"what": "all"}, {"what": "x", "act": "arrived"}, {"what": "9" * 30, "act": "arrived"}):
        settle(house, campaign, **form)
    assert count(house.studio.engine, S.in_doubt) == 4
    assert settle(house, campaign, Role.author, what="all", act="arrived") == "403"


def send_log(house: House, campaign: int, log: bytes, *, again: bool = False) -> Answer:
    head = b'--x\r\nContent-Disposition: form-data; name="'
    body = head + b'log"; filename="mail.log"\r\n\r\n' + log + b"\r\n"
    body += (head + b'again"\r\n\r\n1\r\n' if again else b"") + b"--x--\r\n"
    connection = http.client.HTTPConnection("localhost", urlsplit(house.studio.url).port, timeout=30)
    headers = {
        "cookie": house.cookies[Role.approver],
        "sec-fetch-site": "same-origin",
        "content-type": "multipart/form-data; boundary=x",
    }
    try:
        connection.request("POST", f"/studio/campaigns/{campaign}/doubts/log", body, headers)
        answer = connection.getresponse()
        return Answer(status=answer.status, headers=dict(answer.getheaders()), body=answer.read())
    finally:
        connection.close()


def test_the_log_of_the_relay_settles_what_it_proves(house: House, campaign: int) -> None:
    relay = Relay(START - timedelta(hours=1), iso=True)
    relay.now = START + timedelta(minutes=1)
    relay.accept(make_message_id(campaign, 1, house.studio.workspace), status="sent (250 2.0.0 Ok)")
    relay.wait(hours=1)
    log = "\n".join(relay.lines).encode() + b"\n"
    answer = send_log(house, campaign, log)
    assert answer.status == 200
    assert "The log proves that the relay took 1 message." in answer.body.decode()
    assert "The relay never got 3" in answer.body.decode()
    again = send_log(house, campaign, log, again=True).body.decode()
    assert "3 are sent again." in again
    assert count(house.studio.engine, S.in_doubt) == 0
    assert list_details(house) == ["by the relay’s log: 1", "by the relay’s log: 3"]
    for nothing in (b"", b"no log at all"):
        refused = send_log(house, campaign, nothing)
        assert refused.status in {200, 422}


def test_pages_and_groups_are_found_by_the_index_alone(
    either_workspace: Workspace,
) -> None:
    engine = either_workspace.open_database()
    campaign = add_doubtful(engine)
    with engine.connect().execution_options(read_only=True) as connection:
        first = list_doubts(connection, campaign, limit=3)
        rest = list_doubts(connection, campaign, after=first[-1].id, limit=3)
        assert [len(first), len(rest)] == [3, 1]
        assert [counts.total() for _, counts in group_doubts(connection, campaign)] == [3, 1]
        assert [(of[0], counts.total()) for of, counts in group_settled(connection, campaign)] == [
            (S.sent, 1)
        ]
    with Session(engine) as session:
        held = session.connection()
        held.execute(
            update(Delivery)
            .where(col(Delivery.state) == S.sent, ~col(Delivery.doubted))
            .values(state=S.in_doubt, owner="dead")
        )
        session.commit()
    seen: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *words: seen.append(str(words[2])))
    with engine.connect().execution_options(read_only=True) as connection:
        assert len(list_doubts(connection, campaign)) == 4
        assert len(list_doubts(connection, campaign, {"dead"})) == 5
        if engine.dialect.name == "sqlite":
            statement = next(one for one in seen if "delivery.doubted" in one)
            plan = str(
                connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", (1, "in_doubt", 0)).all()
            )
            assert "ix_delivery_doubted" in plan
    engine.dispose()
