"""An act that changes files and was interrupted gets its line in the log exactly if they have changed."""

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlmodel import Session, select

from mailer.activity.act_journal import announce_acts, record_interrupted_acts
from mailer.activity.acts import Act
from mailer.activity.deeds import Deed
from mailer.activity.record import ActivityLine, Actor, record_line
from mailer.database.team_models import ActivityRecord, Role
from mailer.privacy.address_search import FileAction, clean_file, make_address_matcher, scan_files
from mailer.team.invitations import remove_member
from mailer.team.members import add_member
from mailer.workspace import Workspace

NOW = datetime(2026, 11, 27, 9, 30, 0, 123456, tzinfo=UTC)


class KilledError(BaseException):
    """Stands for the end of the process: what follows is done by nobody."""


@pytest.fixture
def engine(either_workspace: Workspace) -> Iterator[Engine]:
    engine = either_workspace.open_database()
    yield engine
    engine.dispose()


@pytest.fixture
def line(engine: Engine) -> ActivityLine:
    with Session(engine) as session:
        member = add_member(session, "ann@example.org", "Ann", Role.author, now=NOW)
        session.commit()
    return ActivityLine(
        actor=Actor.from_member(member),
        deed=Deed(act=Act.wrote_text, edition="2026-1", subject="010-a.md"),
        at=NOW,
    )


@pytest.fixture
def file(either_workspace: Workspace) -> Path:
    path = either_workspace.root / "text.md"
    path.write_text("Before.\n")
    return path


def read_lines(engine: Engine) -> list[tuple[str, str, str, str]]:
    with Session(engine) as session:
        rows = session.exec(select(ActivityRecord)).all()
        return [(row.name, row.act, row.edition, row.subject) for row in rows]


def interrupt(workspace: Workspace, line: ActivityLine, path: Path, act: Callable[[], object]) -> None:
    """Let an act end as it does when the program is killed after ``act``: its journal stays."""
    kept: dict[Path, bytes] = {}

    def end() -> None:
        act()
        kept.update({entry: entry.read_bytes() for entry in workspace.acts.iterdir()})
        raise KilledError

    with pytest.raises(KilledError), announce_acts(workspace, [line], [path]):
        end()
    for entry, data in kept.items():
        entry.write_bytes(data)


def test_an_act_that_had_changed_its_file_gets_its_line(
    either_workspace: Workspace, engine: Engine, line: ActivityLine, file: Path
) -> None:
    interrupt(either_workspace, line, file, lambda: file.write_text("After.\n"))
    assert record_interrupted_acts(either_workspace, engine) == 1
    assert read_lines(engine) == [("Ann", "wrote_text", "2026-1", "010-a.md")]
    with Session(engine) as session:
        assert session.exec(select(ActivityRecord.at)).one() == NOW
    assert record_interrupted_acts(either_workspace, engine) == 0
    assert list(either_workspace.acts.iterdir()) == []


@pytest.mark.parametrize("content", ["Before.\n", None], ids=["an old file", "no file"])
def test_an_act_that_had_changed_nothing_yet_gets_none(
    either_workspace: Workspace, engine: Engine, line: ActivityLine, file: Path, content: str | None
) -> None:
    if content is None:
        file.unlink()
    interrupt(either_workspace, line, file, lambda: None)
    assert record_interrupted_acts(either_workspace, engine) == 0
    assert read_lines(engine) == []
    assert list(either_workspace.acts.iterdir()) == []


def test_a_line_that_was_committed_before_the_kill_is_not_written_again(
    either_workspace: Workspace, engine: Engine, line: ActivityLine, file: Path
) -> None:
    def commit() -> None:
        file.write_text("After.\n")
        with Session(engine) as session:
            # What a text is called may be known only then.
            record_line(session, replace(line, deed=replace(line.deed, subject="020-a.md")))
            session.commit()

    interrupt(either_workspace, line, file, commit)
    assert record_interrupted_acts(either_workspace, engine) == 0
    assert read_lines(engine) == [("Ann", "wrote_text", "2026-1", "020-a.md")]


def test_a_name_in_a_folder_is_a_change_and_a_draft_is_none(
    either_workspace: Workspace, engine: Engine, line: ActivityLine
) -> None:
    folder = either_workspace.editions
    interrupt(either_workspace, line, folder, lambda: (folder / ".draft").write_text("x"))
    assert record_interrupted_acts(either_workspace, engine) == 0
    interrupt(either_workspace, line, folder, lambda: (folder / "2026-1").mkdir())
    assert record_interrupted_acts(either_workspace, engine) == 1


def test_an_act_that_is_going_on_is_left_alone(
    either_workspace: Workspace, engine: Engine, line: ActivityLine, file: Path
) -> None:
    with announce_acts(either_workspace, [line], [file]):
        file.write_text("After.\n")
        assert record_interrupted_acts(either_workspace, engine) == 0
        assert len(list(either_workspace.acts.iterdir())) == 1
    assert list(either_workspace.acts.iterdir()) == []
    assert read_lines(engine) == []


def test_a_file_that_is_changed_by_an_act_whose_commit_fails_gets_its_line_later(
    either_workspace: Workspace, engine: Engine, line: ActivityLine, file: Path
) -> None:
    def fail() -> None:
        raise ConnectionError

    def write_and_fail() -> None:
        file.write_text("After.\n")
        fail()

    with pytest.raises(ConnectionError), announce_acts(either_workspace, [line], [file]):
        fail()
    assert list(either_workspace.acts.iterdir()) == []
    with pytest.raises(ConnectionError), announce_acts(either_workspace, [line], [file]):
        write_and_fail()
    assert record_interrupted_acts(either_workspace, engine) == 1


def test_who_has_left_meanwhile_did_it_all_the_same(
    either_workspace: Workspace, engine: Engine, line: ActivityLine, file: Path
) -> None:
    interrupt(either_workspace, line, file, lambda: file.write_text("After.\n"))
    with Session(engine) as session:
        add_member(session, "kim@example.org", "Kim", Role.manager, now=NOW)
        remove_member(session, line.actor.member_id or 0, now=NOW)
        session.commit()
    assert record_interrupted_acts(either_workspace, engine) == 1
    assert read_lines(engine)[0][0] == "Ann"


def test_a_journal_that_cannot_be_written_holds_up_nobody(
    either_workspace: Workspace, line: ActivityLine, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    either_workspace.acts.parent.mkdir(exist_ok=True)
    either_workspace.acts.write_text("A file is where the folder should be.")
    with announce_acts(either_workspace, [line], [file]):
        file.write_text("After.\n")
    assert file.read_text() == "After.\n"
    assert "could not be written" in caplog.text


@pytest.mark.parametrize("name", ["a\0b", "x" * 300, "\ud800", "../outside"])
def test_a_name_that_no_file_can_have_is_left_to_the_act(
    either_workspace: Workspace, line: ActivityLine, name: str
) -> None:
    with announce_acts(
        either_workspace,
        [replace(line, deed=replace(line.deed, edition=name))],
        [either_workspace.editions / name],
    ):
        assert len(list(either_workspace.acts.glob("*.json"))) == 1


def test_a_draft_that_a_kill_left_goes_once_nobody_can_be_writing_it(
    either_workspace: Workspace, engine: Engine
) -> None:
    either_workspace.acts.mkdir(parents=True)
    old, new = either_workspace.acts / ".old", either_workspace.acts / ".new"
    for draft in (old, new):
        draft.write_text("{")
    os.utime(old, (0, 0))
    assert record_interrupted_acts(either_workspace, engine) == 0
    assert list(either_workspace.acts.iterdir()) == [new]


def test_a_file_that_is_no_entry_is_left_and_named(
    either_workspace: Workspace, engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    either_workspace.acts.mkdir(parents=True)
    path = either_workspace.acts / "broken.json"
    path.write_text('{"acts": [{}]}')
    assert record_interrupted_acts(either_workspace, engine) == 0
    assert path.exists()
    assert str(path) in caplog.text


def test_an_address_in_an_interrupted_act_is_masked_when_its_owner_is_erased(
    either_workspace: Workspace, engine: Engine, line: ActivityLine, file: Path
) -> None:
    deed = Deed(act=Act.imported_edition, subject="From bücher@example.org, May.docx")
    named = replace(line, deed=deed)
    interrupt(either_workspace, named, file, lambda: file.write_text("After.\n"))
    matcher = make_address_matcher("bücher@example.org")
    found = scan_files(either_workspace, matcher, excluding=frozenset())
    assert [match.action for match in found] == [FileAction.mask]
    clean_file(found[0], matcher)
    assert record_interrupted_acts(either_workspace, engine) == 1
    assert "cher@example" not in repr(read_lines(engine))
