"""A real Postfix as the relay: STARTTLS with its own certificate, AUTH by Dovecot, and a log to compare with.

It uses temporary folders and free loopback ports, and is stopped by process id. Postfix's master only starts
as root.
"""

import contextlib
import os
import pwd
import re
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.servers.dovecot import require_dovecot, running_dovecot
from tests.servers.process import await_server, end_server, free_port
from tests.servers.smtp_sink import Sink, smtp_sink

_MASTER = Path("/usr/lib/postfix/sbin/master")
GONE = "gone.example.org"
"""The domain of readers whose mail it returns, as nobody has these addresses."""

USER, PASSWORD = "news", "a secret, with spaces"

_MAIN = """\
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
daemon_directory = {daemons}
mail_owner = postfix
setgid_group = postdrop
myhostname = relay.example.org
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
alias_maps =
local_recipient_maps =
maillog_file = {folder}/log
maillog_file_prefixes = {folder}
enable_long_queue_ids = yes
smtpd_peername_lookup = no
smtpd_tls_security_level = may
smtpd_tls_auth_only = yes
smtpd_tls_cert_file = {folder}/certificate.pem
smtpd_tls_key_file = {folder}/key.pem
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = {auth}
smtpd_relay_restrictions = permit_sasl_authenticated, reject
smtp_dns_support_level = disabled
smtp_tls_security_level = none
smtp_destination_concurrency_limit = 20
relayhost = [127.0.0.1]:{sink}
transport_maps = inline:{{ {{ {gone} = error:5.1.1 No such user }} }}
"""

_SERVICES = """\
127.0.0.1:{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


@dataclass(frozen=True, kw_only=True)
class Relay:
    """A running Postfix that asks for TLS and a login, and sends everything on to ``sink``."""

    port: int
    folder: Path
    sink: Sink

    @property
    def url(self) -> str:
        return f"smtp://{USER}@127.0.0.1:{self.port}"

    @property
    def certificate(self) -> Path:
        return self.folder / "certificate.pem"

    @property
    def log(self) -> Path:
        return self.folder / "log"

    def queued(self) -> list[tuple[str, str]]:
        """The Message-ID and the queue id of every message it accepted, according to its log."""
        text = self.log.read_text(encoding="utf-8", errors="replace")
        ids = dict(re.findall(r"cleanup\[\d+\]: (\w+): message-id=(<[^>]*>)", text))
        taken = dict.fromkeys(re.findall(r"qmgr\[\d+\]: (\w+): from=<[^>]*>, size=", text))
        return [(ids[queue_id], queue_id) for queue_id in taken]

    def is_idle(self) -> bool:
        """Whether it has passed on every message it accepted."""
        text = self.log.read_text(encoding="utf-8", errors="replace")
        return len(set(re.findall(r"qmgr\[\d+\]: (\w+): removed", text))) == len(self.queued())


def _require() -> None:
    require_dovecot()
    if not _MASTER.exists():
        message = f"{_MASTER} is not installed (package postfix)"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)


@contextlib.contextmanager
def postfix_relay() -> Iterator[Relay]:
    """Postfix with Dovecot behind it and a smtp-sink before it."""
    _require()
    folder = Path(tempfile.mkdtemp(prefix="mailer-pf-"))
    folder.chmod(0o755)
    port = free_port()
    with contextlib.ExitStack() as ending:
        ending.callback(shutil.rmtree, folder, ignore_errors=True)
        sink = ending.enter_context(smtp_sink())
        dovecot = ending.enter_context(running_dovecot({USER: PASSWORD}, user="postfix"))
        _furnish(folder, port=port, sink=sink.port, auth=dovecot.auth)
        errors = folder / "errors"
        with errors.open("wb") as words:
            # A session of its own: master signals its whole process group when it ends.
            master = subprocess.Popen(
                [_MASTER, "-c", folder / "config", "-d"], stdout=words, stderr=words, start_new_session=True
            )
        ending.callback(end_server, master)
        await_server(master, lambda: _answers(port), name="Postfix", logs=[errors, folder / "log"])
        yield Relay(port=port, folder=folder, sink=sink)


def _furnish(folder: Path, *, port: int, sink: int, auth: Path) -> None:
    words = {
        "folder": folder,
        "port": port,
        "sink": sink,
        "auth": auth,
        "daemons": _MASTER.parent,
        "gone": GONE,
    }
    (folder / "config").mkdir()
    (folder / "config" / "main.cf").write_text(_MAIN.format(**words))
    (folder / "config" / "master.cf").write_text(_SERVICES.format(**words))
    owner = pwd.getpwnam("postfix")
    _make_queue(folder, owner.pw_uid)
    shutil.chown(folder / "data", "postfix")
    names = "subjectAltName=IP:127.0.0.1"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=relay"]
    files: list[str | Path] = [
        "-addext",
        names,
        "-keyout",
        folder / "key.pem",
        "-out",
        folder / "certificate.pem",
    ]
    subprocess.run([*command, *files], check=True, capture_output=True)


def _make_queue(folder: Path, owner: int) -> None:
    """Create the folders that `postfix start` would create."""
    queue = folder / "queue"
    queue.mkdir()
    (folder / "data").mkdir(mode=0o700)
    private = ("active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "private")
    for name in (*private, "saved", "trace"):
        (queue / name).mkdir(mode=0o700)
        os.chown(queue / name, owner, -1)
    for name, mode in (("maildrop", 0o730), ("public", 0o710)):
        (queue / name).mkdir()
        shutil.chown(queue / name, "postfix", "postdrop")
        (queue / name).chmod(mode)
    (queue / "pid").mkdir(mode=0o755)


def _answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5) as line:
        return line.recv(4) == b"220 "
    return False
