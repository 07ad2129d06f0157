"""From an empty folder with a Word document to a test mail, by exactly the commands in docs/start.md."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import pytest

from tests.factories.first_document import STORIES, write_document
from tests.paths import ROOT
from tests.servers.scripted_smtp import ScriptedServer

pytestmark = pytest.mark.spare


def read_commands() -> list[str]:
    """The commands of the section about one's own newsletter."""
    text = (ROOT / "docs" / "start.md").read_text(encoding="utf-8")
    (section,) = re.findall(
        r"^## Your own newsletter, in five commands\n(.*?)^## ", text, re.MULTILINE | re.DOTALL
    )
    (block,) = re.findall(r"^```console\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    lines = block.replace("\\\n", " ").splitlines()
    return [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]


@dataclass(frozen=True, kw_only=True)
class FirstMail:
    """The folder after the commands, what the last of them printed, and what the relay got."""

    folder: Path
    printed: str
    server: ScriptedServer

    def run(self, command: str) -> "subprocess.CompletedProcess[str]":
        return run(command, self.folder, self.server.url)


def run(command: str, folder: Path, relay: str) -> "subprocess.CompletedProcess[str]":
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env={**os.environ, "PATH": path, "MAILER_SMTP__URL": relay},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FirstMail]:
    folder = tmp_path_factory.mktemp("empty")
    write_document(folder)
    commands = read_commands()
    assert len(commands) == 5
    with ScriptedServer() as server:
        # The preview stays until somebody stops it; tests of its own start it.
        for command in (command for command in commands if " preview " not in command):
            done = run(command, folder, server.url)
            assert done.returncode == 0, f"$ {command}\n{done.stdout}{done.stderr}"
        yield FirstMail(folder=folder, printed=done.stdout, server=server)


def test_the_words_of_the_document_are_in_ones_own_mailbox(first: FirstMail) -> None:
    (mail,) = first.server.kept
    message = message_from_bytes(mail.content, policy=policy.default)
    assert isinstance(message, EmailMessage)
    assert mail.recipient == message["To"] == "me@harbour.example.org"
    assert message["From"] == "Harbour Office <news@harbour.example.org>"
    assert message["Subject"].startswith("[Test] ")
    body = message.get_body(("plain",))
    assert body is not None
    text = " ".join(body.get_content().split())
    for words in (*STORIES, *STORIES.values(), "2 Quay, Riverton"):
        assert words in text
    assert "me@harbour.example.org" in first.printed
    assert "1 of 1 sent." in first.printed


def test_nothing_was_published_and_the_edition_is_tested(first: FirstMail) -> None:
    (campaign,) = json.loads(first.run("mailer -C harbour-news campaigns list --json").stdout)
    assert (campaign["edition"], campaign["state"], campaign["audience"]) == ("spring", "tested", 0)
    assert campaign["test"]["addresses"] == ["me@harbour.example.org"]
