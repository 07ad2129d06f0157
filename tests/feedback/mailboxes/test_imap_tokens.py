"""Reading a mailbox that is signed in to: tokens are renewed, and a person is told when they must sign in."""

import base64
import contextlib
import re
import socketserver
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from mailer.feedback.mailboxes.imap_connection import open_imap, probe_mailbox
from mailer.feedback.mailboxes.imap_options import (
    ImapOptions,
    LoginRefusedError,
    MailboxError,
    MailboxRefusedError,
    parse_imap_url,
)
from mailer.oauth.access_tokens import AccessTokens
from mailer.oauth.provider import Protocol
from mailer.oauth.sign_in import SignIn
from tests.factories.oauth import make_keys, make_sign_in, sign_in_person
from tests.servers.oauth_provider import ACCOUNT, Dialect, OAuthProvider


class TokenImapServer(socketserver.ThreadingTCPServer):
    """A mailbox that takes the tokens of ``provider``, by the mechanisms in ``offered``."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, provider: OAuthProvider, offered: str) -> None:
        self.provider = provider
        self.offered = offered
        self.logins: list[tuple[str, str, bool]] = []
        super().__init__(("127.0.0.1", 0), _Session)

    @property
    def url(self) -> str:
        return f"imap://news%40example.org@127.0.0.1:{self.server_address[1]}"


class _Session(socketserver.StreamRequestHandler):
    server: TokenImapServer

    def handle(self) -> None:
        self.wfile.write(b"* OK ready\r\n")
        for line in self.rfile:
            tag, command, *rest = line.decode().split()
            if command == "CAPABILITY":
                self.wfile.write(f"* CAPABILITY IMAP4rev1 {self.server.offered}\r\n".encode())
            elif command == "AUTHENTICATE" and not self._is_let_in(rest[0]):
                # As Exchange Online does, which ends the connection after that.
                self.wfile.write(f"{tag} NO AUTHENTICATE failed.\r\n".encode())
                return
            elif command == "SELECT":
                self.wfile.write(b"* 0 EXISTS\r\n* OK [UIDVALIDITY 7] UIDs valid\r\n")
            self.wfile.write(f"{tag} OK done\r\n".encode())

    def _is_let_in(self, mechanism: str) -> bool:
        self.wfile.write(b"+ \r\n")
        said = base64.b64decode(self.rfile.readline()).decode()
        found = re.fullmatch(r"(?:user=|n,a=)([^,\x01]*),?\x01auth=Bearer ([^\x01]*)\x01\x01", said)
        assert found, said
        is_good = found[2] in self.server.provider.valid
        self.server.logins.append((mechanism, found[1], is_good))
        if not is_good:
            self.wfile.write(b"+ " + base64.b64encode(b'{"status":"invalid_token"}') + b"\r\n")
            answer = base64.b64decode(self.rfile.readline())
            assert answer == (b"\x01" if mechanism == "OAUTHBEARER" else b"")
        return is_good


@pytest.fixture
def provider() -> Iterator[OAuthProvider]:
    with OAuthProvider(dialect=Dialect.microsoft) as running:
        yield running


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_keys(tmp_path)


@pytest.fixture
def sign_in(provider: OAuthProvider) -> SignIn:
    return replace(make_sign_in(provider, protocol=Protocol.imap), name="feedback")


@contextlib.contextmanager
def serving(provider: OAuthProvider, offered: str = "AUTH=XOAUTH2") -> Iterator[TokenImapServer]:
    with TokenImapServer(provider, offered) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join(10)


def make_options(server: TokenImapServer, sign_in: SignIn, root: Path) -> ImapOptions:
    return parse_imap_url(server.url, tokens=AccessTokens(sign_in, root))


@pytest.mark.parametrize(
    ("offered", "mechanism"),
    [
        ("AUTH=XOAUTH2", "XOAUTH2"),
        ("AUTH=OAUTHBEARER", "OAUTHBEARER"),
        ("AUTH=OAUTHBEARER AUTH=XOAUTH2", "XOAUTH2"),
    ],
)
def test_the_mailbox_is_opened_with_the_token(
    provider: OAuthProvider, root: Path, sign_in: SignIn, offered: str, mechanism: str
) -> None:
    sign_in_person(provider, sign_in, root)
    with serving(provider, offered) as server:
        with contextlib.closing(open_imap(make_options(server, sign_in, root))) as connection:
            assert connection.uid_validity == 7
        assert server.logins == [(mechanism, ACCOUNT, True)]


@pytest.mark.parametrize("offered", ["AUTH=XOAUTH2", "AUTH=OAUTHBEARER"])
def test_a_token_that_the_server_does_not_take_is_renewed_once(
    provider: OAuthProvider, root: Path, sign_in: SignIn, offered: str
) -> None:
    sign_in_person(provider, sign_in, root)
    provider.end_access_tokens()
    with serving(provider, offered) as server:
        open_imap(make_options(server, sign_in, root)).close()
        assert [is_good for *_, is_good in server.logins] == [False, True]
    assert provider.renewals == 1


def test_a_server_that_takes_no_token_is_not_asked_again_and_again(
    provider: OAuthProvider, root: Path, sign_in: SignIn
) -> None:
    sign_in_person(provider, sign_in, root)
    with serving(provider) as server:
        server.provider = OAuthProvider()  # it trusts another one
        with pytest.raises(LoginRefusedError, match=r"may read the mailbox.*run `mailer login feedback`"):
            open_imap(make_options(server, sign_in, root))
        assert len(server.logins) == 2


def test_a_provider_that_is_down_is_waited_for_and_a_revoked_sign_in_is_not(
    provider: OAuthProvider, root: Path, sign_in: SignIn
) -> None:
    sign_in_person(provider, sign_in, root, age=timedelta(hours=2))
    with serving(provider) as server:
        options = make_options(server, sign_in, root)
        provider.page = (503, "busy")
        with pytest.raises(MailboxError, match="answers 503") as down:
            open_imap(options)
        assert not isinstance(down.value, MailboxRefusedError)
        provider.page = None
        provider.end_sign_in()
        with pytest.raises(MailboxRefusedError, match="Run `mailer login feedback`"):
            open_imap(options)
        assert server.logins == []


def test_the_file_that_is_watched_changes_when_somebody_signs_in(
    provider: OAuthProvider, root: Path, sign_in: SignIn
) -> None:
    with serving(provider) as server:
        options = make_options(server, sign_in, root)
        assert options.secret_file is not None
        assert not options.secret_file.exists()
        with pytest.raises(MailboxRefusedError, match="Nobody has signed in yet"), probe_mailbox(options):
            pass
        sign_in_person(provider, sign_in, root)
        assert options.secret_file.exists()
        with probe_mailbox(options) as connection:
            assert connection.list_uids() == []
