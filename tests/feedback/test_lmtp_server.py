"""The LMTP server, spoken to by Python's own client: a message is acknowledged once it is recorded."""

import gc
import smtplib
import socket
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from mailer.feedback import lmtp_server
from mailer.feedback.intake import Disposition, Intake
from mailer.feedback.lmtp_server import LmtpServer, LmtpStartError
from mailer.network import ListenAddress

MESSAGE = b"Subject: x\r\n\r\n..\r\nWords that end with a dot.\r\n"
RECIPIENTS = ["bounce+1@news.example.org", "bounce+2@news.example.org"]


class Kept:
    """Keeps messages; raises ``error`` instead, if there is one."""

    def __init__(self) -> None:
        self.messages: list[bytes] = []
        self.error: Exception | None = None
        self.may_go_on = threading.Event()
        self.may_go_on.set()
        self.has_begun = threading.Event()

    def receive(self, raw: bytes) -> Disposition:
        self.has_begun.set()
        self.may_go_on.wait(20)
        if self.error is not None:
            raise self.error
        self.messages.append(raw)
        return Disposition.settled


@pytest.fixture
def kept() -> Kept:
    return Kept()


@pytest.fixture
def server(kept: Kept) -> Iterator[LmtpServer]:
    server = LmtpServer(ListenAddress(host="127.0.0.1", port=0), Intake(receive=kept.receive))
    yield server
    server.stop()


def send(client: smtplib.LMTP, recipients: list[str], message: bytes = MESSAGE) -> list[tuple[int, bytes]]:
    """Send a message and return the reply for each recipient. sendmail() would need one to succeed."""
    assert client.docmd("MAIL FROM:<>")[0] == 250
    for recipient in recipients:
        assert client.docmd(f"RCPT TO:<{recipient}>")[0] == 250
    assert client.docmd("DATA")[0] == 354
    client.send(message.replace(b"\r\n.", b"\r\n..") + b".\r\n")
    return [client.getreply() for _ in recipients]


def test_a_client_that_hangs_up_leaves_no_connection_behind(server: LmtpServer) -> None:
    port, opened = server.start(), Path("/proc/self/fd")
    # Without the collector, which would close what nobody else does, at some time.
    gc.disable()
    try:
        before = len(list(opened.iterdir()))
        for _ in range(5):
            with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
                assert client.recv(100).startswith(b"220")
        deadline = time.monotonic() + 20
        while len(list(opened.iterdir())) > before:
            assert time.monotonic() < deadline, "a connection is still open"
            time.sleep(0.01)
    finally:
        gc.enable()


def test_each_recipient_has_a_reply_and_the_envelope_is_kept(server: LmtpServer, kept: Kept) -> None:
    with smtplib.LMTP("127.0.0.1", server.start()) as client:
        client.ehlo()
        assert [code for code, _ in send(client, RECIPIENTS)] == [250, 250]
        assert [code for code, _ in send(client, RECIPIENTS[:1])] == [250]
    envelope = b"Return-Path: <>\r\nDelivered-To: bounce+1@news.example.org\r\n"
    assert kept.messages == [
        envelope + b"Delivered-To: bounce+2@news.example.org\r\n" + MESSAGE,
        envelope + MESSAGE,
    ]


def test_what_cannot_be_recorded_stays_with_the_mail_server(server: LmtpServer, kept: Kept) -> None:
    full = sqlite3.OperationalError("database or disk is full")
    full.sqlite_errorcode = sqlite3.SQLITE_FULL
    locked = sqlite3.OperationalError("database is locked")
    with smtplib.LMTP("127.0.0.1", server.start()) as client:
        client.ehlo()
        for error, reply in (
            (OperationalError("INSERT", {}, full), 452),
            (OperationalError("INSERT", {}, locked), 451),
            (ZeroDivisionError(), 451),
        ):
            kept.error = error
            assert [code for code, _ in send(client, RECIPIENTS)] == [reply, reply]
        kept.error = None
        assert [code for code, _ in send(client, RECIPIENTS)] == [250, 250]
    assert len(kept.messages) == 1


def test_a_message_is_not_acknowledged_before_it_is_recorded(server: LmtpServer, kept: Kept) -> None:
    kept.may_go_on.clear()
    with smtplib.LMTP("127.0.0.1", server.start(), timeout=0.3) as client:
        client.ehlo()
        with pytest.raises((TimeoutError, smtplib.SMTPServerDisconnected)):
            send(client, RECIPIENTS[:1])
        client.close()
    kept.may_go_on.set()


def test_a_message_that_is_being_recorded_is_finished_and_acknowledged_when_the_server_stops(
    server: LmtpServer, kept: Kept
) -> None:
    kept.may_go_on.clear()
    with smtplib.LMTP("127.0.0.1", server.start(), timeout=20) as client:
        client.ehlo()
        replies: list[tuple[int, bytes]] = []
        sending = threading.Thread(target=lambda: replies.extend(send(client, RECIPIENTS[:1])))
        sending.start()
        assert kept.has_begun.wait(20)
        threading.Timer(0.1, kept.may_go_on.set).start()
        server.stop()
        sending.join(timeout=20)
        client.close()
    assert [code for code, _ in replies] == [250]
    assert len(kept.messages) == 1


def test_it_hangs_up_on_those_that_are_idle_when_it_stops(server: LmtpServer) -> None:
    with socket.create_connection(("127.0.0.1", server.start()), timeout=20) as idle:
        assert idle.recv(1000).startswith(b"220")
        server.stop()
        assert server._opened == set()
        assert idle.recv(1000) == b""


def test_a_message_that_is_too_large_is_refused_for_each_recipient(
    server: LmtpServer, kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lmtp_server, "MAX_MESSAGE_BYTES", 2000)
    with smtplib.LMTP("127.0.0.1", server.start()) as client:
        client.ehlo()
        assert client.esmtp_features["size"] == "2000"
        large = b"Subject: x\r\n\r\n" + b"words\r\n" * 1000
        assert [code for code, _ in send(client, RECIPIENTS, large)] == [552, 552]
        assert [code for code, _ in send(client, RECIPIENTS)] == [250, 250]
    assert len(kept.messages) == 1


def test_a_line_of_any_length_is_no_reason_to_lose_a_bounce(server: LmtpServer, kept: Kept) -> None:
    long = b"Subject: x\r\n\r\n" + b"x" * 200_000 + b"\r\n"
    with smtplib.LMTP("127.0.0.1", server.start()) as client:
        client.ehlo()
        assert [code for code, _ in send(client, RECIPIENTS[:1], long)] == [250]
    assert kept.messages[0].endswith(long)


def test_it_listens_on_a_socket_that_a_killed_process_has_left_behind(tmp_path: Path, kept: Kept) -> None:
    path = tmp_path / "lmtp"
    with lmtp_server._listen_unix(path):
        pass
    assert path.is_socket()
    server = LmtpServer(ListenAddress(path=path), Intake(receive=kept.receive))
    server.start()
    with smtplib.LMTP(str(path)) as client:
        client.ehlo()
        assert [code for code, _ in send(client, RECIPIENTS[:1])] == [250]
    server.stop()
    assert not path.exists()


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1"])
def test_it_does_not_listen_to_other_machines(host: str, kept: Kept) -> None:
    server = LmtpServer(ListenAddress(host=host, port=2424), Intake(receive=kept.receive))
    with pytest.raises(LmtpStartError, match=r"Write 127\.0\.0\.1:2424"):
        server.start()
