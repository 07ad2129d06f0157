"""Sending a few messages: the package's own example, and what becomes of messages that are not sent."""

import re
from textwrap import dedent

import pytest

import mailer.smtp
from mailer.smtp.connection import SmtpOptions
from mailer.smtp.reply_classifier import Verdict
from mailer.smtp.transport import SmtpTransport, send_messages
from tests.servers.misbehaving_smtp import DROP, MisbehavingServer, Stage
from tests.servers.process import free_port
from tests.smtp.fake_source import make_messages


def test_the_example_in_the_docstring_sends_a_message(capsys: pytest.CaptureFixture[str]) -> None:
    found = re.search(r"::\n\n((?:    .*\n|\n)+)", mailer.smtp.__doc__ or "")
    assert found is not None
    with MisbehavingServer() as server:
        exec(dedent(found[1]).replace("smtp://127.0.0.1:2525", server.url), {})
        assert [(mail.sender, mail.recipient) for mail in server.received] == [
            ("news@example.org", "mei@example.org")
        ]
    assert capsys.readouterr().out == "m1 sent 250\n"


def test_every_message_has_its_own_outcome() -> None:
    with MisbehavingServer() as server:
        server.answer(Stage.rcpt, "550 5.1.1 No such user", only="b@example.org")
        messages = make_messages("a@example.org", "b@example.org", "c@example.org")
        outcomes = send_messages(SmtpTransport(SmtpOptions.from_url(server.url)), messages)
    assert [outcomes[message.key].verdict for message in messages] == [
        Verdict.sent,
        Verdict.rejected,
        Verdict.sent,
    ]


def test_without_a_server_every_message_is_given_back() -> None:
    transport = SmtpTransport(SmtpOptions.from_url(f"smtp://127.0.0.1:{free_port()}"))
    messages = make_messages("a@example.org", "b@example.org")
    assert {outcome.verdict for outcome in send_messages(transport, messages).values()} == {Verdict.give_back}


def test_messages_beyond_the_connections_maximum_are_given_back() -> None:
    with MisbehavingServer() as server:
        options = SmtpOptions.from_url(server.url, messages_per_connection=1)
        outcomes = send_messages(SmtpTransport(options), make_messages("a@example.org", "b@example.org"))
    assert [outcome.verdict for outcome in outcomes.values()] == [Verdict.sent, Verdict.give_back]


def test_a_message_is_given_back_if_the_connection_is_dropped_before_it() -> None:
    with MisbehavingServer() as server:
        server.answer(Stage.rcpt, DROP)
        (outcome,) = send_messages(
            SmtpTransport(SmtpOptions.from_url(server.url)), make_messages("a@example.org")
        ).values()
    assert outcome.verdict is Verdict.give_back


@pytest.mark.parametrize(
    "url", ["http://mx.example.org", "smtp:", "smtp://mx.example.org:mail", "smtp://news@mx.example.org"]
)
def test_an_invalid_server_url_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"not the URL|Port|no password"):
        SmtpOptions.from_url(url)


@pytest.mark.parametrize(
    ("url", "port"),
    [("smtp://mx", 25), ("smtp://news:pw@mx", 587), ("smtps://mx", 465), ("smtp://mx:2525", 2525)],
)
def test_the_default_port_follows_from_the_scheme_and_the_user(url: str, port: int) -> None:
    assert SmtpOptions.from_url(url).port == port
