"""Roundcube over Dovecot: a webmail, which rewrites a mail before a browser shows it."""

import contextlib
import os
import secrets
import shutil
import socket
import sqlite3
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from playwright.sync_api import Browser

from scripts.mail_programs.mailbox import PicturedMail

NAME = "roundcube"
COMMANDS = {"dovecot": "dovecot-imapd", "php": "php-cli"}
PROGRAM = Path("/var/lib/roundcube")
_SCHEMA = Path("/usr/share/roundcube/SQL/sqlite.initial.sql")
# Dovecot delivers no mail as root. Debian has this user for programs such as webmails.
_USER = "www-data"
# The syntax of Dovecot 2.4, that of Debian 13.
_DOVECOT = """\
dovecot_config_version = 2.4.0
dovecot_storage_version = 2.4.0
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/dovecot.log
protocols = imap
listen = 127.0.0.1
ssl = no
auth_allow_cleartext = yes
first_valid_uid = 1
mail_driver = maildir
mail_path = {folder}/mail
passdb static {{
  password = {password}
}}
userdb static {{
  fields {{
    uid = {user}
    gid = {user}
    home = {folder}/home
  }}
}}
service imap-login {{
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
"""
_ROUNDCUBE = """\
<?php
$config = [
  'db_dsnw' => 'sqlite:///{folder}/roundcube.db?mode=0600',
  'imap_host' => '127.0.0.1:{port}',
  'des_key' => '{key}',
  'log_dir' => '{folder}/', 'temp_dir' => '{folder}/',
  'plugins' => [], 'skin' => 'elastic', 'language' => 'en_GB',
  'show_images' => 2, 'enable_spellcheck' => false, 'session_samesite' => 'Lax',
];
"""
_WAIT = 20.0


@contextlib.contextmanager
def running_roundcube(mails: Sequence[PicturedMail], folder: Path) -> Iterator[tuple[str, str]]:
    """Roundcube's address and the password of its only mailbox, which holds ``mails``."""
    folder.mkdir(parents=True)
    folder.chmod(0o755)
    _fill_mailbox(mails, folder / "mail")
    password, port, web_port = secrets.token_hex(8), _find_port(), _find_port()
    config = folder / "dovecot.conf"
    config.write_text(_DOVECOT.format(folder=folder, password=password, user=_USER, port=port))
    key = secrets.token_hex(12)
    (folder / "config.inc.php").write_text(_ROUNDCUBE.format(folder=folder, port=port, key=key))
    for name in ("defaults.inc.php", "mimetypes.php"):
        if (PROGRAM / "config" / name).is_file():
            shutil.copy(PROGRAM / "config" / name, folder / name)
    with contextlib.closing(sqlite3.connect(folder / "roundcube.db")) as database:
        database.executescript(_SCHEMA.read_text())
    environ = os.environ | {"ROUNDCUBE_CONFIG_DIR": str(folder), "PHP_CLI_SERVER_WORKERS": "4"}
    with contextlib.ExitStack() as stack:
        for command, at in (
            (["/usr/sbin/dovecot", "-F", "-c", config], port),
            (["php", "-S", f"127.0.0.1:{web_port}", "-t", PROGRAM], web_port),
        ):
            server = subprocess.Popen(
                command, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            stack.callback(server.wait)
            stack.callback(server.terminate)
            _await_port(at)
        yield f"http://127.0.0.1:{web_port}", password


def take_pictures(
    browser: Browser, address: str, password: str, mails: Sequence[PicturedMail], scheme: str
) -> Iterator[tuple[str, bytes]]:
    """Each of ``mails`` by name, as Roundcube shows it in ``scheme``."""
    context = browser.new_context(viewport={"width": 1100, "height": 1300}, color_scheme=scheme)  # type: ignore[arg-type]
    if scheme == "dark":
        context.add_cookies([{"name": "colorMode", "value": "dark", "url": address}])
    page = context.new_page()
    page.goto(address)
    page.fill("#rcmloginuser", "reader")
    page.fill("#rcmloginpwd", password)
    page.click("#rcmloginsubmit")
    page.wait_for_selector("#messagelist")
    for number, mail in enumerate(mails, 1):
        page.goto(f"{address}/?_task=mail&_mbox=INBOX&_uid={number}&_action=show")
        page.wait_for_load_state("networkidle")
        yield mail.name, page.screenshot()
    context.close()


def _fill_mailbox(mails: Sequence[PicturedMail], mailbox: Path) -> None:
    for part in ("cur", "new", "tmp"):
        (mailbox / part).mkdir(parents=True)
    for number, mail in enumerate(mails, 1):
        # Maildir sorts by the time that a name begins with, and Dovecot numbers in that order.
        shutil.copy(mail.file, mailbox / "cur" / f"{1_700_000_000 + number}.M{number}.pictures:2,S")
    home = mailbox.parent / "home"
    home.mkdir()
    for path in (mailbox, home, *mailbox.rglob("*")):
        shutil.chown(path, _USER, _USER)


def _find_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _await_port(port: int) -> None:
    ends = time.monotonic() + _WAIT
    while time.monotonic() < ends:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.2)
    raise TimeoutError(f"nothing answers on port {port}")
