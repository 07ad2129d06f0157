"""What we tell people is true: commands run, pages say what the program says, links lead somewhere."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from mailer.cli import mailer
from tests.factories.contacts import write_contacts
from tests.factories.first_document import write_document
from tests.paths import ROOT
from tests.servers.scripted_smtp import ScriptedServer

COMMANDS = Path(sys.executable).parent


def walk_commands(
    command: click.Command, words: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    yield words, command
    if isinstance(command, click.Group):
        for word, member in command.commands.items():
            yield from walk_commands(member, (*words, word))


ALL_COMMANDS = dict(walk_commands(mailer, ("mailer",)))


# --- the commands people copy -------------------------------------------------------------------------------


def read_console_blocks(document: Path) -> list[tuple[str, list[str]]]:
    """The commands of a document's console blocks, those after a ``$``, with the output shown below each."""
    text = document.read_text(encoding="utf-8")
    shown: list[tuple[str, list[str]]] = []
    for block in re.findall(r"^```console\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            if line.startswith("$ "):
                shown.append((line.removeprefix("$ "), []))
            else:
                shown[-1][1].append(line)
    return shown


def run_shell(line: str, cwd: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, **environ, "PATH": f"{COMMANDS}{os.pathsep}{os.environ['PATH']}"}
    return subprocess.run(
        ["bash", "-c", line],
        cwd=cwd,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
    )


@pytest.mark.spare
def test_the_commands_of_the_first_page_run_in_the_order_they_stand_and_print_what_it_shows(
    tmp_path: Path,
) -> None:
    shown = [
        (line, output)
        for line, output in read_console_blocks(ROOT / "docs" / "start.md")
        if line.startswith("mailer ")
    ]
    assert len(shown) >= 7
    write_contacts(tmp_path)
    write_document(tmp_path)
    # These stay until somebody stops them; tests of their own start them.
    stays = {"preview", "serve", "studio", "work"}
    with ScriptedServer() as relay:
        for line, output in shown:
            if not stays & set(shlex.split(line)):
                done = run_shell(line, tmp_path, MAILER_SMTP__URL=relay.url)
                assert done.returncode == 0, f"$ {line}\n{done.stdout}"
                printed = done.stdout.splitlines()
                assert [expected for expected in output if expected not in printed] == [], (
                    f"$ {line}\n{done.stdout}"
                )


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md"])
def test_every_make_command_we_name_is_one(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    named = set(re.findall(r"(?:^\$ |`)make ([a-z-]+)", text, re.MULTILINE))
    assert "test" in named
    for target in sorted(named):
        done = subprocess.run(["make", "--dry-run", target], cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


def test_the_readme_starts_with_the_two_commands() -> None:
    named = {line for line, _ in read_console_blocks(ROOT / "README.md")}
    assert {"make demo", "make test"} <= named


@pytest.mark.parametrize(
    "document", sorted(path.relative_to(ROOT).as_posix() for path in ROOT.glob("docs/*.md"))
)
def test_every_mailer_command_a_page_names_exists(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    for line in re.findall(r"`(mailer [a-z][^`\n]*)`", text):
        words = ["mailer", *(word for word in line.split()[1:] if re.fullmatch(r"[a-z-]+", word))]
        command: click.Command = mailer
        for word in words[1:]:
            if not isinstance(command, click.Group):
                break
            assert word in command.commands, f"{document} names `{line}`, and there is no such command"
            command = command.commands[word]


def test_every_picture_is_shown_and_all_weigh_at_most_five_megabytes() -> None:
    pictures = list((ROOT / "docs" / "images").iterdir())
    documents = "".join(
        path.read_text(encoding="utf-8") for path in [ROOT / "README.md", *ROOT.glob("docs/*.md")]
    )
    assert [file.name for file in pictures if f"images/{file.name})" not in documents] == []
    assert sum(file.stat().st_size for file in pictures) <= 5_000_000


# --- help ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", ALL_COMMANDS, ids=" ".join)
def test_every_command_has_help_and_is_documented(words: tuple[str, ...]) -> None:
    command = ALL_COMMANDS[words]
    assert (command.help or "").strip()
    assert f"\n## {' '.join(words)}\n" in (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("words", ALL_COMMANDS, ids=" ".join)
def test_every_option_says_what_it_does(words: tuple[str, ...]) -> None:
    silent = [
        option.name
        for option in ALL_COMMANDS[words].params
        if isinstance(option, click.Option) and not option.help
    ]
    assert silent == []


# --- the documents themselves -------------------------------------------------------------------------------


def check_documents(root: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, ROOT / "scripts" / "check_docs.py", root], cwd=root, capture_output=True, text=True
    )


def copy_documents(folder: Path) -> Path:
    """The documents, to plant faults in."""
    for path in [*ROOT.glob("*.md"), ROOT / "pyproject.toml", ROOT / "LICENSE"]:
        shutil.copy(path, folder)
    shutil.copytree(ROOT / "docs", folder / "docs")
    for link in re.findall(r"\]\(([\w./-]+)\)", (ROOT / "README.md").read_text(encoding="utf-8")):
        if (ROOT / link).exists() and not (folder / link).exists():
            (folder / link).parent.mkdir(parents=True, exist_ok=True)
            (folder / link).touch()
    return folder


def test_the_documents_are_true() -> None:
    done = check_documents()
    assert done.returncode == 0, done.stderr


def test_a_copy_of_the_documents_is_true_too(tmp_path: Path) -> None:
    # Otherwise the planted faults below would prove nothing.
    done = check_documents(copy_documents(tmp_path))
    assert done.returncode == 0, done.stderr


UNTRUTHS = (
    ("docs/cli.md", "Show the version and exit", "Show the weather"),
    ("docs/settings.md", "MAILER_SMTP__URL` |", "MAILER_URL` |"),
    ("docs/checks/long-alt.md", "without a pause", "with one"),
    ("CONTRIBUTING.md", "(docs/architecture.md)", "(docs/gone.md)"),
    ("docs/README.md", "(cli.md)", "(cli.md#nowhere)"),
    ("docs/dependencies.md", "| `rich` |", "| `poor` |"),
    ("docs/dependencies.md", "Tables as typed classes. | MIT |", "Tables as typed classes. |  |"),
    ("CHANGELOG.md", "## [Unreleased]", "## [9.9.9]"),
)


@pytest.fixture(scope="module")
def check_of_untruths(tmp_path_factory: pytest.TempPathFactory) -> subprocess.CompletedProcess[str]:
    """What the check says of documents with all untruths, a page too many and one too few."""
    copy = copy_documents(tmp_path_factory.mktemp("documents"))
    for document, old, new in UNTRUTHS:
        text = (copy / document).read_text(encoding="utf-8")
        assert old in text
        (copy / document).write_text(text.replace(old, new), encoding="utf-8")
    (copy / "docs" / "checks" / "gone.md").write_text("# gone\n", encoding="utf-8")
    (copy / "docs" / "checks" / "bad-date.md").unlink()
    return check_documents(copy)


@pytest.mark.parametrize(
    "complaint",
    [
        "docs/cli.md: out of date",
        "docs/settings.md: out of date",
        "docs/checks/long-alt.md: out of date",
        "docs/gone.md does not exist",
        "cli.md has no heading for #nowhere",
        "rich is in pyproject.toml but has no row",
        "poor has a row but is not in pyproject.toml",
        "sqlmodel needs a reason and a licence",
        'the first section must be "## [Unreleased]"',
        "docs/checks/gone.md: this page is no longer generated. Delete it.",
        "docs/checks/bad-date.md: out of date",
    ],
)
def test_each_planted_untruth_is_found(
    check_of_untruths: subprocess.CompletedProcess[str], complaint: str
) -> None:
    assert complaint in check_of_untruths.stderr


def test_untruths_turn_the_check_red(check_of_untruths: subprocess.CompletedProcess[str]) -> None:
    assert check_of_untruths.returncode == 1
