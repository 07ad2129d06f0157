"""Renames are finished after a kill, and undone after an error."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from editions.changes.story_order import JOURNAL, FileMove, apply_moves, finish_moves
from editions.source.folder import scan_folder

MOVES = [
    FileMove("stories/010-a.md", "stories/040-a.md"),
    FileMove("stories/010-a.mn.md", "stories/040-a.mn.md"),
]

KILLED = """
import os, signal, sys
from pathlib import Path
from editions.changes import story_order
left = int(sys.argv[2])
rename = Path.rename
def rename_or_die(self, target):
    global left
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    left -= 1
    return rename(self, target)
Path.rename = rename_or_die
names = ((10, "a"), (10, "a.mn"), (20, "b"))
story_order.apply_moves(
    Path(sys.argv[1]),
    [story_order.FileMove(f"stories/{n:03d}-{s}.md", f"stories/{n + 1:03d}-{s}.md") for n, s in names],
)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "edition.md").write_text("---\ntitle: x\n---\n")
    (tmp_path / "stories").mkdir()
    for name in ("010-a.md", "010-a.mn.md", "020-b.md"):
        (tmp_path / "stories" / name).write_text(name)
    return tmp_path


def list_stories(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in sorted((folder / "stories").iterdir())}


@pytest.mark.parametrize("renamed", range(3))
def test_a_kill_at_any_place_loses_no_file_and_is_finished_later(folder: Path, renamed: int) -> None:
    run = subprocess.run([sys.executable, "-c", KILLED, folder, str(renamed)], check=False)
    assert run.returncode == -signal.SIGKILL
    assert sorted(list_stories(folder).values()) == ["010-a.md", "010-a.mn.md", "020-b.md"]
    assert [story.slug for story in scan_folder(folder).stories] == ["a", "b"]
    assert finish_moves(folder)
    assert list_stories(folder) == {
        "011-a.md": "010-a.md",
        "011-a.mn.md": "010-a.mn.md",
        "021-b.md": "020-b.md",
    }
    assert not finish_moves(folder)
    assert sorted(path.name for path in folder.iterdir()) == ["edition.md", "stories"]


def test_a_file_in_the_way_is_never_overwritten_and_nothing_is_renamed(folder: Path) -> None:
    (folder / "stories/040-a.mn.md").write_text("another")
    before = list_stories(folder)
    with pytest.raises(FileExistsError, match=r"040-a\.mn\.md already"):
        apply_moves(folder, MOVES)
    assert list_stories(folder) == before
    assert not (folder / JOURNAL).exists()


def test_what_is_in_the_way_of_finishing_is_left_alone(folder: Path) -> None:
    (folder / JOURNAL).write_text(
        '[["stories/010-a.md", "stories/020-b.md"], ["stories/gone.md", "stories/x.md"]]'
    )
    before = list_stories(folder)
    assert finish_moves(folder)
    assert list_stories(folder) == before


@pytest.mark.parametrize(
    "journal",
    [
        "",
        "{}",
        "null",
        "[1]",
        '[["a"]]',
        '[["../edition.md", "x"]]',
        '[["edition.md", "/tmp/x"]]',
        "\xff",
        "[[[],[]]]",
    ],
)
def test_a_journal_that_is_not_ours_moves_nothing(folder: Path, journal: str) -> None:
    (folder / JOURNAL).write_text(journal, encoding="latin-1")
    before = list_stories(folder)
    assert finish_moves(folder)
    assert list_stories(folder) == before
    assert (folder / "edition.md").exists()


def test_a_full_disk_changes_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", refuse)
    before = list_stories(folder)
    with pytest.raises(OSError, match="No space"):
        apply_moves(folder, MOVES)
    assert list_stories(folder) == before
    assert sorted(path.name for path in folder.iterdir()) == ["edition.md", "stories"]
