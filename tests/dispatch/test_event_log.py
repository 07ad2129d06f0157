"""The event log: a line for each refusal and each problem, none for a success, and no addresses."""

import contextlib
import io
import json
import re
import resource
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from rich.console import Console
from rich.progress import Progress

from mailer.database.models import CampaignState
from mailer.dispatch.deliveries import Claim, Counts
from mailer.dispatch.event_log import (
    EventLog,
    NullEventLog,
    RunOutcome,
    RunResult,
    mask_reader,
    mask_recipient,
)
from mailer.settings import LogSettings
from mailer.smtp.reply_classifier import Outcome, Stage, Verdict, classify_reply
from subscribers.models import Subscriber
from tests.factories.deliveries import START

REFUSED = classify_reply(Stage.rcpt, 550, "5.1.1 <mei.lin@example.org>: mailbox mei.lin is unknown")
LOST = Outcome(verdict=Verdict.in_doubt, stage=Stage.dot, text="connection lost at dot")
SENT = classify_reply(Stage.dot, 250, "2.0.0 queued as 4F2")
COUNTS = Counts(audience=10, sent=4, rejected=1, queued=5)


@pytest.fixture
def claim() -> Claim:
    reader = Subscriber(
        id=7, email="mei.lin@example.org", envelope="mei.lin@example.org", created_at=START, updated_at=START
    )
    return Claim(delivery_id=3, campaign_id=1, subscriber=reader)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "mailer.log"


def write(path: Path, act: Callable[[EventLog], None], **values: str) -> list[dict[str, object]]:
    """The lines that ``act`` writes to a file."""
    settings = LogSettings(**{"format": "json", "file": path.name, "level": "debug", **values})
    with EventLog(settings, path.parent, clock=lambda: START) as event_log:
        act(event_log)
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_a_refusal_is_one_line_with_the_servers_words_and_without_the_address(
    path: Path, claim: Claim
) -> None:
    (line,) = write(path, lambda event_log: event_log.delivery_not_sent(claim, REFUSED, "main"))
    assert line == {
        "timestamp": "2026-03-01T09:00:00.000Z",
        "level": "info",
        "event": "rejected",
        "campaign": 1,
        "delivery": 3,
        "subscriber": 7,
        "domain": "example.org",
        "stage": "rcpt",
        "code": 550,
        "enhanced": "5.1.1",
        "words": "5.1.1 <…>: mailbox <…> is unknown",
        "relay": "main",
    }
    assert "mei" not in path.read_text()


def test_a_sent_message_is_not_logged(path: Path, claim: Claim) -> None:
    assert write(path, lambda event_log: event_log.delivery_not_sent(claim, SENT, "main")) == []


def test_a_message_in_doubt_is_a_warning_and_a_refusal_is_not(path: Path, claim: Claim) -> None:
    def act(event_log: EventLog) -> None:
        event_log.delivery_not_sent(claim, REFUSED)
        event_log.delivery_not_sent(claim, LOST)

    (line,) = write(path, act, level="warning")
    assert (line["event"], line["level"]) == ("in_doubt", "warning")
    assert "code" not in line


def test_problems_with_a_relay_pauses_and_the_start_and_end_of_a_run_are_logged(path: Path) -> None:
    ending = RunResult(
        outcome=RunOutcome.waiting,
        state=CampaignState.sending,
        counts=COUNTS,
        reason="",
        next_try=START + timedelta(minutes=5),
    )

    def act(event_log: EventLog) -> None:
        event_log.run_started(1, COUNTS, connections=5, relays=["a", "b"])
        event_log.connection_failed("a", classify_reply(Stage.login, 535, "5.7.8 no, news@example.org"))
        event_log.relay_quarantined("a", "The mail server refuses the login: 535 no, news@example.org")
        event_log.campaign_paused(1, "20 of the last 25")
        event_log.run_ended(1, ending)

    lines = write(path, act)
    assert [line["event"] for line in lines] == [
        "run_started",
        "connection_failed",
        "relay_set_aside",
        "campaign_paused",
        "run_ended",
    ]
    assert (lines[0]["audience"], lines[0]["relays"]) == (10, ["a", "b"])
    assert (lines[1]["stage"], lines[1]["code"], lines[1]["enhanced"]) == ("login", 535, "5.7.8")
    assert "news@" not in path.read_text()
    assert (lines[-1]["how"], lines[-1]["next_try"]) == ("waiting", "2026-03-01T09:05:00+00:00")


def test_in_text_format_an_event_is_one_line_whatever_the_server_says(path: Path, claim: Claim) -> None:
    unusual = replace_words(REFUSED, 'say "no"\nand = more 很抱歉')
    settings = LogSettings(format="text", file=Path(path.name))
    with EventLog(settings, path.parent, clock=lambda: START) as event_log:
        event_log.delivery_not_sent(claim, unusual, "main")
    (line,) = path.read_text(encoding="utf-8").splitlines()
    assert line.startswith("timestamp=2026-03-01T09:00:00.000Z level=info event=rejected campaign=1")
    assert "很抱歉" in line


def replace_words(outcome: Outcome, words: str) -> Outcome:
    return Outcome(verdict=outcome.verdict, stage=outcome.stage, code=outcome.code, text=words)


def test_two_event_logs_share_a_file(path: Path) -> None:
    settings = LogSettings(format="json", file=Path(path.name))
    with EventLog(settings, path.parent) as one, EventLog(settings, path.parent) as two:
        for number in range(50):
            one.campaign_paused(1, f"one{number}")
            two.campaign_paused(2, f"two{number}")
    assert len([json.loads(line) for line in path.read_text().splitlines()]) == 100


@contextlib.contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    """Let no file grow beyond ``size`` bytes: a disk that fills up in the middle of a line."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_is_told_once_counted_and_over_when_there_is_space(
    path: Path, claim: Claim, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = LogSettings(format="json", file=Path(path.name))
    with EventLog(settings, path.parent) as chronicle:
        with file_size_limit(1000):
            for _ in range(20):
                chronicle.delivery_not_sent(claim, REFUSED, "main")
        lost = chronicle.lost_lines
        chronicle.relay_quarantined("main", "no")
        assert chronicle.lost_lines == lost > 10
    first, last = capsys.readouterr().err.splitlines()
    assert re.match(
        rf"{path}: the log cannot be written \((No space left on device|File too large)\). Sending", first
    )
    assert last == f"{path}: {lost} lines could not be written. The ledger is complete."
    *whole, torn, next_one = path.read_text().splitlines()
    assert len(whole) == 20 - lost
    assert [json.loads(line)["event"] for line in (*whole, next_one)] == [
        *["rejected"] * len(whole),
        "relay_set_aside",
    ]
    assert torn.startswith('{"timestamp"')


@pytest.mark.parametrize("name", ["/dev/full", None])
def test_no_log_that_cannot_be_written_ends_a_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str | None
) -> None:
    monkeypatch.setattr("sys.stderr", Path("/dev/full").open("w", buffering=1))  # noqa: SIM115
    settings = LogSettings(level="debug", file=Path(name) if name else None)
    with EventLog(settings, tmp_path) as chronicle:
        chronicle.relay_quarantined("main", "no")
        chronicle.relay_quarantined("spare", "no")
    with contextlib.suppress(OSError):
        sys.stderr.close()


def test_without_a_file_lines_go_to_stderr_and_never_to_stdout(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with EventLog(LogSettings(), tmp_path) as event_log:
        event_log.relay_quarantined("main", "it refuses the login")
    captured = capsys.readouterr()
    assert (captured.out, "event=relay_set_aside relay=main" in captured.err) == ("", True)


def test_without_a_file_only_problems_are_logged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with EventLog(LogSettings(), tmp_path) as event_log:
        event_log.run_started(1, COUNTS)
    with EventLog(LogSettings(level="info"), tmp_path) as event_log:
        event_log.run_started(2, COUNTS)
    (line,) = capsys.readouterr().err.splitlines()
    assert "event=run_started campaign=2 " in line


def test_a_logged_line_does_not_break_a_progress_bar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    monkeypatch.setattr(sys, "stderr", screen)
    console = Console(stderr=True, force_terminal=True, width=100)
    with (
        Progress(console=console, redirect_stdout=False) as progress,
        EventLog(LogSettings(), tmp_path) as event_log,
    ):
        progress.add_task("Campaign 1", total=10)
        progress.refresh()
        event_log.relay_quarantined("main", "it refuses the login")
    rows = screen.getvalue().replace("\r", "\n").split("\n")
    (row,) = [row for row in rows if "relay_set_aside" in row]
    assert "Campaign" not in row


def test_a_null_event_log_writes_nothing_and_needs_no_settings(
    claim: Claim, capsys: pytest.CaptureFixture[str]
) -> None:
    with NullEventLog() as event_log:
        event_log.delivery_not_sent(claim, REFUSED, "main")
        event_log.campaign_paused(1, "because")
        event_log.run_started(1, COUNTS)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("words", "masked"),
    [
        ("no mailbox for Mei.Lin here", "no mailbox for <…> here"),
        ("mei.lin@example.org", "<…>"),
        ("user (mei.lin+news@gmail.example) unknown", "user <…> unknown"),
        ("mei.linden is somebody else", "mei.linden is somebody else"),
    ],
)
def test_addresses_and_the_readers_local_part_are_masked(words: str, masked: str) -> None:
    assert mask_recipient(words, "mei.lin@example.org") == masked


def test_only_the_reader_is_masked_where_the_sender_is_what_matters(claim: Claim) -> None:
    words = "550 <News@example.org> may not write to <Mei.Lin@example.org>, mei.lin@example.org.mn or Mei Lin"
    named = claim._replace(subscriber=claim.subscriber.model_copy(update={"name": "Mei Lin"}))  # type: ignore[attr-defined]
    masked = mask_reader(words, named)
    assert masked == "550 <News@example.org> may not write to <…>, mei.lin@example.org.mn or <…>"
