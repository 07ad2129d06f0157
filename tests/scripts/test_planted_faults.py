"""Each fault of the list can be planted, and one that is planted is found by the tests that find it."""

from pathlib import Path

import pytest

from scripts.planted_faults import (
    Copy,
    Fault,
    FaultError,
    find_places,
    plant,
    read_code,
    read_list,
    read_quick,
)
from tests.paths import ROOT

FAULTS = read_list()
CODE = read_code(ROOT)
FAULT = Fault(
    name="too-few",
    room="sums",
    slip="one is missing",
    text="return a+b",
    instead="return a + b - 1",
    tests=("tests/sums",),
)
SUM = "def add(a, b):\n    return a + b\n"
TEST = "from mailer.sums import add\n\ndef test_right(): assert add(1, 2) == 3\n"


def make_tree(root: Path, *, code: str = SUM, test: str = TEST) -> Path:
    for name, text in {
        "mailer/__init__.py": "",
        "mailer/sums.py": code,
        "tests/sums/test_sums.py": test,
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    return root


def test_the_list_has_a_fault_for_each_of_twenty_rooms() -> None:
    assert len({fault.name for fault in FAULTS}) == len({fault.room for fault in FAULTS}) == len(FAULTS)
    assert len(FAULTS) >= 20


@pytest.mark.parametrize("fault", FAULTS, ids=[fault.name for fault in FAULTS])
def test_its_text_is_in_the_code_exactly_once_and_its_tests_are_there(fault: Fault) -> None:
    plant(CODE, fault)
    assert fault.text != fault.instead
    assert all((ROOT / tests).exists() for tests in fault.tests)


@pytest.mark.parametrize("code", ["f(a, b)", "f(\n    a,\n    b,\n)", "f(a,b)"])
def test_a_text_is_found_however_its_lines_are_broken(tmp_path: Path, code: str) -> None:
    tree = make_tree(tmp_path, code=f"x = {code}\nxf(a, b)\n")
    assert len(find_places(read_code(tree), "f(a, b)")) == 1


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("def add(a, b): ...\n", "is there 0 times"),
        (SUM * 2, "is there 2 times"),
        (f"{SUM}(", "be no Python"),
    ],
)
def test_what_cannot_be_planted_says_why(tmp_path: Path, code: str, says: str) -> None:
    with pytest.raises(FaultError, match=f"too-few: .*{says}"):
        plant(read_code(make_tree(tmp_path, code=code)), FAULT)


@pytest.mark.parametrize(
    ("test", "red"), [(TEST, "tests/sums/test_sums.py::test_right"), (TEST.replace("== 3", "> 0"), "")]
)
def test_the_first_test_that_the_fault_turns_red_is_named(tmp_path: Path, test: str, red: str) -> None:
    tree = make_tree(tmp_path / "own", test=test)
    assert Copy(tree, tmp_path / "copy", ()).find_first_red(FAULT) == red
    assert {text for text in read_code(tmp_path / "copy" / "tree").values() if text} == {SUM}


@pytest.mark.parametrize(
    ("test", "says"),
    [
        (TEST.replace("== 3", "> 5"), "fails without the fault, too"),
        (TEST.replace("add", "multiply"), "do not run"),
        ("", "do not run"),
    ],
)
def test_no_test_counts_that_is_red_without_the_fault(tmp_path: Path, test: str, says: str) -> None:
    tree = make_tree(tmp_path / "own", test=test)
    with pytest.raises(FaultError, match=says):
        Copy(tree, tmp_path / "copy", ()).find_first_red(FAULT)


def test_the_quick_selection_is_that_of_the_makefile() -> None:
    *_, option, marks = read_quick(ROOT)
    assert option == "-m"
    assert "not browser" in marks
