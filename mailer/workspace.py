"""A workspace: the folder that holds one newsletter's settings, editions, list and outbox."""

import os
import secrets
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine

from mailer import settings as settings_
from mailer.database.engine import open_engine
from mailer.errors import ConfigurationError
from mailer.settings import Settings
from subscribers.suppression import SuppressionKey
from subscribers.tokens import TokenSigner

KEYS_FILE = "keys.toml"


@dataclass(frozen=True, kw_only=True)
class Keys:
    """The secrets of a workspace. ``suppression`` must never change: it alone knows erased addresses."""

    suppression: SuppressionKey
    tokens: TokenSigner


@dataclass(frozen=True, kw_only=True)
class Workspace:
    """A folder opened for work, given to everything that needs a path, a setting, a key or the database."""

    root: Path
    settings: Settings
    keys: Keys

    @property
    def editions(self) -> Path:
        return self.root / "editions"

    @property
    def media(self) -> Path:
        return self.root / "media"

    @property
    def outbox(self) -> Path:
        return self.root / "outbox"

    @property
    def template_overrides(self) -> Path | None:
        """The workspace's own templates, which come before ours; None where it has none."""
        folder = self.root / "templates"
        return folder if folder.is_dir() else None

    def edition_folder(self, slug: str) -> Path:
        """The folder of an edition.

        Raises:
            ConfigurationError: the slug leaves the editions' folder, or there is no such edition.
        """
        folder = self.editions / slug
        if folder.parent != self.editions or slug in {"", ".", ".."} or not folder.is_dir():
            known = (
                ", ".join(sorted(path.name for path in self.editions.glob("*") if path.is_dir()))
                or "none yet"
            )
            raise ConfigurationError(f"{slug}: no such edition in {self.editions}. There are: {known}.")
        return folder

    def open_database(self, *, durable: bool = False) -> Engine:
        """A new engine on the workspace's database; the caller disposes of it."""
        return open_engine(self.settings.database.url, root=self.root, durable=durable)


def open_workspace(folder: Path, environ: Mapping[str, str] = os.environ) -> Workspace:
    """Open the workspace in ``folder``.

    Raises:
        ConfigurationError: it is none, its settings are wrong, or its keys are missing.
    """
    root = folder.resolve()
    return Workspace(root=root, settings=settings_.load(root, environ), keys=_read_keys(root / KEYS_FILE))


def write_keys(path: Path) -> None:
    """Make new keys at ``path``, readable by the owner alone. Never overwrites."""
    text = (
        "# The secrets of this workspace. Keep this file private and in the backup: without it the links\n"
        "# in mails already sent stop working, and erased addresses are forgotten twice.\n"
        f'suppression = "{secrets.token_hex(32)}"\n\n[tokens]\ncurrent = 1\n1 = "{secrets.token_hex(32)}"\n'
    )
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)


def _read_keys(path: Path) -> Keys:
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
        tokens = values["tokens"]
        signer = TokenSigner(
            keys={int(name): bytes.fromhex(key) for name, key in tokens.items() if name != "current"},
            current=int(tokens["current"]),
        )
        return Keys(suppression=SuppressionKey(bytes.fromhex(values["suppression"])), tokens=signer)
    except FileNotFoundError as error:
        raise ConfigurationError(
            f"{path}: the workspace's keys are missing. Restore the file from a backup; "
            "new keys would break every link already mailed."
        ) from error
    except (tomllib.TOMLDecodeError, KeyError, ValueError, AttributeError) as error:
        raise ConfigurationError(
            f"{path}: the workspace's keys cannot be read ({error}). Restore the file."
        ) from error
