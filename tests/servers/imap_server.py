"""A Dovecot with mailboxes, read over IMAP with and without TLS, that can be stopped and started again."""

import contextlib
import itertools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.servers.dovecot import DOVECOT, MailService, read_version, require_dovecot, write_settings
from tests.servers.process import await_server, end_server, free_port

USER, PASSWORD = "bounces", "a secret, with spaces"
_OWNER = "nobody"
_IMAP = Path("/usr/lib/dovecot/imap")
_serial = itertools.count(1)


@dataclass(kw_only=True)
class ImapServer:
    """A Dovecot with one user. ``port`` speaks IMAP in clear text, ``tls_port`` speaks TLS.

    Its certificate is for 127.0.0.1 only. The mail is in a Maildir that the tests write and read directly.
    """

    folder: Path
    mail: MailService
    _server: "subprocess.Popen[bytes] | None" = field(default=None)

    @property
    def url(self) -> str:
        return f"imap://{USER}@127.0.0.1:{self.mail.port}"

    @property
    def tls_url(self) -> str:
        return f"imaps://{USER}@127.0.0.1:{self.mail.tls_port}"

    @property
    def certificate(self) -> Path:
        return self.folder / "certificate.pem"

    @property
    def password_file(self) -> Path:
        return self.folder / "password"

    @property
    def maildir(self) -> Path:
        return self.folder / "mail" / USER

    def start(self) -> None:
        log = self.folder / "log"
        with log.open("ab") as words:
            self._server = subprocess.Popen(
                [DOVECOT, "-F", "-c", self.folder / "dovecot.conf"],
                stdout=subprocess.DEVNULL,
                stderr=words,
                start_new_session=True,
            )
        await_server(self._server, lambda: _greets(self.mail.port), name="Dovecot", logs=[log])

    def stop(self) -> None:
        if self._server is not None:
            end_server(self._server)
            # Dovecot 2.4 lets connections go on that are in use; a machine that is away does not.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._server.pid, signal.SIGKILL)
            self._server = None

    def deliver(self, *messages: bytes) -> None:
        """Put messages into the INBOX, as a mail server's delivery does."""
        for message in messages:
            name = f"{1_700_000_000 + next(_serial)}.M1P1.test"
            path = self.maildir / "tmp" / name
            path.write_bytes(message)
            shutil.chown(path, _OWNER)
            path.rename(self.maildir / "new" / name)

    def read(self, folder: str = "") -> list[bytes]:
        """The messages in a folder, "" for the INBOX, sorted by their content."""
        place = self.maildir / f".{folder}" if folder else self.maildir
        found = []
        for path in (path for sub in ("new", "cur") for path in (place / sub).glob("*")):
            with contextlib.suppress(FileNotFoundError):  # the server has just renamed it
                found.append(path.read_bytes())
        return sorted(found)

    def count(self, folder: str = "") -> int:
        """The number of messages in a folder."""
        place = self.maildir / f".{folder}" if folder else self.maildir
        return sum(1 for sub in ("new", "cur") for _ in (place / sub).glob("*"))

    def renumber(self, validity: int) -> None:
        """Give all messages of the INBOX new numbers, as after a restore, while it is stopped."""
        for index in self.maildir.glob("dovecot*"):
            if index.is_file() and index.name != "dovecot-acl":
                index.unlink()
        numbers = self.maildir / "dovecot-uidlist"
        # Without it, the validity would be the current second, which may be the former.
        numbers.write_text(f"3 V{validity} N1\n")
        shutil.chown(numbers, _OWNER)

    def grant(self, rights: str, folder: str = "") -> None:
        """Let the user do what ``rights`` says (RFC 4314) in a folder, and no more."""
        place = self.maildir / f".{folder}" if folder else self.maildir
        acl = place / "dovecot-acl"
        acl.write_text(f"owner {rights}\n")
        shutil.chown(acl, _OWNER)


def _greets(port: int) -> bool:
    """Return whether it is ready: while Dovecot starts, it takes a connection and may reset it."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as line:
            return line.recv(64).startswith(b"* OK")
    except OSError:
        return False


@contextlib.contextmanager
def imap_server(*, quota_kilobytes: int = 0) -> Iterator[ImapServer]:
    """A running Dovecot with an empty mailbox, limited to ``quota_kilobytes`` unless that is 0."""
    _require()
    folder = Path(tempfile.mkdtemp(prefix="mailer-imap-"))
    folder.chmod(0o755)
    owner = pwd.getpwnam(_OWNER)
    mail = MailService(
        port=free_port(),
        tls_port=free_port(),
        uid=owner.pw_uid,
        gid=owner.pw_gid,
        quota_kilobytes=quota_kilobytes,
    )
    server = ImapServer(folder=folder, mail=mail)
    with contextlib.ExitStack() as ending:
        ending.callback(shutil.rmtree, folder, ignore_errors=True)
        for place in (folder / "mail", server.maildir, *(server.maildir / n for n in ("new", "cur", "tmp"))):
            place.mkdir(mode=0o755)
            os.chown(place, owner.pw_uid, owner.pw_gid)
        (folder / "users").write_text(f"{USER}:{{PLAIN}}{PASSWORD}\n")
        (folder / "password").write_text(f"{PASSWORD}\n")
        (folder / "dovecot.conf").write_text(write_settings(read_version(), folder, user="root", mail=mail))
        _make_certificate(folder)
        ending.callback(server.stop)
        server.start()
        yield server


def _require() -> None:
    require_dovecot()
    if not _IMAP.exists():
        message = f"{_IMAP} is not installed (package dovecot-imapd)"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)


def _make_certificate(folder: Path) -> None:
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    names = ["-subj", "/CN=mail", "-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", folder / "key.pem", "-out", folder / "certificate.pem"]
    subprocess.run(["openssl", "req", "-x509", *kind, *names, *files], check=True, capture_output=True)
