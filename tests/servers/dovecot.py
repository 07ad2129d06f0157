"""A Dovecot for the tests that checks passwords for other servers, whichever release is installed."""

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
protocols =
ssl = no
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


def write_settings(version: str, folder: Path, *, user: str) -> str:
    """The configuration for Dovecot ``version``: everything in ``folder``, the socket owned by ``user``."""
    release = re.match(r"(\d+)\.(\d+)", version)
    assert release is not None, f"Dovecot calls its version {version!r}"
    if (int(release[1]), int(release[2])) < (2, 4):
        settings = _SETTINGS + _PASSWORDS_2_3
    else:
        settings = _FIRST_LINES + _SETTINGS + _PASSWORDS_2_4
    return settings.format(folder=folder, user=user)


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
