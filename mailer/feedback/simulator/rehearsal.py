"""A workspace to rehearse in: one's own settings and editions, and simulated readers instead of people."""

import csv
import json
import shutil
import tempfile
import tomllib
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from mailer.atomic_write import write_atomically
from mailer.database.engine import open_session
from mailer.database.schema import upgrade
from mailer.errors import MailerError
from mailer.feedback.simulator.returned_mails import SimulatedRecipient
from mailer.settings import SETTINGS_FILE
from mailer.workspace import KEYS_FILE, Workspace, open_workspace, write_keys
from subscribers.csv_format import COLUMNS
from subscribers.imports.importer import import_file

TAG = "simulator"
RETURN_MAILDIR = "came-back"
_MARKER = ".made-by-mailer-simulator"
_BASIS = "Simulated readers of a rehearsal"
# Relays, servers and files of the real workspace: a rehearsal must reach none of them.
_LEFT_OUT = ("smtp", "database", "dkim", "log")
_KEPT_OF_FEEDBACK = (
    "bounce_address",
    "leave_address",
    "delimiter",
    "successors",
    "soft_bounces",
    "soft_bounce_days",
)


def open_rehearsal(workspace: Workspace, folder: Path, *, port: int, now: datetime) -> Workspace:
    """Open the rehearsal of ``workspace`` in ``folder``, which is created if there is none.

    It has its own keys and its own SQLite database with one subscriber for each simulated recipient, and no
    other. Its settings are written anew each time: those of the workspace, with the simulator at ``port`` as
    the only relay. Its editions and templates are the workspace's own. Raise MailerError if the folder
    contains something else.
    """
    root = folder.absolute()
    if not (root / _MARKER).is_file():
        if root.exists() and any(root.iterdir()):
            raise MailerError(f"{folder} is not a rehearsal. Choose a new or empty folder with --rehearsal.")
        _create(workspace, root, port, now)
    else:
        _write_settings(workspace, root, port)
    # Without the environment, which may name another database or relay.
    return open_workspace(root, environ={})


def _create(workspace: Workspace, root: Path, port: int, now: datetime) -> None:
    """Build it in a temporary folder beside ``root``, so that no half of one is ever left."""
    root.parent.mkdir(parents=True, exist_ok=True)
    building = Path(tempfile.mkdtemp(prefix=f".{root.name}.", dir=root.parent))
    try:
        _write_settings(workspace, building, port)
        write_keys(building / KEYS_FILE)
        for name in ("editions", "templates"):
            if (workspace.root / name).is_dir():
                (building / name).symlink_to(workspace.root / name, target_is_directory=True)
        (building / "media").mkdir()
        _prepare_database(open_workspace(building, environ={}), now)
        (building / _MARKER).touch()
        if root.exists():
            root.rmdir()
        building.replace(root)
    except BaseException:
        shutil.rmtree(building, ignore_errors=True)
        raise


def _write_settings(workspace: Workspace, root: Path, port: int) -> None:
    values = tomllib.loads((workspace.root / SETTINGS_FILE).read_text(encoding="utf-8"))
    domain = workspace.settings.sender.domain
    feedback = {key: value for key, value in values.get("feedback", {}).items() if key in _KEPT_OF_FEEDBACK}
    rehearsed = {
        **{section: value for section, value in values.items() if section not in _LEFT_OUT},
        "web": {key: value for key, value in values.get("web", {}).items() if key != "metrics"},
        "smtp": {"url": f"smtp://127.0.0.1:{port}"},
        "feedback": {
            "bounce_address": f"bounce@{domain}",
            "leave_address": f"leave@{domain}",
            **feedback,
            "maildir": RETURN_MAILDIR,
        },
    }
    head = "# A rehearsal: written anew by `mailer simulator --rehearsal`, from the settings beside it.\n\n"
    write_atomically(root / SETTINGS_FILE, (head + format_toml(rehearsed)).encode())


def add_simulated_readers(workspace: Workspace, engine: Engine, *, now: datetime) -> None:
    """Put one subscriber for each simulated recipient on the list, with the tag :data:`TAG`."""
    with tempfile.TemporaryDirectory() as folder, open_session(engine) as session:
        path = Path(folder) / "simulated.csv"
        _write_readers(path)
        sectors, key = workspace.settings.sectors, workspace.keys.suppression
        import_file(session, path, sectors=sectors, key=key, now=now, basis=_BASIS)
        session.commit()


def _prepare_database(workspace: Workspace, now: datetime) -> None:
    with workspace.use_database() as engine:
        upgrade(engine)
        add_simulated_readers(workspace, engine, now=now)


def _write_readers(path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.DictWriter(file, COLUMNS)
        rows.writeheader()
        for recipient in SimulatedRecipient:
            name = f"Simulated reader ({recipient})"
            rows.writerow({"email": recipient.address, "name": name, "tags": TAG})


def format_toml(tables: Mapping[str, Any]) -> str:
    """TOML with one table for each section of settings; tables inside them are written inline."""
    return "\n".join(
        "\n".join(
            [
                f"[{json.dumps(name)}]",
                *(f"{json.dumps(key)} = {_format(value)}" for key, value in table.items()),
                "",
            ]
        )
        for name, table in tables.items()
    )


def _format(value: Any) -> str:
    match value:
        case str():
            # A JSON string is a TOML string but for DEL, which TOML wants escaped.
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        case bool() | int() | float():
            return str(value).lower()
        case list():
            return f"[{', '.join(map(_format, value))}]"
        case dict():
            return f"{{ {', '.join(f'{json.dumps(key)} = {_format(item)}' for key, item in value.items())} }}"
    # Dates and times.
    return str(value.isoformat())
