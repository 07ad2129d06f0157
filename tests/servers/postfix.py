"""A real Postfix: as the relay, with STARTTLS, AUTH by Dovecot and a log to compare with; or as the server of
readers' mailboxes, which returns what it cannot deliver.

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
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.servers.dovecot import require_dovecot, running_dovecot
from tests.servers.process import await_server, end_server, free_port
from tests.servers.smtp_sink import Sink, smtp_sink

_MASTER = Path("/usr/lib/postfix/sbin/master")
USER, PASSWORD = "news", "a secret, with spaces"
MAILBOX_OWNER = "nobody"
_MAILBOX_LIMIT = 1_000_000

_COMMON = """\
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
smtp_dns_support_level = disabled
smtp_tls_security_level = none
smtp_destination_concurrency_limit = 20
"""

_RELAY = """\
smtpd_tls_security_level = may
smtpd_tls_auth_only = yes
smtpd_tls_cert_file = {folder}/certificate.pem
smtpd_tls_key_file = {folder}/key.pem
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = {auth}
smtpd_relay_restrictions = permit_sasl_authenticated, reject
relayhost = [127.0.0.1]:{sink}
"""

# It takes mail for readers whom it does not know, as a server in front of the one with the mailboxes does,
# and returns it afterwards.
_MAILBOXES = """\
mynetworks = 127.0.0.0/8
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_reject_unlisted_recipient = no
recipient_delimiter = +
in_flow_delay = 0
message_size_limit = {limit}
virtual_mailbox_limit = {limit}
virtual_mailbox_domains = {domains}
virtual_mailbox_base = {folder}/mailboxes
virtual_mailbox_maps = texthash:{folder}/mailbox-map
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
transport_maps = texthash:{folder}/transport-map
"""

# It hands mail for one domain to an LMTP server, and mail for another to a program; what they do not take, it
# offers again every second.
_HANDOVER = """\
mynetworks = 127.0.0.0/8
smtpd_relay_restrictions = permit_mynetworks, reject
transport_maps = inline:{{{{lmtp.example.org=lmtp:inet:127.0.0.1:{lmtp}}}, {{pipe.example.org=program}}}}
program_destination_recipient_limit = 1
queue_run_delay = 1s
minimal_backoff_time = 1s
maximal_backoff_time = 1s
transport_retry_time = 1s
"""

_PROGRAM = """\
program unix - n n - - pipe flags=R user={user} argv={command}
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
virtual unix - n n - - virtual
lmtp unix - - n - - lmtp
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


@dataclass(frozen=True, kw_only=True)
class HandoverServer:
    """A running Postfix that hands over what it accepts at ``port``."""

    port: int
    folder: Path

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text(encoding="utf-8", errors="replace")


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
    folder, port = _create_folder(), free_port()
    with contextlib.ExitStack() as ending:
        ending.callback(shutil.rmtree, folder, ignore_errors=True)
        sink = ending.enter_context(smtp_sink())
        dovecot = ending.enter_context(running_dovecot({USER: PASSWORD}, user="postfix"))
        _make_certificate(folder)
        ending.enter_context(
            _run(folder, port, _RELAY.format(folder=folder, sink=sink.port, auth=dovecot.auth))
        )
        yield Relay(port=port, folder=folder, sink=sink)


@dataclass(frozen=True, kw_only=True)
class MailboxServer:
    """A running Postfix with mailboxes: each is a Maildir (or a file, if it is full) in ``folder``, owned by
    :data:`MAILBOX_OWNER`.
    """

    port: int
    folder: Path
    log: Path

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    def is_idle(self) -> bool:
        """Whether it has delivered or returned every message it accepted."""
        text = self.log.read_text(encoding="utf-8", errors="replace")
        taken = set(re.findall(r"(?:qmgr|pickup|cleanup|bounce)\[\d+\]: (\w{12,}): ", text))
        return taken == set(re.findall(r"qmgr\[\d+\]: (\w+): removed", text))


@contextlib.contextmanager
def postfix_mailboxes(
    mailboxes: Mapping[str, str], *, full: Mapping[str, str], routes: Mapping[str, int]
) -> Iterator[MailboxServer]:
    """Postfix that delivers mail for the addresses in ``mailboxes`` to the Maildirs of these names.

    Those in ``full`` have a mailbox of these names without room for anything. Every other address of their
    domains is unknown, which it says in a bounce. Mail to the domains in ``routes`` goes on to these ports.
    """
    _require()
    folder, port = _create_folder(), free_port()
    owner = pwd.getpwnam(MAILBOX_OWNER)
    root = folder / "mailboxes"
    root.mkdir()
    shutil.chown(root, owner.pw_uid, owner.pw_gid)
    for name in full.values():
        (root / name).touch()
        os.truncate(root / name, _MAILBOX_LIMIT)
        shutil.chown(root / name, owner.pw_uid, owner.pw_gid)
    lines = [*(f"{address} {name}/" for address, name in mailboxes.items())]
    lines += [f"{address} {name}" for address, name in full.items()]
    (folder / "mailbox-map").write_text("".join(f"{line}\n" for line in lines))
    ways = "".join(f"{domain} smtp:[127.0.0.1]:{gate}\n" for domain, gate in routes.items())
    (folder / "transport-map").write_text(ways)
    domains = {address.rpartition("@")[2] for address in (*mailboxes, *full)}
    settings = _MAILBOXES.format(
        folder=folder,
        limit=_MAILBOX_LIMIT,
        domains=" ".join(sorted(domains)),
        uid=owner.pw_uid,
        gid=owner.pw_gid,
    )
    with contextlib.ExitStack() as ending:
        ending.callback(shutil.rmtree, folder, ignore_errors=True)
        ending.enter_context(_run(folder, port, settings))
        yield MailboxServer(port=port, folder=root, log=folder / "log")


@contextlib.contextmanager
def postfix_handover(*, lmtp: int, command: str) -> Iterator[HandoverServer]:
    """Postfix that hands mail for lmtp.example.org to the port ``lmtp``, and mail for pipe.example.org to
    ``command``, which runs as the owner of mailboxes.
    """
    _require()
    folder, port = _create_folder(), free_port()
    program = _PROGRAM.format(user=MAILBOX_OWNER, command=command)
    with contextlib.ExitStack() as ending:
        ending.callback(shutil.rmtree, folder, ignore_errors=True)
        ending.enter_context(_run(folder, port, _HANDOVER.format(lmtp=lmtp), services=program))
        yield HandoverServer(port=port, folder=folder)


def _create_folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="mailer-pf-"))
    folder.chmod(0o755)
    return folder


@contextlib.contextmanager
def _run(folder: Path, port: int, settings: str, *, services: str = "") -> Iterator[None]:
    """Run a Postfix in ``folder`` with ``settings`` and ``services`` beside the common ones."""
    (folder / "config").mkdir()
    common = _COMMON.format(folder=folder, daemons=_MASTER.parent)
    (folder / "config" / "main.cf").write_text(common + settings)
    (folder / "config" / "master.cf").write_text(_SERVICES.format(port=port) + services)
    _make_queue(folder, pwd.getpwnam("postfix").pw_uid)
    shutil.chown(folder / "data", "postfix")
    errors = folder / "errors"
    with errors.open("wb") as words:
        # A session of its own: master signals its whole process group when it ends.
        master = subprocess.Popen(
            [_MASTER, "-c", folder / "config", "-d"], stdout=words, stderr=words, start_new_session=True
        )
    try:
        await_server(master, lambda: _answers(port), name="Postfix", logs=[errors, folder / "log"])
        yield
    finally:
        end_server(master)


def _make_certificate(folder: Path) -> None:
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
