"""From an empty folder to one's own list, by exactly the three commands that docs/start.md has."""

import json
import os
import re
import subprocess
import sys
from email import message_from_bytes, policy
from pathlib import Path

import pytest

from tests.factories.contacts import ADDRESSES, write_contacts
from tests.paths import ROOT

pytestmark = pytest.mark.spare


def read_commands() -> list[str]:
    """The commands of the section about one's own list."""
    text = (ROOT / "docs" / "start.md").read_text(encoding="utf-8")
    (section,) = re.findall(
        r"^## Your own list, in three commands\n(.*?)^## ", text, re.MULTILINE | re.DOTALL
    )
    (block,) = re.findall(r"^```console\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    lines = block.replace("\\\n", " ").splitlines()
    return [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]


def run(command: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env={**os.environ, "PATH": path},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with nothing but the list, after the three commands."""
    folder = tmp_path_factory.mktemp("empty")
    write_contacts(folder)
    commands = read_commands()
    assert len(commands) == 3
    for command in commands:
        done = run(command, folder)
        assert done.returncode == 0, f"$ {command}\n{done.stderr}"
    return folder


def test_everybody_of_the_list_is_on_it_with_the_basis_on_record(folder: Path) -> None:
    listed = json.loads(run("mailer -C river-news subscribers list --json", folder).stdout)
    assert sorted(person["email"] for person in listed) == sorted(ADDRESSES)
    assert {(person["status"], person["country"]) for person in listed} == {("active", "MN")}
    assert {(person["name"], person["organisation"]) for person in listed} == {
        ("Mei Lin", "Ministry of Water"),
        ("Bat Erdene", "River Office"),
    }
    shown = json.loads(run(f"mailer -C river-news subscribers show {ADDRESSES[0]} --json", folder).stdout)
    assert [record["basis"] for record in shown["consent"]] == ["our partners since 2019"]


def test_a_message_in_the_name_of_the_founder_waits_in_the_outbox(folder: Path) -> None:
    (path,) = (folder / "river-news" / "outbox").glob("*.eml")
    message = message_from_bytes(path.read_bytes(), policy=policy.default)
    assert message["From"] == "River Office <news@river.example.org>"
    assert any(address in message["To"] for address in ADDRESSES)
    body = message.get_body(("plain",))
    assert body is not None
    assert "1 Quay, Riverton" in body.get_content()


def test_the_example_edition_is_not_sent_to_them(folder: Path) -> None:
    refused = run("mailer -C river-news send 2026-1 --segment all --confirm", folder)
    assert refused.returncode == 1
    assert "stories/020-in-brief.md" in refused.stderr
    assert json.loads(run("mailer -C river-news campaigns list --json", folder).stdout) == []
