"""A program that works on the files that wait, and kills itself at one of its statements or commits."""

import os
import signal
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

from sqlalchemy import Engine, event

from mailer.list_imports.runner import ImportRunner
from mailer.workspace import open_workspace


def run(words: Sequence[str]) -> None:
    """Work on the files of the workspace ``words[0]``, whose database is ``words[1]``, up to the place
    ``words[2]``, counted from 1."""
    root, url, place = words
    places = count(1)

    def die(*_: object, **__: object) -> None:
        if next(places) == int(place):
            os.kill(os.getpid(), signal.SIGKILL)

    for name in ("before_cursor_execute", "after_cursor_execute", "commit"):
        event.listen(Engine, name, die)
    workspace = open_workspace(Path(root), environ={"MAILER_DATABASE__URL": url})
    ImportRunner(workspace, workspace.open_database(), clock=lambda: datetime.now(UTC)).work()
