"""A Dovecot for the tests, whichever release is installed: it checks passwords, and serves mailboxes."""

import contextlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.servers.process import await_server, end_server

DOVECOT = Path("/usr/sbin/dovecot")

# Dovecot 2.4 refuses a file that does not begin with these; 2.3 refuses them.
_FIRST_LINES = """\
dovecot_config_version = 2.4.0
dovecot_storage_version = 2.4.0
"""

_SETTINGS = """\
base_dir = {folder}/run
state_dir = {folder}/state
log_path = /dev/stderr
protocols = {protocols}
ssl = {ssl}
auth_mechanisms = plain login
service auth {{
  unix_listener {folder}/auth {{
    mode = 0660
    user = {user}
    group = {user}
  }}
}}
"""

_PASSWORDS_2_3 = """\
passdb {{
  driver = passwd-file
  args = {folder}/users
}}
"""

_PASSWORDS_2_4 = """\
passdb passwd-file {{
  passwd_file_path = {folder}/users
}}
"""

_MAIL = """\
listen = 127.0.0.1
auth_failure_delay = 0 secs
service imap-login {{
  inet_listener imap {{
    port = {mail.port}
  }}
  inet_listener imaps {{
    port = {mail.tls_port}
    ssl = yes
  }}
}}
"""

_MAIL_2_3 = """\
disable_plaintext_auth = no
ssl_cert = <{folder}/certificate.pem
ssl_key = <{folder}/key.pem
mail_location = maildir:{folder}/mail/%u
userdb {{
  driver = static
  args = uid={mail.uid} gid={mail.gid} home={folder}/mail/%u
}}
mail_plugins = acl quota
plugin {{
  acl = vfile::cache_secs=0
  quota = maildir:User quota
  quota_rule = *:storage={mail.quota_kilobytes}K
}}
"""

_MAIL_2_4 = """\
auth_allow_cleartext = yes
ssl_server_cert_file = {folder}/certificate.pem
ssl_server_key_file = {folder}/key.pem
mail_driver = maildir
mail_path = {folder}/mail/%{{user}}
userdb static {{
  fields {{
    uid = {mail.uid}
    gid = {mail.gid}
    home = {folder}/mail/%{{user}}
  }}
}}
mail_plugins {{
  acl = yes
  quota = yes
}}
acl_driver = vfile
quota "User quota" {{
  quota_driver = maildir
  quota_storage_size = {quota}
}}
"""


@dataclass(frozen=True, kw_only=True)
class MailService:
    """The mailboxes that a Dovecot serves: its ports, and the user that their files belong to.

    ``quota_kilobytes`` is how much fits into a mailbox, 0 for no limit.
    """

    port: int
    tls_port: int
    uid: int
    gid: int
    quota_kilobytes: int = 0


@dataclass(frozen=True, kw_only=True)
class Dovecot:
    """A running Dovecot: its folder, and the socket where others have passwords checked."""

    folder: Path

    @property
    def auth(self) -> Path:
        return self.folder / "auth"


def read_version() -> str:
    """What the installed Dovecot calls itself, such as ``2.3.19.1 (9b53102964)``."""
    return subprocess.run([DOVECOT, "--version"], check=True, capture_output=True, text=True).stdout


def write_settings(version: str, folder: Path, *, user: str, mail: MailService | None = None) -> str:
    """The configuration for Dovecot ``version``: everything in ``folder``, the socket owned by ``user``.

    Without ``mail`` it only checks passwords.
    """
    release = re.match(r"(\d+)\.(\d+)", version)
    assert release is not None, f"Dovecot calls its version {version!r}"
    if (int(release[1]), int(release[2])) < (2, 4):
        settings = _SETTINGS + _PASSWORDS_2_3
        mailboxes = _MAIL + _MAIL_2_3
    else:
        settings = _FIRST_LINES + _SETTINGS + _PASSWORDS_2_4
        mailboxes = _MAIL + _MAIL_2_4
    if mail is None:
        return settings.format(folder=folder, user=user, protocols="", ssl="no")
    quota = f"{mail.quota_kilobytes}K" if mail.quota_kilobytes else "unlimited"
    words = {"folder": folder, "user": user, "mail": mail, "quota": quota, "protocols": "imap", "ssl": "yes"}
    return (settings + mailboxes).format(**words)


def require_dovecot() -> None:
    """Skip the test where Dovecot cannot run; fail it in CI where it is not installed."""
    if not DOVECOT.exists():
        message = f"{DOVECOT} is not installed (package dovecot-core)"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    if os.getuid() != 0:
        pytest.skip("Dovecot's master starts only as root")


@contextlib.contextmanager
def running_dovecot(passwords: Mapping[str, str], *, user: str) -> Iterator[Dovecot]:
    """A Dovecot that knows ``passwords`` by user name; its socket belongs to ``user``."""
    require_dovecot()
    # Not below a test's own folder, where only root may read: Dovecot checks passwords as a user of its own.
    folder = Path(tempfile.mkdtemp(prefix="mailer-dovecot-"))
    folder.chmod(0o755)
    with contextlib.ExitStack() as ending:
        ending.callback(shutil.rmtree, folder, ignore_errors=True)
        config = folder / "dovecot.conf"
        config.write_text(write_settings(read_version(), folder, user=user))
        users = "".join(f"{name}:{{PLAIN}}{password}\n" for name, password in passwords.items())
        (folder / "users").write_text(users)
        log = folder / "log"
        with log.open("wb") as words:
            server = subprocess.Popen([DOVECOT, "-F", "-c", config], stdout=subprocess.DEVNULL, stderr=words)
        ending.callback(end_server, server)
        dovecot = Dovecot(folder=folder)
        await_server(server, dovecot.auth.exists, name="Dovecot", logs=[log])
        yield dovecot
