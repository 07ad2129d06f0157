"""A damaged database: each command says so in a sentence, and the doctor finds what commands do not meet."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import click
import pytest
from click.testing import CliRunner

from mailer.cli import mailer
from mailer.doctor.installation_checks import check_database
from mailer.workspace import Workspace

# They open no database, ask the network, or run until they are stopped.
SPARED = {"init", "demo", "doctor", "login", "simulate"}


def list_commands(group: click.Group, *above: str) -> Iterator[tuple[list[str], click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from list_commands(command, *above, name)
        elif command is not None and not {*above, name} & SPARED:
            yield [*above, name], command


COMMANDS = list(list_commands(mailer))


def fill_in(command: click.Command) -> Iterator[str]:
    for parameter in command.params:
        if parameter.required and parameter.nargs != 0:
            kind = parameter.type
            value = str(kind.choices[0]) if isinstance(kind, click.Choice) else "1"
            yield from [value] if isinstance(parameter, click.Argument) else [parameter.opts[0], value]


@pytest.fixture
def damaged(workspace: Workspace) -> Workspace:
    (workspace.root / "mailer.db").write_bytes(b"x" * 100_000)
    return workspace


@pytest.mark.parametrize(("words", "command"), COMMANDS, ids=[" ".join(words) for words, _ in COMMANDS])
def test_no_command_ends_in_a_traceback_on_a_damaged_database(
    damaged: Workspace, monkeypatch: pytest.MonkeyPatch, words: list[str], command: click.Command
) -> None:
    monkeypatch.chdir(damaged.root)
    given = ["-C", str(damaged.root), *words, *fill_in(command)]
    result = CliRunner().invoke(mailer, given, input="")
    assert result.exception is None or isinstance(result.exception, SystemExit), result.output


def test_the_sentence_says_what_to_do(damaged: Workspace) -> None:
    result = CliRunner().invoke(mailer, ["-C", str(damaged.root), "campaigns", "list"])
    assert result.exit_code == 1
    assert "The database file is damaged" in result.output
    assert "docs/backup.md" in result.output


def test_the_doctor_finds_a_page_that_no_command_has_met(workspace: Workspace) -> None:
    path = workspace.root / "mailer.db"
    with closing(sqlite3.connect(path)) as connection:
        found = "SELECT rootpage FROM sqlite_master WHERE name = 'saved_segment'"
        (page,) = connection.execute(found).fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    with path.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"x" * size)
    (diagnosis,) = check_database(workspace)
    assert diagnosis.code == "database-unusable"
