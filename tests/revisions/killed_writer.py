"""A program that saves a story again and again until it is killed, and says what it was told is saved.

Its words are the workspace and the number of the member; it prints one line for each save that was committed.
"""

import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from sqlmodel import Session

from mailer.revisions.edition_file import EditionFile, TextSave, read_edition_file
from mailer.revisions.edition_save import save_edition_file
from mailer.team.members import find_member
from mailer.workspace import open_workspace
from tests.revisions.conftest import EDITION, STORY


def main(words: Sequence[str]) -> None:
    root, number = words
    workspace = open_workspace(Path(root), environ={})
    engine = workspace.open_database()
    with Session(engine) as session:
        member = find_member(session, int(number))
    assert member is not None
    folder = workspace.editions / EDITION
    for count in range(1, 1_000_000):
        text = make_text(os.getpid(), count)
        with Session(engine) as session:
            done = save_edition_file(
                workspace,
                session,
                TextSave(
                    edition=EDITION,
                    name=STORY,
                    text=text,
                    base=read_edition_file(folder, STORY).digest,
                    member=member,
                    sitting=f"{os.getpid()}",
                    sequence=count,
                    now=datetime.now(UTC),
                ),
            )
            session.commit()
        sys.stdout.write(f"{count if isinstance(done, EditionFile) else f'conflict {done.number}'}\n")
        sys.stdout.flush()


def make_text(process: int, count: int) -> str:
    """A text of some length whose end tells that it is whole."""
    return f"---\ntitle: Save {count} of {process}\n---\n" + "All of it. " * 2000 + f"\n\nEnd {count}\n"
