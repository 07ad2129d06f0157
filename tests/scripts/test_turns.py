"""Turns: nothing that takes minutes is forgotten, and what has changed does not wait for its quarter."""

import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from scripts.turns import (
    ON_BOTH,
    QUARTERS,
    TURNS,
    Changes,
    choose_due,
    list_folders,
    place_on_postgres,
    read_changes,
)
from tests.paths import ROOT

NOTHING: frozenset[str] = frozenset()


def quiet(
    number: int, lately: frozenset[str] | None = NOTHING, before: frozenset[str] | None = NOTHING
) -> Changes:
    return Changes(number=number, lately=lately, before=before)


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
def test_of_a_day_that_has_changed_everything_half_comes_now_and_the_rest_an_odd_number_later(
    number: int,
) -> None:
    now = choose_due(quiet(number, None))
    then = choose_due(quiet(number + 1, NOTHING, None))
    assert len(now) <= 0.6 * len(TURNS)
    assert not set(now) & set(then)
    assert len(now) + len(then) == len(TURNS)
    # Also if everything is changed again.
    assert set(then) == set(choose_due(quiet(number + 1, None, None)))


def test_in_doubt_everything_is_due() -> None:
    assert choose_due(Changes(doubt="no history")) == [*TURNS]


# --- on PostgreSQL ------------------------------------------------------------------------------------------

FOLDERS = list_folders()
SOME = [f"tests/privacy/test_{number}.py::test_it" for number in range(20)]


def list_due(changes: Changes) -> set[str]:
    due = {(turn.quarter, turn.path) for turn in choose_due(changes, FOLDERS)}
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


@pytest.mark.parametrize(
    "test",
    [
        "tests/dispatch/test_ledger.py::test_it",
        "tests/database/test_schema.py::test_it",
        "tests/list_imports/test_runner.py::test_it",
        "tests/subscribers/imports/test_importer.py::test_it",
        "tests/campaigns/test_launch_lock.py::test_it",
        "tests/test_keys.py::test_it",
    ],
)
def test_sending_tables_imports_and_locks_go_to_postgresql_each_time(test: str) -> None:
    assert place_on_postgres(test) is None


def test_every_place_that_goes_to_postgresql_each_time_is_there() -> None:
    for start in ON_BOTH:
        assert any((ROOT / "tests").glob(f"{start}*")), start


# --- what git says ------------------------------------------------------------------------------------------


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    run(tmp_path, "init", "--quiet")
    run(tmp_path, "config", "user.name", "Ann")
    run(tmp_path, "config", "user.email", "ann@example.org")
    return tmp_path


def run(clone: Path, *words: str, hour: int = 0) -> None:
    when = {
        "GIT_COMMITTER_DATE": f"2026-03-{1 + hour // 24:02}T{hour % 24:02}:00:00Z",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "PATH": "/usr/bin:/bin",
    }
    subprocess.run(["git", *words], cwd=clone, env=when, check=True, capture_output=True)


def commit(clone: Path, name: str, *, hour: int = 0) -> None:
    file = clone / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch()
    run(clone, "add", "--all")
    run(clone, "commit", "--quiet", "--message", name, hour=hour)


def test_without_a_history_there_is_doubt(tmp_path: Path) -> None:
    assert read_changes(tmp_path).doubt == "there is no history to ask"


def test_what_changed_in_the_four_hours_before_the_last_commit_was_changed_lately(clone: Path) -> None:
    for at, name in enumerate(["first.py", "second.py", "third.py", "fourth.py", "fifth.py", "sixth.py"]):
        commit(clone, name, hour=at)
    assert read_changes(clone) == quiet(
        6, frozenset({f"{name}.py" for name in ("second", "third", "fourth", "fifth", "sixth")}), None
    )
    for at, name in enumerate(["a.py", "b.py", "c.py", "d.py", "e.py"]):
        commit(clone, name, hour=10 + at)
    found = read_changes(clone)
    assert (found.number, found.lately) == (11, frozenset({"a.py", "b.py", "c.py", "d.py", "e.py"}))
    assert found.before == frozenset(
        {f"{name}.py" for name in ("second", "third", "fourth", "fifth", "sixth")}
    )


def test_the_last_four_commits_are_recent_however_old_they_are(clone: Path) -> None:
    for day, name in enumerate(["a.py", "b.py", "c.py", "d.py", "e.py", "f.py"]):
        commit(clone, name, hour=24 * day)
    assert read_changes(clone) == quiet(6, frozenset({"c.py", "d.py", "e.py", "f.py"}), None)


def test_what_was_changed_is_everything_where_the_history_begins_lately(clone: Path) -> None:
    commit(clone, "a.py")
    assert read_changes(clone) == quiet(1, None, None)


def test_a_history_that_is_cut_off_is_in_doubt(clone: Path) -> None:
    commit(clone, "a.py")
    commit(clone, "b.py")
    run(clone, "clone", "--quiet", "--depth=1", f"file://{clone}", str(clone / "shallow"))
    assert "cut off" in read_changes(clone / "shallow").doubt
