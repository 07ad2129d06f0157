"""Strangers at the pages: signing up and confirming, asking for a link, and what nobody learns there."""

import json
import re
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from urllib.parse import urlencode, urlsplit

import pytest
from sqlalchemy import Engine
from sqlmodel import Session, select

from mailer.database.models import QueuedTransactionalMail
from mailer.selfservice.form_token import make_form_token
from mailer.selfservice.mail_limits import NETWORK
from mailer.selfservice.mail_worker import claim_mail, run_mail_worker, send_due_mails
from mailer.web.app import create_app
from mailer.workspace import Workspace, open_workspace
from subscribers.consent.status_changes import suppress
from subscribers.models import ConsentEvent, ConsentRecord, Status, Subscriber
from tests.servers.misbehaving_smtp import MisbehavingServer, Stage
from tests.servers.process import wait_until
from tests.web.site import Answer, add_reader, ask, dump_tables, find_reader, opened_engine, served

OWN = {"content-type": "application/x-www-form-urlencoded", "sec-fetch-site": "same-origin"}


class Door:
    """The pages of a workspace that is open to sign-ups, with a mail server behind it."""

    def __init__(self, workspace: Workspace, engine: Engine, url: str, server: MisbehavingServer) -> None:
        self.workspace, self.engine, self.url, self.server = workspace, engine, url, server

    def get(self, path: str) -> Answer:
        return ask(self.url, "GET", path)

    def post(self, path: str, headers: dict[str, str] | None = None, **fields: str) -> Answer:
        key = self.workspace.keys.suppression
        stamp = make_form_token(key, datetime.now(UTC) - timedelta(minutes=1))
        body = urlencode({"lang": "en", "stamp": stamp, **fields}).encode()
        return ask(self.url, "POST", path, body, headers or OWN)

    def mails(self) -> list[EmailMessage]:
        """Have everything mailed that is due; the mails of this and all rounds before."""
        send_due_mails(self.workspace, self.engine)
        return [
            message_from_bytes(received.content, _class=EmailMessage, policy=policy.default)
            for received in self.server.received
        ]

    def link(self, number: int = -1) -> str:
        """The path the button of a mail leads to."""
        text = self.mails()[number].get_body(("plain",))
        assert text is not None
        return urlsplit(re.findall(r"https?://\S+", text.get_content())[0]).path

    def records(self, email: str) -> list[ConsentRecord]:
        with Session(self.engine) as session:
            mine = ConsentRecord.subscriber_id == find_reader(self.engine, email).id
            return list(session.exec(select(ConsentRecord).where(mine)))


@pytest.fixture
def door(either_workspace: Workspace) -> Iterator[Door]:
    with MisbehavingServer() as server:
        environ = {
            "MAILER_WEB__SIGN_UP": "true",
            "MAILER_SMTP__URL": server.url,
            "MAILER_DATABASE__URL": either_workspace.settings.database.url,
        }
        workspace = open_workspace(either_workspace.root, environ=environ)
        with opened_engine(workspace) as engine, served(create_app(workspace)) as running:
            yield Door(workspace, engine, running.url, server)


def words_of(answer: Answer) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", answer.text).split())


# --- signing up ---------------------------------------------------------------------------------------------


def test_somebody_signs_up_and_confirms(door: Door) -> None:
    shown = door.get("/subscribe")
    assert (shown.status, shown.headers["x-robots-tag"]) == (200, "noindex, nofollow")
    asked = door.post("/subscribe", email=" Mei.Lin@example.org ", lang="fr")
    assert asked.status == 200
    assert "un message est en route" in words_of(asked)
    (mail,) = door.mails()
    assert (mail["To"], mail["Content-Language"]) == ("mei.lin@example.org", "fr")
    assert mail["Subject"] == "Veuillez confirmer votre abonnement"
    assert mail["Auto-Submitted"] == "auto-replied"
    assert find_reader(door.engine, "mei.lin@example.org").status is Status.pending
    page = door.get(door.link())
    assert page.status == 200
    assert "m…@e…org" in page.text
    assert find_reader(door.engine, "mei.lin@example.org").status is Status.pending
    welcome = door.post(door.link(), lang="fr")
    assert "Bienvenue." in welcome.text
    reader = find_reader(door.engine, "mei.lin@example.org")
    assert (reader.status, reader.language) == (Status.active, "fr")
    requested, subscribed = door.records("mei.lin@example.org")
    assert (requested.event, subscribed.event) == (ConsentEvent.requested, ConsentEvent.subscribed)
    assert "Je souhaite recevoir par courriel" in requested.wording
    assert requested.evidence.startswith("from hmac-sha256:")
    assert (subscribed.method, subscribed.language) == ("page", "fr")
    preferences = re.search(r'href="(/p/[^"]+)"', welcome.text)
    assert preferences is not None
    assert door.get(preferences[1]).status == 200


def test_a_second_press_is_the_first(door: Door) -> None:
    door.post("/subscribe", email="mei@example.org")
    link = door.link()
    assert [door.post(link).status for _ in range(2)] == [200, 200]
    assert [record.event for record in door.records("mei@example.org")] == [
        ConsentEvent.requested,
        ConsentEvent.subscribed,
    ]


def test_opening_the_link_confirms_nothing(door: Door) -> None:
    door.post("/subscribe", email="mei@example.org")
    link = door.link()
    before = dump_tables(door.engine)
    for method in ("GET", "HEAD"):
        for _ in range(5):
            assert ask(door.url, method, link).status == 200
    assert dump_tables(door.engine) == before


def test_a_wrong_link_and_a_used_one_get_the_same_page(door: Door) -> None:
    door.post("/subscribe", email="mei@example.org")
    link = door.link()
    door.post(link)
    used, wrong = door.get(link), door.get("/confirm/" + "A" * 39)
    assert (used.status, used.body) == (404, wrong.body)


def test_the_mail_says_nothing_that_the_visitor_typed(door: Door) -> None:
    door.post(
        "/subscribe", email="mei@example.org", name="Buy now", website="", subject="https://evil.example"
    )
    (mail,) = door.mails()
    assert b"evil" not in bytes(mail)
    assert b"Buy" not in bytes(mail)


def test_an_address_gets_one_mail_a_day_however_often_it_is_written(door: Door) -> None:
    for spelling in ("mei@example.org", "MEI@example.org", "mei+news@example.org", "mei@example.org"):
        assert door.post("/subscribe", email=spelling).status == 200
    for spelling in ("m.e.i@gmail.com", "mei@gmail.com", "mei@googlemail.com"):
        assert door.post("/subscribe", email=spelling).status == 200
    assert len(door.mails()) == 2


def test_a_network_that_asks_too_often_is_told_to_wait(door: Door) -> None:
    statuses = [
        door.post("/subscribe", email=f"reader{n}@example.org").status for n in range(NETWORK.maximum + 2)
    ]
    assert statuses == [200] * NETWORK.maximum + [429, 429]
    assert len(door.mails()) == NETWORK.maximum
    refused = door.post("/subscribe", email="late@example.org")
    assert "Nothing was sent. Please try again in an hour." in words_of(refused)


def test_a_form_is_sent_once_and_a_double_click_is_one_request(door: Door) -> None:
    key = door.workspace.keys.suppression
    stamp = make_form_token(key, datetime.now(UTC) - timedelta(minutes=1))
    first, second = (door.post("/subscribe", email="mei@example.org", stamp=stamp) for _ in range(2))
    assert (first.status, first.body) == (second.status, second.body)
    for path, email in (("/subscribe", "victim@example.org"), ("/link", "mei@example.org")):
        other = door.post(path, email=email, stamp=stamp)
        assert other.status == 422
        assert "press the button again" in other.text
        fresh = re.search(r'name="stamp" value="([^"]+)"', other.text)
        assert fresh is not None
        assert fresh[1] != stamp
    assert len(queued_mails(door.engine)) == 1


def test_another_spelling_of_a_form_token_is_no_other_form(door: Door) -> None:
    key = door.workspace.keys.suppression
    stamp = make_form_token(key, datetime.now(UTC) - timedelta(minutes=1))
    for other in (
        f"{stamp}=",
        f"{stamp}A",
        stamp[:-1],
        stamp.lower(),
        f"{stamp[:-1]}{chr(ord(stamp[-1]) + 1)}",
    ):
        assert door.post("/subscribe", email="mei@example.org", stamp=other).status == 422
    assert door.post("/subscribe", email="mei@example.org", stamp=stamp).status == 200


def test_a_program_that_fills_in_everything_gets_the_usual_answer_and_no_mail(door: Door) -> None:
    person = door.post("/subscribe", email="mei@example.org")
    program = door.post("/subscribe", email="bot@example.org", website="https://spam.example")
    assert (program.status, program.body) == (person.status, person.body)
    assert [mail["To"] for mail in door.mails()] == ["mei@example.org"]


@pytest.mark.parametrize("age", [timedelta(0), timedelta(days=2), timedelta(hours=-1), None])
def test_a_form_that_comes_back_too_soon_or_too_late_is_to_be_sent_again(
    door: Door, age: timedelta | None
) -> None:
    key = door.workspace.keys.suppression
    stamp = "" if age is None else make_form_token(key, datetime.now(UTC) - age)
    answer = door.post("/subscribe", email="mei@example.org", stamp=stamp)
    assert answer.status == 422
    assert "press the button again" in answer.text
    assert 'value="mei@example.org"' in answer.text
    assert door.mails() == []


@pytest.mark.parametrize(
    "typed", ["", "mei", "mei@", "mei@example", "a@b@c", "mei@example.org\r\nBcc: x@y.org", "@"]
)
def test_what_is_no_address_is_said_to_be_none(door: Door, typed: str) -> None:
    answer = door.post("/subscribe", email=typed)
    assert answer.status == 422
    assert "Enter an email address in the correct format" in answer.text
    assert door.mails() == []


def test_nobody_signs_up_from_another_site(door: Door) -> None:
    headers = {**OWN, "sec-fetch-site": "cross-site", "origin": "https://evil.example"}
    assert door.post("/subscribe", headers, email="mei@example.org").status == 403
    assert door.mails() == []


def test_a_closed_door_is_no_door(workspace: Workspace) -> None:
    with served(create_app(workspace)) as running:
        assert ask(running.url, "GET", "/subscribe").status == 404
        assert ask(running.url, "POST", "/subscribe", b"email=a@example.org", OWN).status == 404
        assert ask(running.url, "GET", "/link").status == 200


# --- who is known and who is not ----------------------------------------------------------------------------


def fill_list(door: Door) -> dict[str, str]:
    """An address of each kind."""
    keys = door.workspace.keys
    for status in (Status.active, Status.paused, Status.pending, Status.unsubscribed):
        add_reader(door.engine, keys, f"{status}@example.org", status=status)
    add_reader(door.engine, keys, "barred@example.org")
    with Session(door.engine) as session:
        suppress(
            session,
            "barred@example.org",
            key=keys.suppression,
            method="command line",
            now=datetime.now(UTC),
        )
        suppress(
            session,
            "spammed@example.org",
            key=keys.suppression,
            reason=ConsentEvent.complained,
            method="feedback loop",
            now=datetime.now(UTC),
        )
        session.commit()
    kinds = ("active", "paused", "pending", "unsubscribed", "barred", "spammed", "unknown")
    return {kind: f"{kind}@example.org" for kind in kinds}


@pytest.mark.parametrize("path", ["/subscribe", "/link"])
def test_the_answer_is_the_same_for_everybody(door: Door, path: str) -> None:
    answers = {kind: door.post(path, email=email) for kind, email in fill_list(door).items()}
    assert {answer.status for answer in answers.values()} == {200}
    assert len({answer.body for answer in answers.values()}) == 1
    headers = {
        tuple(sorted((name, value) for name, value in answer.headers.items() if name != "date"))
        for answer in answers.values()
    }
    assert len(headers) == 1


def test_signing_up_writes_the_same_for_everybody(door: Door) -> None:
    """The same statements whoever it is, so the same time."""
    emails = fill_list(door)
    before = dump_tables(door.engine)
    for email in emails.values():
        door.post("/subscribe", email=email)
    after = dump_tables(door.engine)
    assert {name for name in after if after[name] != before[name]} == {"letter", "throttle"}
    assert len(after["letter"]) == len(emails)


def test_each_gets_the_mail_that_is_right_and_the_suppressed_get_none(door: Door) -> None:
    for email in fill_list(door).values():
        door.post("/subscribe", email=email)
    subjects = {str(mail["To"]).partition("@")[0]: str(mail["Subject"]) for mail in door.mails()}
    confirm, already = "Please confirm your subscription", "You are already subscribed"
    assert subjects == {
        "active": already,
        "paused": already,
        "pending": confirm,
        "unsubscribed": confirm,
        "unknown": confirm,
    }
    assert find_reader(door.engine, "barred@example.org").status is Status.unsubscribed
    assert find_reader(door.engine, "unsubscribed@example.org").status is Status.unsubscribed


def test_whoever_is_on_the_list_gets_their_link_and_nobody_else_does(door: Door) -> None:
    for email in fill_list(door).values():
        door.post("/link", email=email)
    assert {str(mail["To"]) for mail in door.mails()} == {
        "active@example.org",
        "paused@example.org",
        "unsubscribed@example.org",
    }
    assert door.get(door.link()).status == 200


def test_a_link_to_somebody_who_is_gone_brings_nobody_back(door: Door) -> None:
    fill_list(door)
    door.post("/link", email="unsubscribed@example.org")
    door.get(door.link())
    assert find_reader(door.engine, "unsubscribed@example.org").status is Status.unsubscribed


def test_an_address_barred_between_the_mail_and_the_press_stays_barred(door: Door) -> None:
    door.post("/subscribe", email="mei@example.org")
    link = door.link()
    with Session(door.engine) as session:
        key = door.workspace.keys.suppression
        suppress(session, "mei@example.org", key=key, method="command line", now=datetime.now(UTC))
        session.commit()
    assert door.post(link).status == 404
    assert find_reader(door.engine, "mei@example.org").status is Status.unsubscribed


# --- mailing ------------------------------------------------------------------------------------------------


def queued_mails(engine: Engine) -> list[QueuedTransactionalMail]:
    with Session(engine) as session:
        return list(session.exec(select(QueuedTransactionalMail)))


def make_due(engine: Engine) -> None:
    with Session(engine) as session:
        for mail in session.exec(select(QueuedTransactionalMail)):
            mail.not_before = mail.asked_at
            session.add(mail)
        session.commit()


def test_what_the_relay_puts_off_is_the_same_mail_when_it_is_tried_again(door: Door) -> None:
    door.server.answer(Stage.dot, "451 4.3.0 Try again later", times=1)
    door.post("/subscribe", email="mei@example.org")
    assert door.mails() == []
    (queued,) = queued_mails(door.engine)
    assert (queued.attempts, "451" in queued.reason) == (1, True)
    assert send_due_mails(door.workspace, door.engine) == 0
    make_due(door.engine)
    (mail,) = door.mails()
    assert queued.token in bytes(mail).decode().replace("=\n", "")
    assert queued_mails(door.engine) == []


def test_a_mail_whose_sender_died_is_sent_by_another(door: Door) -> None:
    door.post("/subscribe", email="mei@example.org")
    taken = claim_mail(door.workspace, door.engine)
    assert taken is not None
    assert claim_mail(door.workspace, door.engine) is None
    make_due(door.engine)
    assert taken.token in door.link()
    assert len(door.mails()) == 1


def test_a_dead_address_is_not_tried_again(door: Door) -> None:
    door.server.answer(Stage.rcpt, "550 5.1.1 No such user")
    door.post("/subscribe", email="mei@example.org")
    assert door.mails() == []
    assert queued_mails(door.engine) == []


def test_transactional_mails_go_out_by_themselves_beside_the_pages(door: Door) -> None:
    stop = threading.Event()
    said: list[str] = []
    thread = threading.Thread(
        target=run_mail_worker,
        args=(door.workspace,),
        kwargs={"stop": stop, "report": said.append, "poll_seconds": 0.01},
    )
    thread.start()
    try:
        door.post("/subscribe", email="mei@example.org")
        wait_until(lambda: len(door.server.received) == 1, what="the confirming mail")
    finally:
        stop.set()
        thread.join()
    assert said == []


# --- what needs a fresh link --------------------------------------------------------------------------------


def test_a_forwarded_link_has_a_fresh_one_mailed_to_the_owner(door: Door) -> None:
    token = add_reader(door.engine, door.workspace.keys, "mei@example.org", language="mn")
    page = door.get(f"/p/{token}/data")
    assert "mei@" not in page.text
    for wish in ("erase", "address"):
        assert door.post(f"/p/{token}/data", wish=wish).status == 200
    assert [mail["To"] for mail in door.mails()] == ["mei@example.org"] * 2
    assert door.post(f"/p/{token}/data", wish="everything").status == 400


def test_everything_known_is_one_file_behind_a_fresh_link(door: Door) -> None:
    token = add_reader(door.engine, door.workspace.keys, "mei@example.org", name="Mei", country="MN")
    door.post(f"/p/{token}/data", wish="export")
    link = door.link()
    assert door.get(link).status == 200
    file = door.post(link)
    assert file.headers["content-disposition"] == 'attachment; filename="my-data.json"'
    assert (file.headers["content-type"], file.headers["cache-control"]) == ("application/json", "no-store")
    known = json.loads(file.body)
    assert (known["subscriber"]["email"], known["subscriber"]["country"]) == ("mei@example.org", "MN")
    assert door.post(link).status == 404


def test_erasing_takes_a_press_on_a_fresh_link_and_works_once(door: Door) -> None:
    token = add_reader(door.engine, door.workspace.keys, "mei@example.org", name="Mei")
    door.post(f"/p/{token}/data", wish="erase")
    link = door.link()
    assert link.startswith("/d/erase/")
    before = dump_tables(door.engine)
    assert "Erase all your data?" in door.get(link).text
    assert dump_tables(door.engine) == before
    assert "Your data has been erased." in door.post(link).text
    with Session(door.engine) as session:
        assert session.exec(select(Subscriber.status)).one() is Status.erased
    assert "mei@example.org" not in repr(dump_tables(door.engine))
    assert door.post(link).status == 404


def test_an_address_changes_after_both_mailboxes_were_shown(door: Door) -> None:
    token = add_reader(door.engine, door.workspace.keys, "mei@example.org")
    door.post(f"/p/{token}/data", wish="address")
    form = door.link()
    assert door.post(form, email="nonsense").status == 422
    assert door.post(form, email="lin@example.org").status == 200
    assert door.post(form, email="other@example.org").status == 404
    link = door.link()
    assert [str(mail["To"]) for mail in door.mails()] == ["mei@example.org", "lin@example.org"]
    assert door.get(link).status == 200
    assert find_reader(door.engine, "mei@example.org").status is Status.active
    moved = door.post(link)
    assert "Your address has been changed." in moved.text
    assert find_reader(door.engine, "lin@example.org").status is Status.active
    assert door.post(link).status == 404


def test_nobody_learns_that_a_new_address_is_somebody_elses(door: Door) -> None:
    token = add_reader(door.engine, door.workspace.keys, "mei@example.org")
    add_reader(door.engine, door.workspace.keys, "taken@example.org")
    answers = []
    for email in ("taken@example.org", "free@example.org"):
        door.post(f"/p/{token}/data", wish="address")
        answers.append(door.post(door.link(), email=email))
    assert answers[0].body == answers[1].body
    assert [str(mail["To"]) for mail in door.mails()] == ["mei@example.org"] * 2 + ["free@example.org"]
