"""A workspace: the folder with one newsletter's settings, keys, editions, database and outbox."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import Engine

from mailer import settings as settings_
from mailer.database.engine import open_engine
from mailer.database.number_series import read_series
from mailer.errors import ConfigurationError
from mailer.keys import KEYS_FILE, Keys, read_keys, write_keys
from mailer.settings import Settings

__all__ = ["KEYS_FILE", "Keys", "Workspace", "open_workspace", "write_keys"]


@dataclass(frozen=True, kw_only=True)
class Workspace:
    """An open workspace, passed to everything that needs a path, a setting, a key or the database.
    ``environ`` are the variables that override settings, which may have secrets."""

    root: Path
    settings: Settings
    keys: Keys
    environ: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)

    @property
    def editions(self) -> Path:
        return self.root / "editions"

    @property
    def corrections(self) -> Path:
        """The notes of corrections that are written in Studio."""
        return self.root / "corrections"

    @property
    def media(self) -> Path:
        return self.root / "media"

    @property
    def outbox(self) -> Path:
        return self.root / "outbox"

    @property
    def uploads(self) -> Path:
        """The folder of the files that wait to be imported into the list."""
        return self.root / "uploads"

    @property
    def acts(self) -> Path:
        """The folder of the acts that change files and have no line in the log yet."""
        return self.root / "run" / "acts"

    @property
    def template_overrides(self) -> Path | None:
        """The folder of the workspace's own templates, which override ours; None if there is none."""
        folder = self.root / "templates"
        return folder if folder.is_dir() else None

    def edition_folder(self, slug: str) -> Path:
        """Return the folder of an edition. Raise ConfigurationError if there is no such edition, or the slug
        points outside the folder of editions.
        """
        folder = self.editions / slug
        # os.path asks no questions of a name that no file can have: one that is too long, or with a NUL.
        is_there = os.path.isdir(folder)  # noqa: PTH112
        if folder.parent != self.editions or slug in {"", ".", ".."} or not is_there:
            known = (
                ", ".join(sorted(path.name for path in self.editions.glob("*") if path.is_dir()))
                or "none yet"
            )
            raise ConfigurationError(
                f"There is no edition {slug} in {self.editions}. Existing editions: {known}."
            )
        return folder

    def open_database(self, *, durable: bool = True) -> Engine:
        """Create an engine for the workspace's database; the caller must dispose of it.

        Every commit survives a power cut, unless ``durable`` is false.
        """
        return open_engine(self.settings.database.url, root=self.root, durable=durable)

    @contextmanager
    def use_database(self) -> Iterator[Engine]:
        """The workspace's database for the length of a block. Every commit survives a power cut."""
        engine = self.open_database()
        try:
            yield engine
        finally:
            engine.dispose()


def open_workspace(folder: Path, environ: Mapping[str, str] = os.environ) -> Workspace:
    """Open the workspace in ``folder``. Raise ConfigurationError if it is none, or cannot be used."""
    root = folder.resolve()
    settings = settings_.load_settings(root, environ)

    known: tuple[tuple[int, int, bytes], ...] | None = None

    def find_series() -> tuple[tuple[int, int, bytes], ...]:
        # Asked when the first token is made or read: a command that has none needs no database.
        nonlocal known
        if known is None:
            known = read_series(open_engine(settings.database.url, root=root))
        return known or ()

    return Workspace(
        root=root,
        settings=settings,
        keys=read_keys(root / KEYS_FILE, find_series),
        environ=environ,
    )
