"""Importing a file of other columns, as a person meets it."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from mailer.cli import mailer
from mailer.workspace_init import create_workspace

LIST = (
    "Vorname;Name;E-Mail-Adresse;Firma;Status;Fax\n"
    "Anna;Gross;anna@d.example.org;Amt;aktiv;1\n"
    "Bert;Klein;bert@d.example.org;Amt;abgemeldet;\n"
    "Cora;Kurz;cora@d.example.org;;aktiv;\n"
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return create_workspace(tmp_path / "W", sample=False, now=datetime.now(UTC)).root


def run(root: Path, *words: str, code: int = 0) -> Result:
    result = CliRunner().invoke(mailer, ["-C", str(root), "subscribers", *words])
    assert result.exit_code == code, result.output
    return result


def write(folder: Path, name: str, text: str) -> str:
    (folder / name).write_text(text, encoding="utf-8")
    return str(folder / name)


def test_a_dry_run_shows_the_guess_the_statuses_and_a_table_to_edit(root: Path, tmp_path: Path) -> None:
    people = write(tmp_path, "partner.csv", LIST)
    shown = run(root, "import", people, "--dry-run").stderr
    assert "Column layout: guessed from titles and cells." in shown
    assert "name from Vorname + Name" in shown
    assert "Not used: Fax." in shown
    assert 'Status: "aktiv" ×2 active, "abgemeldet" ×1 unsubscribed.' in shown
    assert '    name = ["Vorname", "Name"]' in shown
    assert "Would be 2 added, 0 updated, 0 unchanged, 1 suppressed, 0 refused." in shown
    report = json.loads(run(root, "import", people, "--json").stdout)
    assert (report["added"], report["suppressed"]) == (2, 1)
    (part,) = report["parts"]
    assert part["statuses"][0]["values"][1] == {"value": "abgemeldet", "rows": 1, "meaning": "unsubscribed"}
    assert "[columns]" in part["columns_file"]


def test_a_question_is_answered_by_the_written_table(root: Path, tmp_path: Path) -> None:
    people = write(tmp_path, "partner.csv", LIST.replace("abgemeldet", "Rot"))
    refused = run(root, "import", people, code=1).stderr
    assert '"Status" has "Rot" ×1' in refused
    assert '[status."Status"]' in refused
    assert json.loads(run(root, "imports", "--json").stdout) == []
    table = tmp_path / "columns.toml"
    said = run(root, "import", people, "--write-columns", str(table)).stderr
    assert f"import with --columns {table}" in said
    assert json.loads(run(root, "imports", "--json").stdout) == []
    assert "exists already" in run(root, "import", people, "--write-columns", str(table), code=2).stderr
    text = table.read_text(encoding="utf-8")
    table.write_text(text.replace("unsubscribed = []", 'unsubscribed = ["Rot"]'), encoding="utf-8")
    done = run(root, "import", people, "--columns", str(table)).stderr
    assert "Done: 2 added, 0 updated, 0 unchanged, 1 suppressed, 0 refused." in done


def test_our_own_columns_need_no_table(root: Path, tmp_path: Path) -> None:
    people = write(tmp_path, "partner.csv", "email,name\nanna@d.example.org,Anna\n")
    said = run(root, "import", people, "--write-columns", str(tmp_path / "columns.toml"), code=1).stderr
    assert "it has our own columns" in said
    assert "anna@d.example.org" in run(root, "import", people, "--dry-run").stderr


def test_values_that_are_left_out_are_named(root: Path, tmp_path: Path) -> None:
    people = write(tmp_path, "partner.csv", "E-Mail,Sektor,Sprache\nanna@d.example.org,Wetter,Elbisch\n")
    shown = run(root, "import", people).stderr
    assert 'Values not used from Sektor: "Wetter" ×1.' in shown
    assert 'Values not used from Sprache: "Elbisch" ×1.' in shown
    assert "Done: 1 added" in shown
