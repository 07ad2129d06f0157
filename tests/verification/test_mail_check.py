"""Genuine, forwarded, altered and forged mails: each is told right, and nobody is named."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, delete
from sqlmodel import Session

from mailer.database.models import CampaignContent
from mailer.keys import retire_key, rotate_keys
from mailer.smtp.dkim import DkimSigner, load_rsa_key
from mailer.verification.answer import MailVerdict, Obstacle
from mailer.verification.mail_check import MailAnswer, MailChecker
from mailer.workspace import Workspace
from tests.factories.dkim import NOW, write_keys
from tests.factories.submitted_mails import (
    Sender,
    Submission,
    forward_as_text,
    list_submissions,
    lose_signature,
    make_sender,
)
from tests.servers.dns_server import running_dns_server


@pytest.fixture
def engine(workspace: Workspace) -> Iterator[Engine]:
    engine = workspace.open_database(durable=False)
    yield engine
    engine.dispose()


@pytest.fixture
def sender(workspace: Workspace, engine: Engine) -> Sender:
    return make_sender(workspace, engine)


@pytest.fixture(scope="module")
def rsa_keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    key = generate_private_key(public_exponent=65537, key_size=2048)
    return write_keys(tmp_path_factory.mktemp("keys"), key)


def retire_all(sender: Sender) -> None:
    path = sender.workspace.root / "keys.toml"
    rotate_keys(path, now=NOW)
    retire_key(path, 1, now=NOW)


def check(sender: Sender, source: bytes) -> MailAnswer:
    with Session(sender.engine) as session:
        return MailChecker(
            session=session,
            keys=sender.workspace.keys,
            settings=sender.workspace.settings,
            root=sender.workspace.root,
        ).check(source)


def find_wrong(sender: Sender, submissions: list[Submission]) -> Counter[tuple[str, str]]:
    wrong: Counter[tuple[str, str]] = Counter()
    for one in submissions:
        verdict = check(sender, one.source).answer.verdict
        if verdict not in one.right:
            wrong[one.kind, verdict.value] += 1
    return wrong


def test_mails_of_every_kind_are_told_right(sender: Sender, figure: Callable[[str], None]) -> None:
    submissions = list(list_submissions(sender, range(1, 4)))
    wrong = find_wrong(sender, submissions)
    figure(f"mails submitted: {1 - wrong.total() / len(submissions):.1%} of {len(submissions)} told right")
    assert wrong == Counter()


@pytest.mark.soak
def test_a_thousand_mails_are_told_right(sender: Sender, figure: Callable[[str], None]) -> None:
    submissions = list(list_submissions(sender, range(1, 35)))
    assert len(submissions) >= 1000
    wrong = find_wrong(sender, submissions)
    figure(f"mails submitted: {1 - wrong.total() / len(submissions):.1%} of {len(submissions)} told right")
    assert wrong == Counter()


def test_a_mail_that_was_signed_by_the_relay_is_proved_by_the_key_in_the_dns(
    sender: Sender, rsa_keys: Path
) -> None:
    signer = DkimSigner([load_rsa_key(rsa_keys / "rsa.pem", selector="relay1", domain="example.org")])
    mail = signer.sign(sender.build(5, signed=False), now=NOW)
    (record,) = signer.records
    with running_dns_server() as server:
        server.publish({record.name: [f'TXT "{record.text[:200]}" "{record.text[200:]}"']})
        settings = sender.workspace.settings.model_copy(update={"dns": server.settings})
        asking = replace(sender, workspace=replace(sender.workspace, settings=settings))
        assert check(asking, mail).answer.verdict is MailVerdict.genuine
        assert server.questions == [f"{record.name} TXT"]
    # When the DNS is silent, words and links still tell.
    assert check(sender, mail).answer.verdict is MailVerdict.same_content


def test_the_answer_for_an_old_key_and_for_an_edition_that_is_gone(sender: Sender) -> None:
    mail = forward_as_text(sender.build(5))
    with Session(sender.engine) as session:
        session.execute(delete(CampaignContent))
        session.commit()
    answer = check(sender, mail).answer
    assert (answer.verdict, answer.obstacle) == (MailVerdict.unknown, Obstacle.no_edition)
    retire_all(sender)
    answer = check(sender, mail).answer
    assert (answer.verdict, answer.obstacle) == (MailVerdict.unknown, Obstacle.retired)


def test_a_text_longer_than_any_edition_is_not_half_compared(sender: Sender) -> None:
    mail = lose_signature(sender.build(5))
    padded = mail.replace(b"</body>", b"<p>" + b"word " * 120_000 + b"</p></body>", 1)
    assert padded != mail
    answer = check(sender, padded).answer
    assert (answer.verdict, answer.obstacle) == (MailVerdict.unknown, Obstacle.too_long)


@given(st.binary(max_size=600), st.integers(0, 30_000))
@settings(suppress_health_check=list(HealthCheck), deadline=None, max_examples=60)
def test_any_bytes_anywhere_in_a_mail_are_answered(sender: Sender, noise: bytes, place: int) -> None:
    mail = sender.build(5)
    check(sender, mail[:place] + noise + mail[place:])
    check(sender, noise)


def test_an_answer_of_our_own_that_quotes_an_edition_is_a_letter(sender: Sender) -> None:
    quoted = forward_as_text(sender.build(5)).replace(
        b"From: A Colleague <colleague@ministry.example.com>", b"From: UNESCO Beijing <news@example.org>"
    )
    assert check(sender, sender.signer.sign(quoted, now=NOW)).answer.verdict is MailVerdict.letter


def test_a_mail_from_a_domain_in_another_script_is_recognised(workspace: Workspace, engine: Engine) -> None:
    own = workspace.settings.sender.model_copy(update={"address": "news@пример.example"})
    settings = workspace.settings.model_copy(update={"sender": own})
    foreign = make_sender(replace(workspace, settings=settings), engine)
    assert check(foreign, foreign.build(5)).answer.verdict is MailVerdict.genuine
