"""Throwing the dice: which test fails, and with which seed it fails again."""

import itertools
import subprocess
from pathlib import Path

import pytest

from scripts.explore import PYTEST, explore
from tests.paths import ROOT

PROFILES = "from tests.hypothesis_profiles import register_profiles\n\nregister_profiles()\n"
FINDS = """\
from hypothesis import given, strategies as st


@given(st.integers(0, 30))
def test_no_number_is_seven(number):
    assert number != 7


@given(st.integers())
def test_every_number_is_a_number(number):
    pass


def test_without_dice():
    assert not "run"
"""
LAST_SEED = 2**32 - 1


@pytest.fixture
def planted(tmp_path: Path) -> Path:
    """A folder of tests that are none of the project's, with the project's profiles."""
    (tmp_path / "pytest.ini").write_text(f"[pytest]\npythonpath = {ROOT}\n")
    (tmp_path / "conftest.py").write_text(PROFILES)
    (tmp_path / "test_planted.py").write_text(FINDS)
    return tmp_path


def test_what_a_throw_finds_is_named_once_with_the_seed_that_shows_it_again(
    planted: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    minutes = itertools.count(step=60)
    # Asked once at the start and before each round, so there is time for two.
    found = explore(150, LAST_SEED, [], root=planted, clock=lambda: next(minutes))
    assert found == {"test_planted.py::test_no_number_is_seven": LAST_SEED}
    said = capsys.readouterr().out
    rounds = [line for line in said.splitlines() if line.startswith("explore: seed")]
    assert rounds == [f"explore: seed {LAST_SEED}", "explore: seed 0"]
    assert "1 failed, 1 passed, 1 deselected" in said
    assert "1 passed, 2 deselected" in said
    again = subprocess.run([*PYTEST, f"--hypothesis-seed={LAST_SEED}"], cwd=planted, capture_output=True)
    assert again.returncode == pytest.ExitCode.TESTS_FAILED


def test_a_round_that_takes_longer_than_one_gave_it_is_ended(planted: Path) -> None:
    (planted / "conftest.py").write_text(f"{PROFILES}import time\n\ntime.sleep(600)\n")
    assert explore(2, 1, [], root=planted) == {}


def test_a_word_that_pytest_does_not_know_ends_it_at_once() -> None:
    with pytest.raises(SystemExit) as ended:
        explore(60, 1, ["--nonsense"])
    assert ended.value.code == pytest.ExitCode.USAGE_ERROR
