"""The report on names finds each kind of fault that is planted, and nothing in a tree without faults."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.paths import ROOT

SCRIPT = ROOT / "scripts" / "names.py"


def report(root: Path) -> dict[str, str]:
    """Each table of the report by its title, as printed."""
    done = subprocess.run([sys.executable, SCRIPT, root], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    tables = done.stdout.strip().split("\n\n")
    return {table.partition(":")[0]: table for table in tables}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Two packages in which every name is used once."""
    write(tmp_path, "mailer/__init__.py", "")
    write(tmp_path, "mailer/ledger.py", "class Ledger: ...\n")
    write(tmp_path, "subscribers/__init__.py", "")
    write(tmp_path, "subscribers/segment.py", "class Segment: ...\n")
    # Other folders may use whatever names they like.
    write(tmp_path, "tests/ledger.py", "class Ledger: ...\n")
    return tmp_path


def write(root: Path, name: str, text: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def test_a_tree_without_faults_has_four_empty_tables(tree: Path) -> None:
    assert list(report(tree).values()) == [
        "Module names used more than once: none",
        "Class names defined more than once: none",
        "Modules over 400 lines: none",
        "Module names ending in -ing: none",
    ]


@pytest.mark.parametrize(
    ("name", "text", "title", "found"),
    [
        ("subscribers/x/ledger.py", "", "Module names used more than once", "subscribers/x/ledger.py"),
        ("editions/model.py", "class Ledger: ...\n", "Class names defined more than once", "model.py:1"),
        ("mailer/dispatch/engine.py", "x = 1\n" * 401, "Modules over 400 lines", "401 lines"),
        ("templates/rendering.py", "", "Module names ending in -ing", "templates/rendering.py"),
    ],
)
def test_a_planted_fault_is_in_its_table_and_in_no_other(
    tree: Path, name: str, text: str, title: str, found: str
) -> None:
    write(tree, name, text)
    tables = report(tree)
    assert tables[title].startswith(f"{title}: 1\n")
    assert found in tables[title]
    assert all(table.endswith(": none") for other, table in tables.items() if other != title)


def test_the_report_reads_the_tree_it_is_part_of() -> None:
    assert set(report(ROOT)) >= {"Modules over 400 lines", "Module names ending in -ing"}
