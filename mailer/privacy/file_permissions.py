"""Find the files with secrets or addresses that other users of the machine can read.

The program makes them for their owner alone. A copy, an unpacked archive or an earlier version may not have.
"""

import stat
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from sqlalchemy import make_url

from mailer.dispatch.sending_settings import list_relays
from mailer.errors import ConfigurationError
from mailer.oauth.grant_store import GRANTS_FOLDER
from mailer.settings import SETTINGS_FILE
from mailer.settings.changes.secret_files import SECRETS_FOLDER
from mailer.workspace import KEYS_FILE, Workspace

_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_OTHERS_ENTER = stat.S_IXGRP | stat.S_IXOTH
_LIST_SUFFIXES = frozenset({".csv", ".tsv", ".xlsx", ".zip", ".json", ".vcf", ".ldif"})
_COPY_SUFFIXES = frozenset({".db", ".sqlite", ".sqlite3", ".partial", ".eml", ".log"})


def find_exposed_paths(workspace: Workspace) -> tuple[Path, ...]:
    """Return the files and folders of the workspace that other users can read and should not, in a fixed
    order; if they cannot enter the workspace's folder at all, only what its settings name elsewhere. The
    public parts (editions, images, templates) are not looked at.
    """
    is_closed = not workspace.root.stat().st_mode & _OTHERS_ENTER
    found = dict.fromkeys(path for path in _list_private_paths(workspace) if _is_exposed(path))
    return tuple(path for path in found if not (is_closed and path.is_relative_to(workspace.root)))


def holds_secrets(path: Path, workspace: Workspace) -> bool:
    """Return whether an exposed path holds addresses, links that work or passwords. The settings do if an
    address in them contains a password; the log, where readers are numbers, does not."""
    settings = workspace.settings
    if settings.log.file is not None and path == workspace.root / settings.log.file:
        return False
    if path != workspace.root / SETTINGS_FILE:
        return True
    urls = (settings.database.url, settings.smtp.url, *(relay.url for relay in settings.smtp.relays))
    return any(urlsplit(url).password for url in urls)


def _is_exposed(path: Path) -> bool:
    try:
        status = path.lstat()
    except OSError:
        return False
    # The permissions of a symbolic link mean nothing.
    return not stat.S_ISLNK(status.st_mode) and bool(status.st_mode & _OTHERS)


def _list_private_paths(workspace: Workspace) -> Iterator[Path]:
    root, settings = workspace.root, workspace.settings
    yield root / KEYS_FILE
    yield root / SETTINGS_FILE
    yield from _list_database_files(workspace)
    # Nothing in a folder is exposed that others cannot enter.
    yield from (
        workspace.outbox,
        workspace.uploads,
        root / "run",
        root / GRANTS_FOLDER,
        root / SECRETS_FOLDER,
        *_list_maildirs(workspace),
    )
    if settings.log.file is not None:
        yield root / settings.log.file
    for relay in settings.smtp.relays:
        yield from (root / name for name in (relay.password_file, relay.token_file) if name is not None)
    for name in (settings.smtp.password_file, settings.smtp.token_file):
        if name is not None:
            yield root / name
    oauth = (settings.smtp.oauth, *(relay.oauth for relay in settings.smtp.relays), settings.feedback.oauth)
    secrets = (found.client_secret_file for found in oauth if found is not None)
    yield from (root / name for name in secrets if name is not None)
    if settings.studio.oidc is not None and settings.studio.oidc.client_secret_file is not None:
        yield root / settings.studio.oidc.client_secret_file
    yield from (root / name for name in settings.feedback.webhooks.list_secret_files().values())
    # Exports and backups that were written beside the database.
    suffixes = _LIST_SUFFIXES | _COPY_SUFFIXES
    yield from (path for path in sorted(root.iterdir()) if path.suffix in suffixes and path.is_file())


def _list_database_files(workspace: Workspace) -> Iterator[Path]:
    url = make_url(workspace.settings.database.url)
    if url.get_backend_name() == "sqlite" and url.database:
        path = workspace.root / url.database
        yield from (path.with_name(path.name + suffix) for suffix in ("", "-wal", "-shm"))


def _list_maildirs(workspace: Workspace) -> Iterator[Path]:
    try:
        relays = list_relays(workspace.settings.smtp)
    except ConfigurationError:
        return
    for relay in relays:
        url = urlsplit(relay.url)
        if url.scheme == "maildir":
            yield workspace.root / url.path
