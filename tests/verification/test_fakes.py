"""The fakes that are kept: what of them, how many, for how long, and how the team reads them."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import Engine
from sqlmodel import Session, select

from mailer.cli import mailer
from mailer.database.feedback_models import FakeMail
from mailer.doctor import Health
from mailer.doctor.feedback_checks import check_fakes
from mailer.privacy.erasure import erase_person
from mailer.privacy.retention import plan_pruning, prune
from mailer.verification import fakes
from mailer.verification.answer import Answer, MailVerdict
from mailer.verification.fakes import keep_fake, list_fakes, mask_headers
from mailer.verification.mail_check import MailAnswer
from mailer.verification.submitted_mail import read_submission
from mailer.workspace import Workspace
from tests.web.site import add_reader

FAKE = (
    b"Return-Path: <bounce@evil.example>\r\n"
    b"Delivered-To: mei@example.org\r\n"
    b"Received: from evil.example by mx.example.org for <mei@example.org>; Sun, 1 Mar 2026 09:00:00 +0000\r\n"
    b"Authentication-Results: mx.example.org; spf=fail smtp.mailfrom=bounce@evil.example\r\n"
    b"X-Feedback-Token: " + b"0a" * 25 + b"\r\n"
    b"From: Beijing Office <news@example.org>\r\nTo: Mei Lin <mei@example.org>\r\nSubject: Your password\r\n"
    b"Message-ID: <c1.s5.0123456789ab@example.org>\r\n\r\n"
    b"Click https://login.evil.example/x now, or reply to thief@evil.example.\r\n"
)


@pytest.fixture
def engine(either_workspace: Workspace) -> Iterator[Engine]:
    engine = either_workspace.open_database(durable=False)
    yield engine
    engine.dispose()


def submit(
    engine: Engine, now: datetime, source: bytes = FAKE, *, verdict: MailVerdict = MailVerdict.foreign
) -> bool:
    mails = read_submission(source)
    assert isinstance(mails, tuple)
    found = MailAnswer(answer=Answer(verdict=verdict), mail=mails[0], claims_us=True)
    with Session(engine) as session:
        is_kept = keep_fake(session, found, now=now)
        session.commit()
    return is_kept


def read(engine: Engine) -> list[FakeMail]:
    with Session(engine) as session:
        return list(session.exec(select(FakeMail)))


def run(workspace: Workspace, *words: str) -> Result:
    return CliRunner().invoke(mailer, ["-C", str(workspace.root), *words])


def test_a_fake_is_kept_with_its_headers_and_without_its_reader(engine: Engine, now: datetime) -> None:
    assert submit(engine, now)
    (fake,) = read(engine)
    assert (fake.sender, fake.subject) == ("Beijing Office <news@example.org>", "Your password")
    assert fake.hosts == "login.evil.example"
    assert "return-path: <bounce@evil.example>" in fake.headers
    assert "received: from evil.example by mx.example.org for <…@example.org>" in fake.headers
    for trace in ("mei", "Mei", "0a0a", "c1.s5"):
        assert trace not in fake.headers


def test_the_same_fake_again_is_one_more_of_it(engine: Engine, now: datetime) -> None:
    later = now + timedelta(days=3)
    for at in (now, later):
        submit(engine, at)
    submit(engine, later, FAKE.replace(b"Your password", b"Your account"))
    with Session(engine) as session:
        found = {fake.subject: (fake.times, fake.first_at, fake.last_at) for fake in list_fakes(session)}
    assert found == {"Your password": (2, now, later), "Your account": (1, later, later)}


@pytest.mark.parametrize("verdict", [one for one in MailVerdict if not Answer(verdict=one).is_warning])
def test_what_is_no_fake_is_not_kept(engine: Engine, now: datetime, verdict: MailVerdict) -> None:
    assert not submit(engine, now, verdict=verdict)
    assert read(engine) == []


def test_a_flood_of_fakes_makes_the_oldest_go(
    engine: Engine, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fakes, "MAX_FAKES", 5)
    for number in range(12):
        submit(engine, now + timedelta(minutes=number), FAKE.replace(b"password", b"pass%d" % number))
    assert sorted(fake.subject for fake in read(engine)) == [
        f"Your pass{number}" for number in (10, 11, 7, 8, 9)
    ]


def test_erasing_a_person_masks_them_in_what_is_kept(
    either_workspace: Workspace, engine: Engine, now: datetime
) -> None:
    add_reader(engine, either_workspace.keys, "li@ministry.example", name="Li Wei")
    submit(
        engine,
        now,
        FAKE.replace(b"Beijing Office <news@example.org>", b"Beijing Office <li@ministry.example>"),
    )
    assert "li@ministry.example" in read(engine)[0].sender
    erase_person(either_workspace, engine, "li@ministry.example", method="erase", now=now)
    (fake,) = read(engine)
    assert "li@ministry.example" not in repr(fake)


def test_a_fake_goes_when_nobody_has_submitted_it_for_long(
    either_workspace: Workspace, engine: Engine, now: datetime
) -> None:
    submit(engine, now - timedelta(days=400))
    submit(engine, now, FAKE.replace(b"Your password", b"Your account"))
    rules = either_workspace.settings.retention
    (planned,) = [one for one in plan_pruning(engine, rules, now=now) if one.setting == "fake_months"]
    assert planned.number == 1
    prune(either_workspace, engine, now=now)
    assert [fake.subject for fake in read(engine)] == ["Your account"]
    kept = either_workspace.settings.model_copy(
        update={"retention": rules.model_copy(update={"fake_months": None})}
    )
    prune(replace(either_workspace, settings=kept), engine, now=now + timedelta(days=4000))
    assert len(read(engine)) == 1


def test_the_team_lists_and_shows_fakes_and_the_doctor_names_them(
    workspace: Workspace,
) -> None:
    engine = workspace.open_database()
    assert list(check_fakes(workspace)) == []
    assert "Nobody has submitted a fake" in run(workspace, "fakes", "list").stderr
    submit(engine, datetime.now().astimezone())
    engine.dispose()
    listed = run(workspace, "fakes", "list")
    assert "Your password" in listed.stdout
    assert "login.evil.example" in listed.stdout
    (fake,) = json.loads(run(workspace, "fakes", "list", "--json").stdout)["fakes"]
    assert (fake["number"], fake["times"], fake["verdict"]) == (1, 1, "foreign")
    shown = run(workspace, "fakes", "show", "1")
    assert "return-path: <bounce@evil.example>" in shown.stdout
    assert json.loads(run(workspace, "fakes", "show", "1", "--json").stdout) == fake
    missing = run(workspace, "fakes", "show", "7")
    assert missing.exit_code == 1
    assert "no fake with the number 7" in missing.stderr
    (finding,) = check_fakes(workspace)
    assert (finding.verdict, finding.code) == (Health.doubtful, "fakes-submitted")
    assert finding.message.startswith("1 fake mail in your name")


def test_nothing_that_a_terminal_obeys_is_kept(engine: Engine, now: datetime) -> None:
    submit(engine, now, FAKE.replace(b"Your password", b"\x1b[2J\x1b]0;x\x07Your\x9b31m password"))
    (fake,) = read(engine)
    assert fake.subject.isprintable()
    assert all(line.isprintable() for line in fake.headers.split("\n"))


def test_headers_without_end_are_cut() -> None:
    mails = read_submission(
        b"From: a@example.org\r\nSubject: x\r\n" + b"X-Y: zzzzzzzzz\r\n" * 20_000 + b"\r\n"
    )
    assert isinstance(mails, tuple)
    assert len(mask_headers(mails[0])) <= 16_000
