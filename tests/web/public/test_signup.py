"""Pages for unknown visitors: signing up, confirming, requesting a link, and what they do not reveal."""

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
from mailer.dispatch.waiting_mails import QueueRun
from mailer.selfservice.confirmation import make_form_token
from mailer.selfservice.mail_worker import READER_MAILS, run_mail_worker
from mailer.selfservice.rate_limit import NETWORK
from mailer.web.app import create_app
from mailer.workspace import Workspace, open_workspace
from subscribers.consent.status_changes import suppress
from subscribers.errors import AddressError
from subscribers.models import ConsentEvent, ConsentRecord, Status, Subscriber
from tests.servers.misbehaving_smtp import MisbehavingServer, Stage
from tests.servers.process import wait_until
from tests.web.site import (
    HttpResponse,
    add_reader,
    dump_tables,
    find_reader,
    opened_engine,
    send_request,
    served,
)

OWN = {"content-type": "application/x-www-form-urlencoded", "sec-fetch-site": "same-origin"}


class SignUpSite:
    """The pages of a workspace that accepts sign-ups, and its mail server."""

    def __init__(self, workspace: Workspace, engine: Engine, url: str, server: MisbehavingServer) -> None:
        self.workspace, self.engine, self.url, self.server = workspace, engine, url, server

    def get(self, path: str) -> HttpResponse:
        return send_request(self.url, "GET", path)

    def post(self, path: str, headers: dict[str, str] | None = None, **fields: str) -> HttpResponse:
        key = self.workspace.keys.suppression
        stamp = make_form_token(key, datetime.now(UTC) - timedelta(minutes=1))
        body = urlencode({"lang": "en", "stamp": stamp, **fields}).encode()
        return send_request(self.url, "POST", path, body, headers or OWN)

    def mails(self) -> list[EmailMessage]:
        """Send all mails that are due; return these and all sent before."""
        READER_MAILS.send_due(self.make_run())
        return [
            message_from_bytes(received.content, _class=EmailMessage, policy=policy.default)
            for received in self.server.received
        ]

    def make_run(self) -> QueueRun:
        return QueueRun(workspace=self.workspace, engine=self.engine)

    def link(self, number: int = -1) -> str:
        """The path of the link in a mail."""
        text = self.mails()[number].get_body(("plain",))
        assert text is not None
        return urlsplit(re.findall(r"https?://\S+", text.get_content())[0]).path

    def records(self, email: str) -> list[ConsentRecord]:
        with Session(self.engine) as session:
            mine = ConsentRecord.subscriber_id == find_reader(self.engine, email).id
            return list(session.exec(select(ConsentRecord).where(mine)))


@pytest.fixture
def site(either_workspace: Workspace) -> Iterator[SignUpSite]:
    with MisbehavingServer() as server:
        environ = {
            "MAILER_WEB__SIGN_UP": "true",
            "MAILER_SMTP__URL": server.url,
            "MAILER_DATABASE__URL": either_workspace.settings.database.url,
        }
        workspace = open_workspace(either_workspace.root, environ=environ)
        with opened_engine(workspace) as engine, served(create_app(workspace)) as running:
            yield SignUpSite(workspace, engine, running.url, server)


def words_of(answer: HttpResponse) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", answer.text).split())


# --- signing up ---------------------------------------------------------------------------------------------


def test_a_visitor_signs_up_and_confirms(site: SignUpSite) -> None:
    shown = site.get("/subscribe")
    assert (shown.status, shown.headers["x-robots-tag"]) == (200, "noindex, nofollow")
    asked = site.post("/subscribe", email=" Mei.Lin@example.org ", lang="fr")
    assert asked.status == 200
    assert "un message est en route" in words_of(asked)
    (mail,) = site.mails()
    assert (mail["To"], mail["Content-Language"]) == ("mei.lin@example.org", "fr")
    assert mail["Subject"] == "Veuillez confirmer votre abonnement"
    assert mail["Auto-Submitted"] == "auto-replied"
    assert find_reader(site.engine, "mei.lin@example.org").status is Status.pending
    page = site.get(site.link())
    assert page.status == 200
    assert "m…@e…org" in page.text
    assert find_reader(site.engine, "mei.lin@example.org").status is Status.pending
    welcome = site.post(site.link(), lang="fr")
    assert "Bienvenue." in welcome.text
    reader = find_reader(site.engine, "mei.lin@example.org")
    assert (reader.status, reader.language) == (Status.active, "fr")
    requested, subscribed = site.records("mei.lin@example.org")
    assert (requested.event, subscribed.event) == (ConsentEvent.requested, ConsentEvent.subscribed)
    assert "Je souhaite recevoir par courriel" in requested.wording
    assert requested.evidence.startswith("from hmac-sha256:")
    assert (subscribed.method, subscribed.language) == ("page", "fr")
    preferences = re.search(r'href="(/p/[^"]+)"', welcome.text)
    assert preferences is not None
    assert site.get(preferences[1]).status == 200


def test_confirming_twice_has_no_further_effect(site: SignUpSite) -> None:
    site.post("/subscribe", email="mei@example.org")
    link = site.link()
    assert [site.post(link).status for _ in range(2)] == [200, 200]
    assert [record.event for record in site.records("mei@example.org")] == [
        ConsentEvent.requested,
        ConsentEvent.subscribed,
    ]


def test_opening_the_link_confirms_nothing(site: SignUpSite) -> None:
    site.post("/subscribe", email="mei@example.org")
    link = site.link()
    before = dump_tables(site.engine)
    for method in ("GET", "HEAD"):
        for _ in range(5):
            assert send_request(site.url, method, link).status == 200
    assert dump_tables(site.engine) == before


def test_an_invalid_link_and_a_used_one_get_the_same_page(site: SignUpSite) -> None:
    site.post("/subscribe", email="mei@example.org")
    link = site.link()
    site.post(link)
    used, wrong = site.get(link), site.get("/confirm/" + "A" * 39)
    assert (used.status, used.body) == (404, wrong.body)


def test_the_mail_contains_nothing_that_the_visitor_typed(site: SignUpSite) -> None:
    site.post(
        "/subscribe", email="mei@example.org", name="Buy now", website="", subject="https://evil.example"
    )
    (mail,) = site.mails()
    assert b"evil" not in bytes(mail)
    assert b"Buy" not in bytes(mail)


def test_an_address_gets_one_mail_a_day_however_often_it_is_entered(site: SignUpSite) -> None:
    for spelling in ("mei@example.org", "MEI@example.org", "mei+news@example.org", "mei@example.org"):
        assert site.post("/subscribe", email=spelling).status == 200
    for spelling in ("m.e.i@gmail.com", "mei@gmail.com", "mei@googlemail.com"):
        assert site.post("/subscribe", email=spelling).status == 200
    assert len(site.mails()) == 2


def test_requests_from_one_network_are_limited(site: SignUpSite) -> None:
    statuses = [
        site.post("/subscribe", email=f"reader{n}@example.org").status for n in range(NETWORK.maximum + 2)
    ]
    assert statuses == [200] * NETWORK.maximum + [429, 429]
    assert len(site.mails()) == NETWORK.maximum
    refused = site.post("/subscribe", email="late@example.org")
    assert "Nothing was sent. Please try again in an hour." in words_of(refused)


def test_a_form_is_sent_once_and_a_double_click_is_one_request(site: SignUpSite) -> None:
    key = site.workspace.keys.suppression
    stamp = make_form_token(key, datetime.now(UTC) - timedelta(minutes=1))
    first, second = (site.post("/subscribe", email="mei@example.org", stamp=stamp) for _ in range(2))
    assert (first.status, first.body) == (second.status, second.body)
    for path, email in (("/subscribe", "victim@example.org"), ("/link", "mei@example.org")):
        other = site.post(path, email=email, stamp=stamp)
        assert other.status == 422
        assert "press the button again" in other.text
        fresh = re.search(r'name="stamp" value="([^"]+)"', other.text)
        assert fresh is not None
        assert fresh[1] != stamp
    assert len(queued_mails(site.engine)) == 1


def test_another_spelling_of_a_form_token_is_no_other_form(site: SignUpSite) -> None:
    key = site.workspace.keys.suppression
    stamp = make_form_token(key, datetime.now(UTC) - timedelta(minutes=1))
    for other in (
        f"{stamp}=",
        f"{stamp}A",
        stamp[:-1],
        stamp.lower(),
        f"{stamp[:-1]}{chr(ord(stamp[-1]) + 1)}",
    ):
        assert site.post("/subscribe", email="mei@example.org", stamp=other).status == 422
    assert site.post("/subscribe", email="mei@example.org", stamp=stamp).status == 200


def test_a_bot_that_fills_in_every_field_gets_the_usual_page_and_no_mail(site: SignUpSite) -> None:
    person = site.post("/subscribe", email="mei@example.org")
    program = site.post("/subscribe", email="bot@example.org", website="https://spam.example")
    assert (program.status, program.body) == (person.status, person.body)
    assert [mail["To"] for mail in site.mails()] == ["mei@example.org"]


@pytest.mark.parametrize("age", [timedelta(0), timedelta(days=2), timedelta(hours=-1), None])
def test_a_form_submitted_too_soon_or_too_late_must_be_sent_again(
    site: SignUpSite, age: timedelta | None
) -> None:
    key = site.workspace.keys.suppression
    stamp = "" if age is None else make_form_token(key, datetime.now(UTC) - age)
    answer = site.post("/subscribe", email="mei@example.org", stamp=stamp)
    assert answer.status == 422
    assert "press the button again" in answer.text
    assert 'value="mei@example.org"' in answer.text
    assert site.mails() == []


@pytest.mark.parametrize(
    "typed", ["", "mei", "mei@", "mei@example", "a@b@c", "mei@example.org\r\nBcc: x@y.org", "@"]
)
def test_an_invalid_address_is_refused(site: SignUpSite, typed: str) -> None:
    answer = site.post("/subscribe", email=typed)
    assert answer.status == 422
    assert "Enter an email address in the correct format" in answer.text
    assert site.mails() == []


def test_a_sign_up_from_another_site_is_refused(site: SignUpSite) -> None:
    headers = {**OWN, "sec-fetch-site": "cross-site", "origin": "https://evil.example"}
    assert site.post("/subscribe", headers, email="mei@example.org").status == 403
    assert site.mails() == []


def test_without_sign_up_its_pages_are_not_found(workspace: Workspace) -> None:
    with served(create_app(workspace)) as running:
        assert send_request(running.url, "GET", "/subscribe").status == 404
        assert send_request(running.url, "POST", "/subscribe", b"email=a@example.org", OWN).status == 404
        assert send_request(running.url, "GET", "/link").status == 200


# --- what is not revealed -----------------------------------------------------------------------------------


def fill_list(site: SignUpSite) -> dict[str, str]:
    """An address of each kind."""
    keys = site.workspace.keys
    for status in (Status.active, Status.paused, Status.pending, Status.unsubscribed):
        add_reader(site.engine, keys, f"{status}@example.org", status=status)
    add_reader(site.engine, keys, "barred@example.org")
    with Session(site.engine) as session:
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
def test_the_response_is_the_same_for_every_address(site: SignUpSite, path: str) -> None:
    answers = {kind: site.post(path, email=email) for kind, email in fill_list(site).items()}
    assert {answer.status for answer in answers.values()} == {200}
    assert len({answer.body for answer in answers.values()}) == 1
    headers = {
        tuple(sorted((name, value) for name, value in answer.headers.items() if name != "date"))
        for answer in answers.values()
    }
    assert len(headers) == 1


def test_signing_up_writes_the_same_for_every_address(site: SignUpSite) -> None:
    """The same statements for every address, so the same time."""
    emails = fill_list(site)
    before = dump_tables(site.engine)
    for email in emails.values():
        site.post("/subscribe", email=email)
    after = dump_tables(site.engine)
    assert {name for name in after if after[name] != before[name]} == {"letter", "throttle"}
    assert len(after["letter"]) == len(emails)


def test_each_address_gets_the_right_mail_and_suppressed_ones_get_none(site: SignUpSite) -> None:
    for email in fill_list(site).values():
        site.post("/subscribe", email=email)
    subjects = {str(mail["To"]).partition("@")[0]: str(mail["Subject"]) for mail in site.mails()}
    confirm, already = "Please confirm your subscription", "You are already subscribed"
    assert subjects == {
        "active": already,
        "paused": already,
        "pending": confirm,
        "unsubscribed": confirm,
        "unknown": confirm,
    }
    assert find_reader(site.engine, "barred@example.org").status is Status.unsubscribed
    assert find_reader(site.engine, "unsubscribed@example.org").status is Status.unsubscribed


def test_only_people_on_the_list_get_their_link(site: SignUpSite) -> None:
    for email in fill_list(site).values():
        site.post("/link", email=email)
    assert {str(mail["To"]) for mail in site.mails()} == {
        "active@example.org",
        "paused@example.org",
        "unsubscribed@example.org",
    }
    assert site.get(site.link()).status == 200


def test_opening_a_mailed_link_does_not_resubscribe(site: SignUpSite) -> None:
    fill_list(site)
    site.post("/link", email="unsubscribed@example.org")
    site.get(site.link())
    assert find_reader(site.engine, "unsubscribed@example.org").status is Status.unsubscribed


def test_an_address_suppressed_before_it_is_confirmed_stays_suppressed(site: SignUpSite) -> None:
    site.post("/subscribe", email="mei@example.org")
    link = site.link()
    with Session(site.engine) as session:
        key = site.workspace.keys.suppression
        suppress(session, "mei@example.org", key=key, method="command line", now=datetime.now(UTC))
        session.commit()
    assert site.post(link).status == 404
    assert find_reader(site.engine, "mei@example.org").status is Status.unsubscribed


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


def test_a_deferred_mail_is_the_same_when_it_is_retried(site: SignUpSite) -> None:
    site.server.answer(Stage.dot, "451 4.3.0 Try again later", times=1)
    site.post("/subscribe", email="mei@example.org")
    assert site.mails() == []
    (queued,) = queued_mails(site.engine)
    assert (queued.attempts, "451" in queued.reason) == (1, True)
    assert READER_MAILS.send_due(site.make_run()).sent == 0
    make_due(site.engine)
    (mail,) = site.mails()
    assert queued.token in bytes(mail).decode().replace("=\n", "")
    assert queued_mails(site.engine) == []


def test_a_mail_claimed_by_a_dead_worker_is_sent_by_another(site: SignUpSite) -> None:
    site.post("/subscribe", email="mei@example.org")
    run = site.make_run()
    taken = READER_MAILS.claim(run, READER_MAILS.find_due(run) or 0)
    assert taken is not None
    assert READER_MAILS.find_due(run) is None
    make_due(site.engine)
    assert taken.mail.url.endswith(site.link())
    assert len(site.mails()) == 1


def test_a_dead_address_is_not_tried_again(site: SignUpSite) -> None:
    site.server.answer(Stage.rcpt, "550 5.1.1 No such user")
    site.post("/subscribe", email="mei@example.org")
    assert site.mails() == []
    assert queued_mails(site.engine) == []


def test_an_address_that_is_not_valid_any_more_holds_up_no_other_mail(site: SignUpSite) -> None:
    site.server.answer(Stage.dot, "451 4.3.0 Try again later", times=1)
    site.post("/subscribe", email="mei@example.org")
    assert site.mails() == []
    with Session(site.engine) as session:
        (refused,) = session.exec(select(QueuedTransactionalMail))
        refused.email, refused.not_before = "mei@localhost", refused.asked_at
        session.add(refused)
        session.commit()
    site.post("/subscribe", email="ann@example.org")
    with pytest.raises(AddressError):
        site.mails()
    assert len(site.mails()) == 1
    assert [mail.email for mail in queued_mails(site.engine)] == ["mei@localhost"]


def test_the_mail_worker_sends_mails_in_the_background(site: SignUpSite) -> None:
    stop = threading.Event()
    said: list[str] = []
    thread = threading.Thread(
        target=run_mail_worker,
        args=(site.workspace,),
        kwargs={"stop": stop, "report": said.append, "poll_seconds": 0.01},
    )
    thread.start()
    try:
        site.post("/subscribe", email="mei@example.org")
        wait_until(lambda: len(site.server.received) == 1, what="the confirming mail")
    finally:
        stop.set()
        thread.join()
    assert said == []


# --- what needs a fresh link --------------------------------------------------------------------------------


def test_with_a_forwarded_link_a_fresh_one_is_mailed_to_the_owner(site: SignUpSite) -> None:
    token = add_reader(site.engine, site.workspace.keys, "mei@example.org", language="mn")
    page = site.get(f"/p/{token}/data")
    assert "mei@" not in page.text
    for wish in ("erase", "address"):
        assert site.post(f"/p/{token}/data", wish=wish).status == 200
    assert [mail["To"] for mail in site.mails()] == ["mei@example.org"] * 2
    assert site.post(f"/p/{token}/data", wish="everything").status == 400


def test_the_data_export_is_one_file_behind_a_fresh_link(site: SignUpSite) -> None:
    token = add_reader(site.engine, site.workspace.keys, "mei@example.org", name="Mei", country="MN")
    site.post(f"/p/{token}/data", wish="export")
    link = site.link()
    assert site.get(link).status == 200
    file = site.post(link)
    assert file.headers["content-disposition"] == 'attachment; filename="my-data.json"'
    assert (file.headers["content-type"], file.headers["cache-control"]) == ("application/json", "no-store")
    known = json.loads(file.body)
    assert (known["subscriber"]["email"], known["subscriber"]["country"]) == ("mei@example.org", "MN")
    assert site.post(link).status == 404


def test_erasing_needs_a_confirmed_fresh_link_and_works_once(site: SignUpSite) -> None:
    token = add_reader(site.engine, site.workspace.keys, "mei@example.org", name="Mei")
    site.post(f"/p/{token}/data", wish="erase")
    link = site.link()
    assert link.startswith("/d/erase/")
    before = dump_tables(site.engine)
    assert "Erase all your data?" in site.get(link).text
    assert dump_tables(site.engine) == before
    assert "Your data has been erased." in site.post(link).text
    with Session(site.engine) as session:
        assert session.exec(select(Subscriber.status)).one() is Status.erased
    assert "mei@example.org" not in repr(dump_tables(site.engine))
    assert site.post(link).status == 404


def test_an_address_changes_after_both_mailboxes_confirmed_it(site: SignUpSite) -> None:
    token = add_reader(site.engine, site.workspace.keys, "mei@example.org")
    site.post(f"/p/{token}/data", wish="address")
    form = site.link()
    assert site.post(form, email="nonsense").status == 422
    assert site.post(form, email="lin@example.org").status == 200
    assert site.post(form, email="other@example.org").status == 404
    link = site.link()
    assert [str(mail["To"]) for mail in site.mails()] == ["mei@example.org", "lin@example.org"]
    assert site.get(link).status == 200
    assert find_reader(site.engine, "mei@example.org").status is Status.active
    moved = site.post(link)
    assert "Your address has been changed." in moved.text
    assert find_reader(site.engine, "lin@example.org").status is Status.active
    assert site.post(link).status == 404


def test_a_taken_new_address_is_not_revealed(site: SignUpSite) -> None:
    token = add_reader(site.engine, site.workspace.keys, "mei@example.org")
    add_reader(site.engine, site.workspace.keys, "taken@example.org")
    answers = []
    for email in ("taken@example.org", "free@example.org"):
        site.post(f"/p/{token}/data", wish="address")
        answers.append(site.post(site.link(), email=email))
    assert answers[0].body == answers[1].body
    assert [str(mail["To"]) for mail in site.mails()] == ["mei@example.org"] * 2 + ["free@example.org"]


def test_a_reviewed_sign_up_waits_and_its_page_says_so(site: SignUpSite) -> None:
    environ = {
        "MAILER_WEB__SIGN_UP": "reviewed",
        "MAILER_SMTP__URL": site.server.url,
        "MAILER_DATABASE__URL": site.workspace.settings.database.url,
    }
    workspace = open_workspace(site.workspace.root, environ=environ)
    with served(create_app(workspace)) as running:
        reviewed = SignUpSite(workspace, site.engine, running.url, site.server)
        assert reviewed.post("/subscribe", email="mei@example.org").status == 200
        link = reviewed.link()
        for _ in range(2):
            answer = reviewed.post(link)
            assert answer.status == 200
            assert "A person at UNESCO Office in Beijing looks at every sign-up" in words_of(answer)
    assert find_reader(site.engine, "mei@example.org").status is Status.pending
    assert [record.event for record in site.records("mei@example.org")] == [ConsentEvent.requested] * 2
