"""What a run that nobody watches does with a test that is red once, twice, or too late."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.paths import ROOT
from tests.unattended import MOST_AGAIN

PLUGIN = """\
from tests import unattended

pytest_addoption, pytest_configure = unattended.add_options, unattended.configure
"""
UNSTEADY = """\
from pathlib import Path

import pytest

STEPS = Path(__file__).with_name("steps")


@pytest.mark.parametrize("word", ["a b[c]::d", "é"])
def test_is_red_the_first_time(word):
    with STEPS.open("a") as steps:
        steps.write("x")
    assert STEPS.stat().st_size > 2, "the gate was not open yet"
"""
RED = "def test_is_always_red():\n    assert 1 == 2\n"
GREEN = "def test_is_green():\n    pass\n"


def run(folder: Path, *words: str, **files: str) -> tuple[subprocess.CompletedProcess[str], str]:
    """Run pytest on files of tests by their names; return how it ended, and what it told."""
    (folder / "pytest.ini").write_text(f"[pytest]\npythonpath = {ROOT}\n")
    (folder / "conftest.py").write_text(PLUGIN)
    for name, text in files.items():
        (folder / f"test_{name}.py").write_text(text)
    told = folder / "told"
    command = [sys.executable, "-m", "pytest", "-q", f"--unattended={told}", *words, "."]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env={"PYTHONPATH": str(ROOT)})
    return done, told.read_text(encoding="utf-8") if told.exists() else ""


@pytest.mark.parametrize("spread", [(), ("-n", "2")], ids=["alone", "spread"])
def test_what_is_red_once_stops_nobody_and_is_named_with_what_it_said(
    tmp_path: Path, spread: tuple[str, ...]
) -> None:
    done, told = run(tmp_path, *spread, unsteady=UNSTEADY, green=GREEN)
    assert done.returncode == pytest.ExitCode.OK, done.stdout + done.stderr
    assert "2 failed, 1 passed" in done.stdout
    for word in ("a b[c]::d", "\\xe9"):
        assert f"unsteady: test_unsteady.py::test_is_red_the_first_time[{word}]: red after " in told
    assert told.count("the gate was not open yet") >= 2
    assert "green alone after" in told


def test_what_is_red_twice_is_red_whatever_else_was_unsteady(tmp_path: Path) -> None:
    done, told = run(tmp_path, unsteady=UNSTEADY, red=RED)
    assert done.returncode == pytest.ExitCode.TESTS_FAILED
    assert "red again, alone" in done.stdout
    assert "test_is_red_the_first_time" in told
    assert "test_is_always_red" not in told


def test_more_than_ten_are_red_at_once(tmp_path: Path) -> None:
    many = UNSTEADY.replace('["a b[c]::d", "é"]', f"range({MOST_AGAIN + 1})").replace(
        "> 2", f"> {MOST_AGAIN + 1}"
    )
    done, told = run(tmp_path, unsteady=many)
    assert (done.returncode, told) == (pytest.ExitCode.TESTS_FAILED, "")


def test_a_file_that_cannot_be_read_is_red_at_once(tmp_path: Path) -> None:
    done, told = run(tmp_path, broken="import nothing_of_that_name\n", green=GREEN)
    assert (done.returncode, told) == (pytest.ExitCode.INTERRUPTED, "")


@pytest.mark.parametrize("spread", [(), ("-n", "2")], ids=["alone", "spread"])
def test_what_would_begin_too_late_is_left_out_and_named(tmp_path: Path, spread: tuple[str, ...]) -> None:
    done, told = run(tmp_path, *spread, f"--begin-until={time.time() - 1}", red=RED, green=GREEN)
    assert done.returncode == pytest.ExitCode.OK, done.stdout + done.stderr
    assert sorted(told.splitlines()) == [
        "left out, too late to begin it: test_green.py::test_is_green",
        "left out, too late to begin it: test_red.py::test_is_always_red",
    ]


def test_what_begins_in_time_runs(tmp_path: Path) -> None:
    done, told = run(tmp_path, f"--begin-until={time.time() + 3600}", green=GREEN)
    assert (done.returncode, told) == (pytest.ExitCode.OK, "")
    assert "1 passed" in done.stdout
