"""Sending a few mails at once: each to the first relay that takes it."""

from pathlib import Path

import pytest

from mailer.dispatch.waiting_mails import send_mails
from mailer.errors import ConfigurationError
from mailer.settings import RelaySettings, SmtpSettings
from mailer.smtp.interfaces import OutgoingMessage
from mailer.smtp.reply_classifier import Verdict
from tests.servers.scripted_smtp import ScriptedServer, answering

NAMES = ("a@example.org", "b@example.org", "c@example.org")


def make_mails() -> list[OutgoingMessage]:
    payload = b"Message-ID: <x@example.org>\r\n\r\nhello\r\n.\r\n"
    return [OutgoingMessage(name, "news@example.org", name, payload) for name in NAMES]


def make_settings(**relays: str) -> SmtpSettings:
    several = tuple(
        RelaySettings(name=name, url=url, priority=number)
        for number, (name, url) in enumerate(relays.items())
    )
    return SmtpSettings(relays=several, timeout=5, final_timeout=5)


def test_what_the_first_relay_does_not_take_goes_to_the_next(tmp_path: Path) -> None:
    refuses = answering(("RCPT", "a@", "550 5.1.1 No such user"), ("RCPT", "b@", "451 Not now"))
    with ScriptedServer(script=refuses) as first, ScriptedServer() as second:
        done = send_mails(make_settings(first=first.url, second=second.url), tmp_path, make_mails())
        assert {key: (relay, outcome.verdict) for key, (relay, outcome) in done.items()} == {
            "a@example.org": ("first", Verdict.rejected),
            "b@example.org": ("second", Verdict.sent),
            "c@example.org": ("first", Verdict.sent),
        }
        assert (first.recipients, second.recipients) == (["c@example.org"], ["b@example.org"])


def test_a_relay_that_takes_one_mail_a_connection_gets_them_all(tmp_path: Path) -> None:
    with ScriptedServer() as server:
        settings = SmtpSettings(url=server.url, messages_per_connection=1, timeout=5, final_timeout=5)
        done = send_mails(settings, tmp_path, make_mails())
        assert {outcome.verdict for _, outcome in done.values()} == {Verdict.sent}
        assert server.recipients == list(NAMES)
        assert len(server.streams) == len(NAMES)


def test_relays_that_cannot_be_reached_are_named(tmp_path: Path) -> None:
    with ScriptedServer() as server:
        url = server.url
    done = send_mails(make_settings(first=url, second=url), tmp_path, make_mails())
    assert {(relay, outcome.verdict) for relay, outcome in done.values()} == {("second", Verdict.give_back)}


def test_with_a_relay_that_cannot_be_used_nothing_is_sent_over_another(tmp_path: Path) -> None:
    """Callers take the error to mean that no relay was asked, and try everything again."""
    with ScriptedServer() as server:
        settings = make_settings(first=server.url, second="smtp://news@localhost:587")
        with pytest.raises(ConfigurationError, match="password"):
            send_mails(settings, tmp_path, make_mails())
        assert server.recipients == []
