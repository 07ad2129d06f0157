"""`mailer send --confirm` killed repeatedly with SIGKILL while it sends, then run to the end."""

import json
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.factories.sample_workspace import create_sample_workspace
from tests.servers.smtp_sink import Sink, smtp_sink

EDITION = "unesco-beijing-2021-2"


def mailer(root: Path, *words: str) -> list[str]:
    return [sys.executable, "-m", "mailer", "-C", str(root), *words]


def run(root: Path, url: str, *words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        mailer(root, *words),
        env={"MAILER_SMTP__URL": url},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def make_workspace(root: Path, partners: int) -> None:
    """A workspace with the sample edition and a list of ``partners`` addresses."""
    create_sample_workspace(root)
    (root / "mailer.db").unlink()
    for rest in root.glob("mailer.db-*"):
        rest.unlink()
    people = root / "people.csv"
    people.write_text("email,country\n" + "".join(f"desk{n}@example.org,MN\n" for n in range(partners)))
    for words in (("db", "upgrade"), ("subscribers", "import", str(people))):
        subprocess.run(mailer(root, *words), check=True, capture_output=True)


def kill_in_the_middle(root: Path, sink: Sink, words: tuple[str, ...], at_least: int) -> bool:
    """Start the command and kill it once the sink has ``at_least`` messages; False if it ended first."""
    command = subprocess.Popen(
        mailer(root, *words),
        env={"MAILER_SMTP__URL": sink.url},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while command.poll() is None and sum(1 for _ in sink.folder.iterdir()) < at_least:
        time.sleep(0.002)
    time.sleep(random.uniform(0, 0.05))
    command.send_signal(signal.SIGKILL)
    return command.wait() == -signal.SIGKILL


def show(root: Path) -> dict[str, int]:
    found: dict[str, int] = json.loads(
        run(root, "smtp://127.0.0.1:9", "campaigns", "show", "1", "--json").stdout
    )
    return found


def kill_repeatedly(root: Path, sink: Sink, *, partners: int, kills: int) -> set[str]:
    """Kill the campaign ``kills`` times, by `send` and `resume` in turn; return the Message-IDs in doubt."""
    doubted: set[str] = set()
    done = 0
    for turn in range(kills):
        words = (
            ("send", EDITION, "--segment", "all", "--confirm")
            if turn % 2 == 0
            else ("campaigns", "resume", "1")
        )
        done += kill_in_the_middle(root, sink, words, at_least=(turn + 1) * partners // (kills + 2))
        report = json.loads(run(root, sink.url, "campaigns", "report", "1", "--json").stdout)
        doubted |= {delivery["message_id"] for delivery in report["in_doubt"]}
    assert done == kills, "the campaign was over before it could be killed often enough"
    return doubted


def check_no_reader_is_lost(root: Path, sink: Sink, partners: int) -> None:
    shown = show(root)
    assert shown["audience"] == partners
    assert shown["audience"] == sum(
        shown[name] for name in ("sent", "rejected", "failed", "suppressed", "in_doubt", "deferred", "queued")
    )
    assert shown["queued"] == shown["deferred"] == shown["rejected"] == shown["failed"] == 0
    assert len(set(sink.recipients())) >= shown["sent"]


def crash(tmp_path: Path, *, partners: int, kills: int) -> None:
    root = tmp_path / "W"
    make_workspace(root, partners)
    with smtp_sink() as sink:
        doubted = kill_repeatedly(root, sink, partners=partners, kills=kills)

        assert run(root, sink.url, "campaigns", "resume", "1").returncode == 0
        check_no_reader_is_lost(root, sink, partners)
        held = show(root)
        assert held["sent"] + held["in_doubt"] == partners
        assert [ident for ident, times in Counter(sink.message_ids()).items() if times > 1] == []

        assert run(root, sink.url, "campaigns", "resume", "1", "--resend-in-doubt").returncode == 0
        check_no_reader_is_lost(root, sink, partners)
        assert show(root)["sent"] == partners
        assert set(sink.recipients()) == {f"desk{n}@example.org" for n in range(partners)}
        duplicates = {ident for ident, times in Counter(sink.message_ids()).items() if times > 1}
        assert duplicates <= doubted


@pytest.mark.soak
def test_ten_thousand_partners_and_fifty_kills_lose_no_reader_and_name_duplicates(
    tmp_path: Path,
) -> None:
    crash(tmp_path, partners=10_000, kills=50)
