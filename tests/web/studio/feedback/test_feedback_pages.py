"""What came back, in Studio: who waits for whom, a person's judgement, and proposed successors."""

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlmodel import Session, col, select

from mailer.activity.acts import Act
from mailer.database.feedback_models import FeedbackMessage, FeedbackState, ProposedSuccessor, QueuedReply
from mailer.database.team_models import ActivityRecord, Role
from mailer.feedback.review import JUDGEMENTS
from mailer.web.dependencies import utc_now
from mailer.web.forms import Form
from mailer.web.studio.feedback import OTHER_BOUNCE, REASON_WORDS, read_judgement
from subscribers.models import ConsentRecord, Status, Subscriber
from tests.factories.small_edition import SLUG
from tests.web.report_pages.test_campaign_page import read_words
from tests.web.studio.house import House, open_house
from tests.web.studio.returns import HELD_BOUNCE, HELD_LETTER, HELD_STUB, Returns, add_returns

MESSAGE = "/feedback/messages"


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[House]:
    with open_house(tmp_path_factory.mktemp("house"), sqlite_template) as house:
        yield house


@pytest.fixture
def house(opened: House) -> Iterator[House]:
    yield opened
    opened.restore()


@pytest.fixture
def returns(house: House) -> Returns:
    return add_returns(house.studio.engine, SLUG, utc_now())


def read(house: House, path: str, who: str = Role.author) -> str:
    answer = house.ask("GET", path, who)
    assert answer.status == 200, path
    return answer.body.decode()


def find_message(house: House, number: int) -> FeedbackMessage:
    with Session(house.studio.engine) as session:
        message = session.get_one(FeedbackMessage, number)
        session.expunge_all()
        return message


def find_person(house: House, email: str) -> Subscriber | None:
    with Session(house.studio.engine) as session:
        person = session.exec(select(Subscriber).where(Subscriber.email == email)).one_or_none()
        session.expunge_all()
        return person


def list_acts(house: House) -> list[tuple[str, str, str]]:
    with Session(house.studio.engine) as session:
        rows = session.exec(select(ActivityRecord).order_by(col(ActivityRecord.id))).all()
        return [(row.act, row.name, row.subject) for row in rows]


def test_what_waits_is_one_list_with_why(house: House, returns: Returns) -> None:
    words = read_words(read(house, "/feedback"))
    assert "Messages to judge 3" in words
    assert "many addresses of this campaign came back as dead at once" in words
    assert "Proposed successors 2" in words
    assert "Ann <b>Lee</b>" in words
    assert "about reader3@example.org" in words
    of_campaign = read_words(read(house, f"/feedback?campaign={returns.campaign}"))
    assert "Undelivered Mail" in of_campaign
    assert "Café" not in of_campaign


def test_the_first_page_counts_what_waits_for_whoever_may_judge_it(house: House, returns: Returns) -> None:
    words = read_words(read(house, "/"))
    assert "3 messages that came back wait for a judgement" in words
    assert "2 people may follow partners who have left" in words
    assert "came back" not in read_words(read(house, "/", Role.guest))


def test_a_message_is_shown_as_text_and_its_attachments_are_named(house: House, returns: Returns) -> None:
    page = read(house, f"{MESSAGE}/{HELD_LETTER}")
    words = read_words(page)
    assert "Please write to my colleague instead." in words
    assert "plan.pdf" in words
    assert "Tuya Bat <tuya@office.example>" in words
    assert "tracker.example" not in page
    assert "alert(1)" not in page
    answer = house.ask("GET", f"{MESSAGE}/{HELD_LETTER}/file", Role.author)
    assert answer.body == find_message(house, HELD_LETTER).raw
    assert answer.headers["content-disposition"].startswith("attachment")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert house.ask("GET", f"{MESSAGE}/4/file", Role.author).status == 404


def test_a_judgement_does_what_follows_and_says_who_judged(house: House, returns: Returns) -> None:
    answer = house.ask("POST", f"{MESSAGE}/{HELD_BOUNCE}", Role.author, form={"judgement": "dead"})
    assert answer.status == 303
    message = find_message(house, HELD_BOUNCE)
    assert (message.state, message.judged_by, message.raw) == (FeedbackState.judged, "author X", None)
    person = find_person(house, "reader3@example.org")
    assert person is not None
    assert person.status is Status.bounced
    with Session(house.studio.engine) as session:
        record = session.exec(select(ConsentRecord).where(ConsentRecord.subscriber_id == person.id)).one()
    assert "judged by author X" in record.evidence
    assert list_acts(house)[-1] == (Act.judged_feedback, "author X", str(HELD_BOUNCE))
    words = read_words(read(house, f"{MESSAGE}/{HELD_BOUNCE}"))
    assert "author X has judged this message." in words
    assert "Marked as bounced: gets no more mail" in words
    assert "Go to the next message that waits" in words


def test_the_second_of_two_who_judge_is_told_and_changes_nothing(house: House, returns: Returns) -> None:
    house.ask("POST", f"{MESSAGE}/{HELD_BOUNCE}", Role.author, form={"judgement": "ignore"})
    with house.unchanged("a second judgement"):
        answer = house.ask("POST", f"{MESSAGE}/{HELD_BOUNCE}", Role.approver, form={"judgement": "dead"})
    assert answer.status == 422
    assert "author X has judged this message in the meantime" in read_words(answer.body.decode())
    person = find_person(house, "reader3@example.org")
    assert person is not None
    assert person.status is Status.active


def test_whom_a_message_is_about_can_be_named(house: House, returns: Returns) -> None:
    path = f"{MESSAGE}/{HELD_LETTER}"
    for address, words in (
        ("", "Write the address of whom it is about"),
        ("nobody@example.org", "Nobody with this address is on the list"),
        ("not an address", "Nobody with this address is on the list"),
    ):
        form = {"judgement": "leave", "subscriber": address}
        with house.unchanged(words):
            answer = house.ask("POST", path, Role.author, form=form)
        assert answer.status == 422
        page = answer.body.decode()
        assert words in read_words(page)
        assert 'href="#subscriber"' in page
        assert f'value="{address}"' in page
        assert re.search(r'value="leave" checked', page)
    form = {"judgement": "leave", "subscriber": " Reader8@Example.org "}
    assert house.ask("POST", path, Role.author, form=form).status == 303
    person = find_person(house, "reader8@example.org")
    assert person is not None
    assert person.status is Status.unsubscribed


@pytest.mark.parametrize(
    ("form", "field"),
    [
        ({}, "judgement"),
        ({"judgement": "everything"}, "judgement"),
        ({"judgement": "full"}, "judgement"),
        ({"judgement": OTHER_BOUNCE}, "reason"),
        ({"judgement": OTHER_BOUNCE, "reason": "ignore"}, "reason"),
    ],
)
def test_a_form_that_is_not_complete_leads_to_the_field(
    house: House, returns: Returns, form: dict[str, str], field: str
) -> None:
    with house.unchanged("an incomplete judgement"):
        answer = house.ask("POST", f"{MESSAGE}/{HELD_BOUNCE}", Role.author, form=form)
    assert answer.status == 422
    assert f'href="#{field}"' in answer.body.decode()


def test_the_reason_of_a_bounce_says_that_it_is_one(house: House, returns: Returns) -> None:
    answer = house.ask("POST", f"{MESSAGE}/{HELD_BOUNCE}", Role.author, form={"reason": "full"})
    assert answer.headers["location"].endswith("notice=message-judged")


def test_each_judgement_of_the_command_can_be_made_in_studio() -> None:
    chosen = {read_judgement(Form([("judgement", word)])) for word in JUDGEMENTS}
    bounces = [Form([("judgement", OTHER_BOUNCE), ("reason", reason)]) for reason in REASON_WORDS]
    chosen |= set(map(read_judgement, bounces))
    # A dead address is a choice of its own, and so needs no reason.
    assert chosen - {""} == set(JUDGEMENTS) - {"no_such_user"}


def test_a_reply_goes_on_and_one_of_which_only_the_beginning_is_kept_does_not(
    house: House, returns: Returns
) -> None:
    form = {"judgement": "reply"}
    with house.unchanged("a reply that is cut"):
        answer = house.ask("POST", f"{MESSAGE}/{HELD_STUB}", Role.author, form=form)
    assert answer.status == 422
    assert "only its beginning is kept" in read_words(answer.body.decode())
    assert house.ask("POST", f"{MESSAGE}/{HELD_LETTER}", Role.author, form=form).status == 303
    with Session(house.studio.engine) as session:
        assert session.get(QueuedReply, HELD_LETTER) is not None
        queued = session.get_one(QueuedReply, HELD_LETTER)
        queued.reason, queued.attempts = "451 try again", 3
        session.add(queued)
        session.commit()
    words = read_words(read(house, "/feedback"))
    assert "Replies that do not go on" in words
    assert "451 try again" in words
    assert "1 reply of a partner does not reach you" in read_words(read(house, "/"))


def test_a_successor_is_added_as_an_act_of_the_member(house: House, returns: Returns) -> None:
    number, _ = returns.successors
    path = f"/feedback/successors/{number}"
    page = read(house, path)
    assert "Please write to Tuya Bat." in read_words(page)
    assert '<option value="MN" selected>' in page
    form = {
        "name": "Tuya B.",
        "organisation": "Institute",
        "country": "CN",
        "sector": "culture",
        "left": "yes",
    }
    with house.unchanged("an acceptance without a basis"):
        answer = house.ask("POST", path, Role.author, form=form)
    refused = answer.body.decode()
    assert answer.status == 422
    assert 'href="#basis"' in refused
    assert 'value="Tuya B."' in refused
    assert '<option value="CN" selected>' in refused
    accepted = house.ask("POST", path, Role.author, form={**form, "basis": "took over"})
    added, before = (find_person(house, each) for each in ("successor5@example.org", "reader4@example.org"))
    assert added is not None
    assert before is not None
    assert (added.name, added.country, added.status) == ("Tuya B.", "CN", Status.active)
    assert accepted.headers["location"] == f"/studio/partners/{added.id}?notice=successor-added"
    assert "They are on the list and get the next mail." in read_words(
        read(house, accepted.headers["location"].removeprefix("/studio"))
    )
    assert before.status is not Status.active
    with Session(house.studio.engine) as session:
        record = session.exec(select(ConsentRecord).where(ConsentRecord.subscriber_id == added.id)).one()
    assert (record.method, record.source) == ("Studio", "by author X")
    assert list_acts(house)[-1] == (Act.accepted_successor, "author X", str(number))
    with house.unchanged("a second acceptance"):
        again = house.ask("POST", path, Role.approver, form={**form, "basis": "took over"})
    assert again.headers["location"].endswith("notice=successor-decided")
    back = house.ask("GET", path, Role.author)
    assert back.headers["location"].endswith("/feedback?notice=successor-decided"), "as the Back button asks"


def test_a_successor_who_may_not_be_added_can_be_refused(house: House, returns: Returns) -> None:
    _, number = returns.successors
    path = f"/feedback/successors/{number}"
    with Session(house.studio.engine) as session:
        session.get_one(ProposedSuccessor, number).email = "reader1@example.org"
        session.commit()
    with house.unchanged("somebody who is on the list"):
        answer = house.ask("POST", path, Role.author, form={"basis": "took over"})
    assert answer.status == 422
    assert "on the list already" in read_words(answer.body.decode())
    assert house.ask("POST", f"{path}/refuse", Role.author).status == 303
    with Session(house.studio.engine) as session:
        assert session.get_one(ProposedSuccessor, number).decided_by == "author X"
    assert list_acts(house)[-1] == (Act.refused_successor, "author X", str(number))


def test_pages_of_messages_have_each_message_once(house: House, returns: Returns) -> None:
    now = utc_now()
    with Session(house.studio.engine) as session:
        session.add_all(
            FeedbackMessage(
                fingerprint=f"many {number}",
                received_at=now - timedelta(minutes=number),
                kind="bounce",
                subject=f"Return {number:03}",
            )
            for number in range(120)
        )
        session.commit()
    seen: list[str] = []
    path = f"{MESSAGE}?kind=bounce"
    while path:
        page = read(house, path)
        seen += re.findall(r"Return \d\d\d", page)
        older = re.search(r'href="/studio([^"]+)" rel="next"', page)
        path = older[1].replace("&amp;", "&") if older else ""
    assert len(seen) == len(set(seen)) == 120
    assert "Re: What we did this spring" in read(house, f"{MESSAGE}?kind=reply&campaign={returns.campaign}")
    assert "There is no such message" in read(house, f"{MESSAGE}?kind=complaint")
    assert house.ask("GET", f"{MESSAGE}?kind=x&campaign=x&before=x", Role.author).status == 200
