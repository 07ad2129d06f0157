"""The page whether a mail is from us: what it answers, what it keeps, and that it names nobody."""

import re
from collections.abc import Iterator
from urllib.parse import urlencode

import pytest
from sqlalchemy import Engine, event, update
from sqlmodel import Session

from mailer.verification.fakes import list_fakes
from mailer.verification.mail_check import NETWORK
from mailer.web.app import create_app
from mailer.web.public.verify import MAX_MAIL_BYTES
from mailer.workspace import Workspace
from subscribers.models import Status, Subscriber
from tests.factories.submitted_mails import (
    Sender,
    forward_by_gmail,
    make_sender,
    receive,
    turn_links_away,
)
from tests.factories.submitted_mails import (
    list_fakes as write_fakes,
)
from tests.web.site import HttpResponse, dump_tables, send_request, served, write_form_data

OWN = {"content-type": "application/x-www-form-urlencoded", "sec-fetch-site": "same-origin"}


@pytest.fixture
def engine(workspace: Workspace) -> Iterator[Engine]:
    engine = workspace.open_database()
    yield engine
    engine.dispose()


@pytest.fixture
def sender(workspace: Workspace, engine: Engine) -> Sender:
    return make_sender(workspace, engine)


@pytest.fixture
def url(sender: Sender) -> Iterator[str]:
    with served(create_app(sender.workspace)) as running:
        yield running.url


def ask(url: str, code: str, **headers: str) -> HttpResponse:
    body = urlencode({"lang": "en", "code": code}).encode()
    return send_request(url, "POST", "/verify", body, {**OWN, **headers})


def submit(url: str, mail: bytes, *, language: str = "en") -> HttpResponse:
    body, kind = write_form_data({"lang": language.encode(), "mail": mail})
    return send_request(url, "POST", "/verify/mail", body, {**OWN, "content-type": kind})


def read_heading(answer: HttpResponse) -> str:
    found = re.search(r"<h1>(.*?)</h1>", answer.text, re.DOTALL)
    assert found is not None
    return found[1]


def read_verdicts(engine: Engine) -> list[str]:
    with Session(engine) as session:
        return sorted(fake.verdict for fake in list_fakes(session))


@pytest.mark.parametrize(
    ("language", "heading"),
    [
        ("en", "This code is ours"),
        ("zh-Hans", "这是我们的验证码"),
        ("ja", "私たちのコードです"),
        ("ko", "저희 코드입니다"),
        ("mn", "Энэ код манайх мөн"),
        ("fr", "Ce code est le nôtre"),
    ],
)
def test_a_code_is_confirmed_with_what_to_compare(
    sender: Sender, url: str, language: str, heading: str
) -> None:
    body = urlencode({"lang": language, "code": sender.write_code(5).lower()}).encode()
    answer = send_request(url, "POST", "/verify", body, OWN)
    assert answer.status == 200
    assert read_heading(answer) == heading
    for words in ("What we did this autumn", "news@example.org", 'href="/e/2021-2/en"', "2026"):
        assert words in answer.text


@pytest.mark.parametrize(
    ("code", "heading"),
    [
        ("7K3M-QX9P-2HWD-5T8", "This is not a whole code"),
        ("", "This is not a whole code"),
        ("<script>alert(1)</script>", "This is not a whole code"),
        ("0000-0000-0000-0000", "This code is only a sample"),
        ("0000000000000000", "This code is only a sample"),
    ],
)
def test_what_is_no_code_is_told_apart(url: str, code: str, heading: str) -> None:
    answer = ask(url, code)
    assert read_heading(answer) == heading
    assert "<script>alert" not in answer.text


def test_a_code_that_we_never_gave_is_none_of_ours(sender: Sender, url: str) -> None:
    other = sender.tokens.__class__(keys={1: b"o" * 32}, current=1).sign_code(subscriber_id=1, campaign_id=1)
    assert read_heading(ask(url, other)) == "No, this is none of our codes"


def test_the_code_of_a_test_and_that_of_an_edition_that_was_never_sent(sender: Sender, url: str) -> None:
    codes = {campaign: sender.tokens.sign_code(subscriber_id=1, campaign_id=campaign) for campaign in (0, 99)}
    assert read_heading(ask(url, codes[0])) == "This is a test"
    assert read_heading(ask(url, codes[99])) == "We cannot tell"


def test_a_genuine_mail_is_confirmed_and_nothing_of_it_is_kept(sender: Sender, url: str) -> None:
    for mail in (receive(sender.build(5)), forward_by_gmail(sender.build(5))):
        before = {name: rows for name, rows in dump_tables(sender.engine).items() if name != "throttle"}
        answer = submit(url, mail)
        assert read_heading(answer) in {"Yes, this is from us", "Yes, these are our words"}
        after = {name: rows for name, rows in dump_tables(sender.engine).items() if name != "throttle"}
        assert after == before


def test_a_changed_mail_is_kept_and_its_links_named(sender: Sender, url: str) -> None:
    answer = submit(url, turn_links_away(sender.build(5)))
    assert read_heading(answer) == "Careful: this email was changed"
    assert "login.evil.example" in answer.text
    assert "keeps what it says" in answer.text
    assert read_verdicts(sender.engine) == ["altered"]


def test_a_mail_that_is_none_of_ours_and_does_not_say_so_is_not_kept(sender: Sender, url: str) -> None:
    mail = b"From: Bank <info@bank.example>\r\nTo: li@example.net\r\nSubject: News\r\n\r\nHello Li.\r\n"
    assert read_heading(submit(url, mail)) == "No, this is none of our newsletters"
    assert read_verdicts(sender.engine) == []


def test_no_answer_and_nothing_that_is_kept_names_the_reader(sender: Sender, url: str) -> None:
    for number, (_, mail) in enumerate(write_fakes(sender, 5)):
        answer = submit(url, mail)
        assert "reader5" not in answer.text, number
    submit(url, turn_links_away(receive(sender.build(5, name="Sinéad Unmistakable"))))
    with Session(sender.engine) as session:
        kept = list_fakes(session)
    assert len(kept) >= 5
    # The digest of a mail tells the same fake again; whoever has it has the mail.
    words = repr([fake.model_dump(exclude={"digest"}) for fake in kept])
    for trace in ("reader5", "readers.example.net>", "Unmistakable", sender.write_code(5)):
        assert trace not in words
    assert not re.search(r"[0-9a-f]{50}|/u/[\w-]{39}", words)


def test_the_same_fake_is_counted_and_not_kept_twice(sender: Sender, url: str) -> None:
    for number in (5, 6, 7):
        submit(url, turn_links_away(sender.build(number)))
    with Session(sender.engine) as session:
        (fake,) = list_fakes(session)
    assert (fake.times, fake.verdict, fake.campaign) == (3, "altered", "2021-2")
    assert "login.evil.example" in fake.hosts


def test_the_answer_is_the_same_whatever_became_of_the_reader(sender: Sender, url: str) -> None:
    """Nothing is learnt by what it says, nor by how much is asked of the database."""
    with Session(sender.engine) as session:
        session.add(sender.make_subscriber(5))
        session.commit()
    # The first check of an hour deletes old counters, whatever is asked, and the first token that a program
    # reads has it read the series of numbers.
    ask(url, "0" * 16)
    ask(url, sender.write_code(5))
    statements: list[str] = []
    event.listen(Engine, "before_cursor_execute", lambda *arguments: statements.append(arguments[2]))
    seen = set()
    for status in Status:
        with Session(sender.engine) as session:
            session.execute(update(Subscriber).values(status=status))
            session.commit()
        for number in (5, 4711):
            statements.clear()
            code = sender.write_code(number)
            said = ask(url, code).text.replace(code, "")
            mail = submit(url, receive(sender.build(number, name=""))).text
            seen.add((said, mail, tuple(statements)))
    assert len(seen) == 1
    assert not any("subscriber" in one or "delivery" in one for one in statements)


@pytest.mark.parametrize(
    ("mail", "words"),
    [
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, "as Outlook saves it (.msg)"),
        (b"\x78\x9f\x3e\x22" + b"\0" * 600, "winmail.dat"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 600, "This file is not an email"),
        (
            b"From: news@example.org\r\nTo: a@example.net\r\n"
            b"Content-Type: application/pkcs7-mime; smime-type=enveloped-data\r\n\r\nMIAG\r\n",
            "is encrypted",
        ),
    ],
)
def test_what_cannot_be_read_is_named(url: str, mail: bytes, words: str) -> None:
    answer = submit(url, mail)
    assert read_heading(answer) == "We cannot tell"
    assert words in answer.text


def test_no_file_too_large_a_file_and_another_kind_of_form(url: str) -> None:
    assert "Please choose a file first." in submit(url, b"").text
    assert submit(url, b"").status == 422
    head = b"From: a@example.com\r\nSubject: x\r\n\r\n"
    assert submit(url, head + b"x" * (MAX_MAIL_BYTES - len(head))).status == 200
    assert submit(url, head + b"x" * MAX_MAIL_BYTES).status == 413
    assert submit(url, b"x" * (3 * MAX_MAIL_BYTES)).status == 413
    assert send_request(url, "POST", "/verify/mail", b"mail=x", OWN).status == 415


def test_who_asks_too_often_is_told_to_wait(url: str) -> None:
    answers = [ask(url, "0" * 16) for _ in range(NETWORK.maximum + 1)]
    assert {answer.status for answer in answers[:-1]} == {200}
    assert answers[-1].status == 429
    assert "Too many emails were checked" in answers[-1].text


def test_the_pages_of_an_edition_lead_to_the_check(url: str) -> None:
    for path in ("/e/", "/e/2021-2/en", "/verify"):
        assert 'href="/verify?lang=en"' in send_request(url, "GET", path).text
