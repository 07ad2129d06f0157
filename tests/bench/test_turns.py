"""Alternating runs and the slow server, which `make bench-dispatch` uses."""

import socket
import time

import pytest

from bench.relays import running_slow_sink
from bench.runs import Run, RunComparison, cpu_each, rate, time_each


def run_of(seconds: float, *, cpu: float = 0.5, messages: int = 1000) -> Run:
    return Run(messages=messages, began=5.0, ended=5.0 + seconds, cpu=cpu)


def test_a_run_computes_its_rate_and_the_time_per_message() -> None:
    run = run_of(2)
    assert (rate(run), time_each(run), cpu_each(run)) == (500, 2000, 500)


def test_ratios_are_computed_per_round_without_the_warm_up() -> None:
    ours, theirs = iter([100.0, 1, 2, 6]), iter([1.0, 1, 1, 2])
    works = {"ours": lambda: run_of(next(ours)), "theirs": lambda: run_of(next(theirs))}
    ratio = RunComparison(works, rounds=3).ratio("ours", "theirs", time_each)
    assert (ratio.least, ratio.median, ratio.most) == pytest.approx((1, 2, 3))


def test_the_slow_server_answers_pipelined_commands_together_after_its_delay() -> None:
    commands = b"MAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.org>\r\nDATA\r\n"
    with running_slow_sink(30) as port, socket.create_connection(("127.0.0.1", port)) as line:
        assert line.recv(1000).startswith(b"220")
        began = time.monotonic()
        line.sendall(commands)
        assert [reply[:3] for reply in line.recv(1000).splitlines()] == [b"250", b"250", b"354"]
        assert time.monotonic() - began >= 0.025
        # The end of the message in two pieces, and the next envelope behind it.
        line.sendall(b"Subject: x\r\n\r\nwords\r\n.")
        line.sendall(b"\r\n" + commands)
        replies = b""
        while replies.count(b"\n") < 4:
            replies += line.recv(1000)
        assert [reply[:3] for reply in replies.splitlines()] == [b"250", b"250", b"250", b"354"]
