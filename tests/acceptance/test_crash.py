"""`mailer send --confirm` killed repeatedly with SIGKILL while it sends, then run to the end."""

import json
import os
import random
import signal
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.factories.sample_workspace import create_sample_workspace
from tests.servers.forked_programs import ForkedProgram, ForkTemplate
from tests.servers.smtp_sink import Sink, smtp_sink

EDITION = "unesco-beijing-2021-2"


@dataclass(frozen=True, kw_only=True)
class Operator:
    """Who calls `mailer` on a workspace that sends to a sink."""

    root: Path
    sink: Sink
    template: ForkTemplate

    def start(self, *words: str) -> ForkedProgram:
        return self.template.start(("-C", str(self.root), *words), {"MAILER_SMTP__URL": self.sink.url})

    def run(self, *words: str) -> str:
        """Run a command that succeeds; return what it says."""
        process = self.start(*words)
        out, err = process.communicate()
        assert process.returncode == 0, err
        return out

    def show(self) -> dict[str, int]:
        found: dict[str, int] = json.loads(self.run("campaigns", "show", "1", "--json"))
        return found


def make_workspace(root: Path, partners: int) -> None:
    """A workspace with the sample edition and a list of ``partners`` addresses."""
    create_sample_workspace(root)
    (root / "mailer.db").unlink()
    for rest in root.glob("mailer.db-*"):
        rest.unlink()
    people = root / "people.csv"
    people.write_text("email,country\n" + "".join(f"desk{n}@example.org,MN\n" for n in range(partners)))


def kill_in_the_middle(operator: Operator, words: tuple[str, ...], at_least: int) -> bool:
    """Start the command and kill it once the sink has ``at_least`` messages; False if it ended first."""
    command = operator.start(*words)
    # To list thousands of files takes a while, and more often would leave the command no processor.
    while command.poll() is None and len(os.listdir(operator.sink.folder)) < at_least:  # noqa: PTH208
        time.sleep(0.02)
    time.sleep(random.uniform(0, 0.05))
    command.kill()
    return command.wait() == -signal.SIGKILL


def kill_repeatedly(operator: Operator, *, partners: int, kills: int) -> set[str]:
    """Kill the campaign ``kills`` times, by `send` and `resume` in turn; return the Message-IDs in doubt."""
    doubted: set[str] = set()
    done = 0
    for turn in range(kills):
        words = (
            ("send", EDITION, "--segment", "all", "--confirm")
            if turn % 2 == 0
            else ("campaigns", "resume", "1")
        )
        done += kill_in_the_middle(operator, words, at_least=(turn + 1) * partners // (kills + 2))
        report = json.loads(operator.run("campaigns", "report", "1", "--json"))
        doubted |= {delivery["message_id"] for delivery in report["in_doubt"]}
    assert done == kills, "the campaign was over before it could be killed often enough"
    return doubted


def check_no_reader_is_lost(operator: Operator, partners: int) -> None:
    shown = operator.show()
    assert shown["audience"] == partners
    assert shown["audience"] == sum(
        shown[name] for name in ("sent", "rejected", "failed", "suppressed", "in_doubt", "deferred", "queued")
    )
    assert shown["queued"] == shown["deferred"] == shown["rejected"] == shown["failed"] == 0
    assert len(set(operator.sink.recipients())) >= shown["sent"]


def crash(tmp_path: Path, *, partners: int, kills: int) -> None:
    root = tmp_path / "W"
    make_workspace(root, partners)
    with smtp_sink() as sink, ForkTemplate() as template:
        operator = Operator(root=root, sink=sink, template=template)
        operator.run("db", "upgrade")
        operator.run("subscribers", "import", str(root / "people.csv"))
        doubted = kill_repeatedly(operator, partners=partners, kills=kills)

        operator.run("campaigns", "resume", "1")
        check_no_reader_is_lost(operator, partners)
        held = operator.show()
        assert held["sent"] + held["in_doubt"] == partners
        assert [ident for ident, times in Counter(sink.message_ids()).items() if times > 1] == []

        operator.run("campaigns", "resume", "1", "--resend-in-doubt")
        check_no_reader_is_lost(operator, partners)
        assert operator.show()["sent"] == partners
        assert set(sink.recipients()) == {f"desk{n}@example.org" for n in range(partners)}
        duplicates = {ident for ident, times in Counter(sink.message_ids()).items() if times > 1}
        assert duplicates <= doubted


@pytest.mark.soak
def test_ten_thousand_partners_and_fifty_kills_lose_no_reader_and_name_duplicates(
    tmp_path: Path,
) -> None:
    crash(tmp_path, partners=10_000, kills=50)
