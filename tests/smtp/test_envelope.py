"""The commands that begin a message: what they declare, and what is never sent to a server."""

from pathlib import Path

import pytest

from mailer.smtp.reply_classifier import Verdict
from tests.servers.misbehaving_smtp import MisbehavingServer
from tests.servers.scripted_smtp import EXTENSIONS, ScriptedServer
from tests.servers.smtp_sink import smtp_sink
from tests.smtp.conversation import ENVELOPE, B, converse, open_to
from tests.smtp.fake_source import FakeSource, deliver, make_message, make_messages


@pytest.mark.parametrize(
    "address", ["a@b\r\nRCPT TO:<x@y>", "a b@example.org", "<a@example.org>", "a@\0b", "a\x85@b", "a\u2028@b"]
)
def test_no_address_can_smuggle_a_command(tmp_path: Path, address: str) -> None:
    server = ScriptedServer()
    source = FakeSource(make_messages(address, B))
    converse(server, source, tmp_path)
    first, second = source.outcomes
    assert (first.verdict, second.verdict) == (Verdict.failed, Verdict.sent)
    assert "an SMTP command cannot carry" in first.text
    assert server.lines[1:] == [ENVELOPE, f"RCPT TO:<{B}>", "DATA", "…", "QUIT"]


def test_smtputf8_is_used_when_needed_and_only_then(server: MisbehavingServer, tmp_path: Path) -> None:
    outcomes = deliver(open_to(server.url, tmp_path), make_messages("дорж@example.org", "dorj@example.org"))
    assert [outcome.verdict for outcome in outcomes] == [Verdict.sent, Verdict.sent]
    first, second = server.received
    assert first.recipient == "дорж@example.org"
    assert "SMTPUTF8" in first.mail_options
    assert "SMTPUTF8" not in second.mail_options


def test_the_size_is_declared(server: MisbehavingServer, tmp_path: Path) -> None:
    message = make_message()
    deliver(open_to(server.url, tmp_path), [message])
    assert f"SIZE={len(message.payload)}" in server.received[0].mail_options


def test_no_size_is_declared_to_a_server_without_that_extension(tmp_path: Path) -> None:
    server = ScriptedServer(extensions=())
    converse(server, FakeSource([make_message()]), tmp_path)
    assert "MAIL FROM:<news@example.org>" in server.lines


def test_reports_are_asked_for_in_the_same_commands_where_the_server_offers_them(
    tmp_path: Path, loop: str
) -> None:
    server = ScriptedServer(extensions=(*EXTENSIONS, "DSN"))
    named = [
        message._replace(envelope_id="f+0=1")
        for message in make_messages("li+news=x@example.org", "дорж@example.org")
    ]
    source = FakeSource([*named, make_message(B, number=3)])
    converse(server, source, tmp_path, loop)
    assert source.verdicts == [Verdict.sent] * 3
    mail, reader, *_ = server.lines[1:]
    assert mail == f"{ENVELOPE} RET=HDRS ENVID=f+2B0+3D1"
    assert reader == ("RCPT TO:<li+news=x@example.org> NOTIFY=FAILURE ORCPT=rfc822;li+2Bnews+3Dx@example.org")
    # Another notation than xtext would be needed, which few servers know.
    assert "RCPT TO:<дорж@example.org> NOTIFY=FAILURE" in server.lines
    # A mail without a name of its own asks for nothing.
    assert server.lines[-4:] == [f"RCPT TO:<{B}>", "DATA", "…", "QUIT"]
    # As ever, each envelope follows the message before in one piece: EHLO, envelope, 3 messages, QUIT.
    (chunks,) = server.chunks
    assert len([chunk for chunk in chunks if b"MAIL FROM" in chunk]) == 3
    assert all(b"RCPT TO" in chunk and b"DATA" in chunk for chunk in chunks if b"MAIL FROM" in chunk)


def test_no_report_is_asked_for_where_the_server_does_not_offer_it(tmp_path: Path) -> None:
    server = ScriptedServer()
    source = FakeSource([make_message(B)._replace(envelope_id="f01")])
    converse(server, source, tmp_path)
    assert server.lines[1:3] == [ENVELOPE, f"RCPT TO:<{B}>"]


def test_an_envelope_id_cannot_add_a_command(tmp_path: Path) -> None:
    server = ScriptedServer(extensions=(*EXTENSIONS, "DSN"))
    source = FakeSource([make_message(B)._replace(envelope_id="f01\r\nRSET")])
    converse(server, source, tmp_path)
    assert source.verdicts == [Verdict.failed]
    assert server.lines[1:] == ["QUIT"]


def test_8bitmime_is_used_when_needed_and_only_then(server: MisbehavingServer, tmp_path: Path) -> None:
    body = "Subject: x\r\n\r\nБайна уу\r\n".encode()
    deliver(open_to(server.url, tmp_path), [make_message(message=body), make_message()])
    first, second = server.received
    assert "BODY=8BITMIME" in first.mail_options
    assert "BODY=8BITMIME" not in second.mail_options
    assert first.content == body


def test_only_the_reader_who_needs_smtputf8_fails_on_a_server_without_it(tmp_path: Path) -> None:
    with MisbehavingServer(options={"enable_SMTPUTF8": False}) as server:
        first, second = deliver(open_to(server.url, tmp_path), make_messages("дорж@example.org", B))
    assert (first.verdict, second.verdict) == (Verdict.failed, Verdict.sent)
    assert "SMTPUTF8" in first.text


def test_8bit_text_fails_on_a_server_without_8bitmime(tmp_path: Path) -> None:
    with smtp_sink("-8") as sink:
        (outcome,) = deliver(open_to(sink.url, tmp_path), [make_message(message="é\r\n".encode())])
    assert outcome.verdict is Verdict.failed
    assert "8BITMIME" in outcome.text
