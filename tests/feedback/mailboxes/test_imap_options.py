"""The parts of [feedback] imap, and logging in with an OAuth token to a server that is scripted."""

import base64
import contextlib
import socketserver
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailer.feedback.mailboxes.imap_connection import open_imap
from mailer.feedback.mailboxes.imap_options import (
    Encryption,
    ImapOptions,
    MailboxRefusedError,
    parse_imap_url,
)

TOKEN = "ya29.token"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("imaps://news@mail.example.org", ("mail.example.org", 993, "news", "INBOX", Encryption.implicit)),
        (
            "imaps://news%40example.org@mail.example.org:9993/Bounces/2026",
            ("mail.example.org", 9993, "news@example.org", "Bounces/2026", Encryption.implicit),
        ),
        ("imap://news@mail.example.org/", ("mail.example.org", 143, "news", "INBOX", Encryption.starttls)),
        ("imap://news@127.0.0.1:1143", ("127.0.0.1", 1143, "news", "INBOX", Encryption.none)),
    ],
)
def test_an_address_names_the_server_the_user_and_the_folder(url: str, expected: tuple[object, ...]) -> None:
    options = parse_imap_url(url)
    assert (options.host, options.port, options.user, options.folder, options.encryption) == expected


@pytest.mark.parametrize("url", ["pop3://news@example.org", "imaps://example.org", "imaps://n@h:x", "INBOX"])
def test_what_is_no_mailbox_is_refused(url: str) -> None:
    with pytest.raises(ValueError):
        parse_imap_url(url)


class _Session(socketserver.StreamRequestHandler):
    """A server that knows XOAUTH2 and one token, and answers a wrong one as Google and Microsoft do."""

    def handle(self) -> None:
        self.wfile.write(b"* OK ready\r\n")
        for line in self.rfile:
            tag, command, *_ = line.decode().split()
            if command == "CAPABILITY":
                self.wfile.write(b"* CAPABILITY IMAP4rev1 AUTH=XOAUTH2\r\n")
            elif command == "AUTHENTICATE":
                self.wfile.write(b"+ \r\n")
                if base64.b64decode(self.rfile.readline()) != self._expected():
                    self.wfile.write(b"+ " + base64.b64encode(b'{"status":"401"}') + b"\r\n")
                    assert self.rfile.readline() == b"\r\n"
                    self.wfile.write(f"{tag} NO [AUTHENTICATIONFAILED] Invalid credentials\r\n".encode())
                    continue
            elif command == "SELECT":
                self.wfile.write(b"* 0 EXISTS\r\n* OK [UIDVALIDITY 7] UIDs valid\r\n")
            self.wfile.write(f"{tag} OK done\r\n".encode())

    @staticmethod
    def _expected() -> bytes:
        return f"user=news@example.org\x01auth=Bearer {TOKEN}\x01\x01".encode()


@pytest.fixture
def options(tmp_path: Path) -> Iterator[ImapOptions]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Session) as server:
        threading.Thread(target=server.serve_forever).start()
        url = f"imap://news%40example.org@127.0.0.1:{server.server_address[1]}"
        yield parse_imap_url(url, token_file=tmp_path / "token")
        server.shutdown()


def test_an_oauth_token_is_read_at_every_login(options: ImapOptions) -> None:
    assert options.token_file is not None
    options.token_file.write_text("expired\n")
    with pytest.raises(MailboxRefusedError, match=r"Invalid credentials.* the secret in token_file"):
        open_imap(options)
    options.token_file.write_text(f"{TOKEN}\n")
    with contextlib.closing(open_imap(options)) as connection:
        assert connection.uid_validity == 7
        assert not connection.can_move
