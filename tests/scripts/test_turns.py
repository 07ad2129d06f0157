"""Turns: nothing that takes minutes is forgotten, and what has changed does not wait for its quarter."""

import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from scripts.turns import (
    NUMBER,
    QUARTERS,
    TURNS,
    Sitting,
    choose_due,
    list_folders,
    place_on_postgres,
    read_sitting,
)
from tests.paths import ROOT

NOTHING: frozenset[str] = frozenset()


def quiet(
    number: int, changed: frozenset[str] | None = NOTHING, before: frozenset[str] | None = NOTHING
) -> Sitting:
    return Sitting(number=number, changed=changed, changed_before=before)


@pytest.mark.parametrize("kind", ["soak", "judges"])
def test_every_file_with_such_a_test_takes_turns(kind: str) -> None:
    mark = re.compile(rf"^\s*(@|pytestmark = |marks=.*)pytest\.mark\.{kind}\b", re.MULTILINE)
    marked = {
        file.relative_to(ROOT).as_posix()
        for file in (ROOT / "tests").rglob("test_*.py")
        if mark.search(file.read_text(encoding="utf-8"))
    }
    assert {turn.path for turn in TURNS if turn.kind == kind} == marked


def test_every_room_is_there() -> None:
    for turn in TURNS:
        for room in (turn.path, *turn.rooms):
            assert (ROOT / room).exists() or (ROOT / f"{room}.py").exists(), f"{turn.path}: {room}"


@pytest.mark.parametrize("first", range(QUARTERS))
def test_four_times_take_everything_once(first: int) -> None:
    taken = [turn for number in range(QUARTERS) for turn in choose_due(quiet(first + number))]
    assert Counter(taken) == Counter(TURNS)


@pytest.mark.parametrize("number", range(QUARTERS))
def test_what_is_in_a_room_that_has_changed_is_due(number: int) -> None:
    due = choose_due(quiet(number, frozenset({"subscribers/imports/columns/guess.py"})))
    assert "tests/subscribers/imports/columns/test_who_left.py" in [turn.path for turn in due]
    assert [*due] == [turn for turn in TURNS if turn in due]


@pytest.mark.parametrize("number", range(QUARTERS))
def test_of_a_sitting_that_has_changed_everything_half_comes_now_and_the_rest_the_next_time(
    number: int,
) -> None:
    now = choose_due(quiet(number, None))
    then = choose_due(quiet(number + 1, NOTHING, None))
    assert len(now) <= 0.6 * len(TURNS)
    assert not set(now) & set(then)
    assert len(now) + len(then) == len(TURNS)
    # Also if the next sitting changes everything again.
    assert set(then) == set(choose_due(quiet(number + 1, None, None)))


def test_in_doubt_everything_is_due() -> None:
    assert choose_due(Sitting(doubt="no history")) == [*TURNS]


# --- on PostgreSQL ------------------------------------------------------------------------------------------

FOLDERS = list_folders()
SOME = [f"tests/privacy/test_{number}.py::test_it" for number in range(20)]


def list_due(sitting: Sitting) -> set[str]:
    due = {(turn.quarter, turn.path) for turn in choose_due(sitting, FOLDERS)}
    return {test for test in SOME if place_on_postgres(test) in due}


def test_four_times_take_every_test_to_postgresql() -> None:
    taken = [list_due(quiet(number)) for number in range(QUARTERS)]
    assert set().union(*taken) == set(SOME)
    assert sum(map(len, taken)) == len(SOME)


@pytest.mark.parametrize("changed", ["mailer/privacy/erasure.py", "tests/privacy/test_erasure.py"])
def test_a_folder_whose_room_has_changed_goes_to_postgresql_as_a_whole(changed: str) -> None:
    assert list_due(quiet(1, frozenset({changed}))) == set(SOME)
    assert list_due(quiet(1, frozenset({"mailer/oauth/login.py"}))) < set(SOME)


def test_a_folder_whose_room_has_another_name_goes_to_postgresql_whatever_changes(tmp_path: Path) -> None:
    (tmp_path / "tests" / "moved").mkdir(parents=True)
    for name in ("oauth", "privacy", "team"):
        (tmp_path / "tests" / name).mkdir()
        (tmp_path / "mailer" / name).mkdir(parents=True)
    due = choose_due(quiet(1, frozenset({"README.md"})), list_folders(tmp_path))
    assert Counter(Path(turn.path).name for turn in due) == {"moved": 4, "oauth": 1, "privacy": 1, "team": 1}


def test_where_locks_are_tested_every_test_goes_to_postgresql_each_time() -> None:
    assert place_on_postgres("tests/dispatch/deliveries/test_ledger.py::test_it") is None
    assert place_on_postgres("tests/test_keys.py::test_it") is None


# --- what git says ------------------------------------------------------------------------------------------


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    run(tmp_path, "init", "--quiet")
    run(tmp_path, "config", "user.name", "Ann")
    run(tmp_path, "config", "user.email", "ann@example.org")
    return tmp_path


def run(clone: Path, *words: str, day: int = 1) -> None:
    when = {
        "GIT_COMMITTER_DATE": f"2026-03-{day:02}T09:00:00Z",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "PATH": "/usr/bin:/bin",
    }
    subprocess.run(["git", *words], cwd=clone, env=when, check=True, capture_output=True)


def commit(clone: Path, name: str, words: str = "", *, day: int = 1) -> None:
    file = clone / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"{words}\n")
    run(clone, "add", "--all")
    run(clone, "commit", "--quiet", "--message", name, day=day)


def test_without_a_history_there_is_doubt(tmp_path: Path) -> None:
    assert read_sitting(tmp_path).doubt == "there is no history to ask"


def test_what_has_changed_since_the_number_moved_the_last_time_but_this(clone: Path) -> None:
    commit(clone, NUMBER, "7")
    assert read_sitting(clone) == quiet(7, None, None)
    commit(clone, "early.py")
    commit(clone, NUMBER, "8")
    commit(clone, "late.py")
    assert read_sitting(clone) == quiet(8, frozenset({"early.py", NUMBER, "late.py"}), None)
    commit(clone, NUMBER, "9")
    assert read_sitting(clone) == quiet(
        9, frozenset({"late.py", NUMBER}), frozenset({"early.py", "late.py", NUMBER})
    )


def test_a_number_that_nobody_moved_or_that_jumped_is_in_doubt(clone: Path) -> None:
    commit(clone, NUMBER, "7", day=1)
    commit(clone, "a.py", day=2)
    assert "nobody has moved" in read_sitting(clone).doubt
    commit(clone, NUMBER, "9", day=2)
    assert "has not moved by one" in read_sitting(clone).doubt
    commit(clone, NUMBER, "ten", day=2)
    assert read_sitting(clone).doubt


def test_a_history_that_is_cut_off_is_in_doubt(clone: Path, tmp_path: Path) -> None:
    commit(clone, NUMBER, "7")
    commit(clone, "a.py")
    run(clone, "clone", "--quiet", "--depth=1", f"file://{clone}", str(clone / "shallow"))
    assert "cut off" in read_sitting(clone / "shallow").doubt
