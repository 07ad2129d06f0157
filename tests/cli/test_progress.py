"""Progress: how fast it goes now, how long it will take, what is not as it should be."""

import io
import sys
from pathlib import Path

import pytest

from mailer.cli.commands.imports import show_row_progress
from mailer.cli.progress import RateMeter, describe_problems, describe_rate, line_progress, show_progress
from mailer.dispatch.deliveries import Counts


class Stopwatch:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def watch() -> Stopwatch:
    return Stopwatch()


def at(settled: int, audience: int = 10_000, **others: int) -> Counts:
    rest = audience - settled - sum(others.values())
    return Counts(audience=audience, sent=settled, queued=rest, **others)


def test_the_rate_is_that_of_the_last_ten_seconds_and_not_since_the_start(watch: Stopwatch) -> None:
    pace = RateMeter(watch)
    for second in range(60):
        pace.record(5000 + second * 100)
        watch.now += 1
    assert pace.rate == pytest.approx(100)
    for _ in range(20):
        pace.record(10_900)
        watch.now += 1
    assert pace.rate == 0
    assert pace.estimate(1000) is None


def test_what_was_settled_before_the_run_is_not_its_speed(watch: Stopwatch) -> None:
    pace = RateMeter(watch)
    pace.record(9000)
    assert pace.rate is None
    watch.now += 2
    pace.record(9020)
    assert pace.rate == pytest.approx(10)


def test_a_thousand_updates_a_second_are_not_all_kept(watch: Stopwatch) -> None:
    pace = RateMeter(watch)
    for number in range(100_000):
        watch.now += 0.001
        pace.record(number)
    assert len(pace._seen) <= 110
    assert pace.rate == pytest.approx(1000, rel=0.02)


@pytest.mark.parametrize(
    ("rate", "left", "words"),
    [(5, 100, "5.0/s, 20 s left"), (85, 10_200, "85/s, 2 min left"), (1, 9000, "1.0/s, 2.5 h left")],
)
def test_an_estimate_is_in_words(watch: Stopwatch, rate: int, left: int, words: str) -> None:
    pace = RateMeter(watch)
    pace.record(0)
    watch.now += 10
    pace.record(rate * 10)
    assert describe_rate(pace, at(rate * 10, audience=rate * 10 + left)) == words


def test_trouble_is_told_only_where_there_is_some() -> None:
    assert describe_problems(at(10)) == ""
    counts = at(10, rejected=3, in_doubt=1, deferred=1200)
    told = describe_problems(counts, "relay b is set aside")
    assert told == "3 rejected, 1,200 deferred, 1 in doubt, relay b is set aside"


def test_elsewhere_a_plain_line_comes_every_ten_seconds(
    watch: Stopwatch, capsys: pytest.CaptureFixture[str]
) -> None:
    update = line_progress("Campaign 1", monotonic=watch)
    for second in range(25):
        update(at(second * 100, rejected=3))
        watch.now += 1
    told = capsys.readouterr().err.splitlines()
    assert told == [
        "Campaign 1: 1,003 of 10,000, 100/s, 90 s left, 3 rejected",
        "Campaign 1: 2,003 of 10,000, 100/s, 80 s left, 3 rejected",
    ]


def test_a_new_notice_does_not_wait_for_its_turn(
    watch: Stopwatch, capsys: pytest.CaptureFixture[str]
) -> None:
    update = line_progress("Campaign 1", monotonic=watch)
    for _ in range(3):
        update(at(100), "relay b is set aside")
    assert capsys.readouterr().err.splitlines() == ["Campaign 1: 100 of 10,000, relay b is set aside"]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_on_a_terminal_there_is_a_bar_with_the_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "160")
    with show_progress("Campaign [1]") as update:
        update(at(100, rejected=3), "relay b is set aside")
    assert "Campaign [1]" in screen.getvalue()
    assert "3 rejected, relay b is set aside" in screen.getvalue()
    assert "103/10000" in screen.getvalue()


def test_an_import_has_a_bar_of_its_rows_on_a_terminal_and_none_elsewhere(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "people[1].csv"
    file.write_text("email\n" * 2000)
    with show_row_progress(file) as update:
        update(1000)
    assert capsys.readouterr().err == ""
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "160")
    with show_row_progress(file) as update:
        update(1000)
    assert "people[1].csv" in screen.getvalue()
    assert "1,000 rows" in screen.getvalue()
