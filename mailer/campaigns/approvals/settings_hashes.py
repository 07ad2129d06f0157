"""A hash of each setting that mail is made with, by which a change is known and named."""

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import templates
from locales.phrase import gettext_noop
from mailer.workspace import Workspace

THEME = gettext_noop("the theme, its templates or its phrases")
"""What stands for the theme among the settings."""

BINDING = (
    *("[sender] address", "[sender] reply_to", "[sender] list_id", "[web] base_url"),
    *("[feedback] leave_address", "[law] opt_in", "[subject_labels]"),
)
"""The settings that affect a message or its audience, but are not part of the frozen content."""


def hash_settings(workspace: Workspace) -> dict[str, str]:
    """Return a hash of each setting that mail is made with, and of the theme, by name."""
    settings = workspace.settings
    sender = settings.sender.model_dump(exclude={"bounces_to"})
    values: dict[str, Any] = {f"[sender] {name}": value for name, value in sender.items()}
    values["[web] base_url"] = settings.web.base_url
    values["[law] opt_in"] = sorted(settings.law.opt_in)
    # Each mail offers it to its readers. Where bounces go is between servers, as for [sender] bounces_to.
    leave_address, delimiter = settings.feedback.leave_address, settings.feedback.delimiter
    values["[feedback] leave_address"] = [leave_address, delimiter] if leave_address else []
    for name in ("sectors", "countries", "country_names", "subject_labels"):
        values[f"[{name}]"] = getattr(settings, name)
    hashes = {name: _hash(json.dumps(value, sort_keys=name != "[sectors]")) for name, value in values.items()}
    return hashes | {THEME: _hash_templates(workspace.template_overrides)}


def _hash_templates(overrides: Path | None) -> str:
    folders = [folder for folder in (overrides, templates.ROOT / "email") if folder is not None]
    files = [
        f"{path.relative_to(folder).as_posix()} {sha256(path.read_bytes()).hexdigest()}"
        for folder in folders
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    ]
    return _hash("\n".join(files))


def _hash(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:32]
