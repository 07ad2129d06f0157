"""An edition with a story and its translation, members who write in it, and a way to save."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlmodel import Session

from mailer.database.team_models import Role
from mailer.revisions.edition_file import EditionFile, TextSave, read_edition_file
from mailer.revisions.edition_save import Conflict, save_edition_file
from mailer.team.members import Member, add_member
from mailer.workspace import Workspace

EDITION = "2026-1"
STORY = "stories/010-water.md"
TRANSLATION = "stories/010-water.zh.md"
BEFORE = "---\ntitle: Water\n---\nThe first paragraph.\n\nThe second paragraph.\n"


@dataclass
class Desk:
    """An edition and the people who write in it. The clock stands still unless ``pass_time`` moves it."""

    workspace: Workspace
    engine: Engine
    now: datetime
    sequences: dict[str, int] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        return self.workspace.editions / EDITION

    def add_member(self, name: str) -> Member:
        with Session(self.engine) as session:
            member = add_member(
                session, f"{name.split()[0].lower()}@example.org", name, Role.author, now=self.now
            )
            session.commit()
            return member

    def read(self, name: str = STORY) -> EditionFile:
        return read_edition_file(self.folder, name)

    def write_outside(self, text: str, name: str = STORY) -> None:
        (self.folder / name).write_text(text, encoding="utf-8")

    def pass_time(self, **duration: float) -> None:
        self.now += timedelta(**duration)

    def save(
        self,
        member: Member,
        text: str,
        *,
        base: str,
        sitting: str = "",
        name: str = STORY,
        sequence: int = 0,
        is_logged: bool = False,
        is_confirmed: bool = False,
    ) -> EditionFile | Conflict:
        with Session(self.engine) as session:
            done = save_edition_file(
                self.workspace,
                session,
                TextSave(
                    edition=EDITION,
                    name=name,
                    text=text,
                    base=base,
                    member=member,
                    sitting=sitting or f"page of {member.name}",
                    now=self.now,
                    sequence=sequence,
                    is_logged=is_logged,
                    is_confirmed=is_confirmed,
                ),
            )
            session.commit()
            return done

    def must_save(self, member: Member, text: str, **options: object) -> EditionFile:
        """Save from what the file has now."""
        name = str(options.get("name", STORY))
        base = options.pop("base", None)
        done = self.save(member, text, base=self.read(name).digest if base is None else str(base), **options)  # type: ignore[arg-type]
        assert isinstance(done, EditionFile), done
        return done

    def must_conflict(self, member: Member, text: str, **options: object) -> Conflict:
        done = self.save(member, text, **options)  # type: ignore[arg-type]
        assert isinstance(done, Conflict), done
        return done


def write_edition(workspace: Workspace) -> None:
    stories = workspace.editions / EDITION / "stories"
    stories.mkdir(parents=True)
    (stories.parent / "edition.md").write_text("---\ntitle: Letter\n---\nDear reader,\n")
    (stories.parent / STORY).write_text(BEFORE)
    (stories.parent / TRANSLATION).write_text("---\ntitle: 水\n---\n第一段。\n")
    (stories / "020-air.md").write_text("---\ntitle: Air\n---\nAir.\n")


@pytest.fixture
def desk(request: pytest.FixtureRequest, now: datetime) -> Iterator[Desk]:
    """A desk with SQLite; with PostgreSQL too in a test that uses the fixture ``either_workspace``."""
    either = "either_workspace" in request.fixturenames
    workspace: Workspace = request.getfixturevalue("either_workspace" if either else "workspace")
    write_edition(workspace)
    engine = workspace.open_database(durable=False)
    yield Desk(workspace=workspace, engine=engine, now=now)
    engine.dispose()


@pytest.fixture
def ann(desk: Desk) -> Member:
    return desk.add_member("Ann Author")


@pytest.fixture
def ben(desk: Desk) -> Member:
    return desk.add_member("Ben Author")
