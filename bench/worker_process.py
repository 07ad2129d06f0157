"""Run modules of this folder in separate processes: give each a job, start them together, and collect their
runs."""

import contextlib
import json
import pickle
import re
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.runs import Run

# Seconds; sending a million takes a few minutes.
_TIMEOUT = 1800


class FailedRunError(Exception):
    """A run failed, so there is nothing to measure."""


class WorkerProcess:
    """``module`` in a separate process, with its imports done, waiting to start."""

    def __init__(self, module: str, job: object) -> None:
        self._module = module
        self._process = subprocess.Popen(
            [sys.executable, "-m", module], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self._process.stdin
        assert self._process.stdout
        pickle.dump(job, self._process.stdin)
        self._process.stdin.flush()
        if self._process.stdout.readline() != b"ready\n":
            raise FailedRunError(f"{module} did not start")

    def start(self) -> None:
        assert self._process.stdin
        self._process.stdin.write(b"go\n")
        self._process.stdin.flush()

    def finish(self) -> Run:
        """Wait for it and return its run.

        Raises:
            FailedRunError: it failed, or timed out.
        """
        try:
            answer, _ = self._process.communicate(timeout=_TIMEOUT)
        except subprocess.TimeoutExpired as error:
            self._process.kill()
            self._process.communicate()
            raise FailedRunError(f"{self._module} was not done after {_TIMEOUT} s") from error
        if self._process.returncode:
            raise FailedRunError(f"{self._module} ended with {self._process.returncode}")
        return Run(**json.loads(answer))


def run_together(workers: Iterable[WorkerProcess]) -> Run:
    """Start ``workers`` together; return the time from the first start to the last end, and the CPU time of
    all.

    ``messages`` is the highest number reported, because each worker reads it from the shared ledger.
    """
    waiting = list(workers)
    for worker in waiting:
        worker.start()
    runs = [worker.finish() for worker in waiting]
    return Run(
        messages=max(run.messages for run in runs),
        began=min(run.began for run in runs),
        ended=max(run.ended for run in runs),
        cpu=sum(run.cpu for run in runs),
        peak=max(run.peak for run in runs),
    )


def run_worker(module: str, job: object) -> Run:
    return run_together([WorkerProcess(module, job)])


def serve_job(prepare: Callable[[Any], Callable[[], int]]) -> None:
    """The worker's side: read the job, ``prepare``, wait for the start, work, and report the run.

    What ``prepare`` returns does the work and returns the number of messages; only that is measured, in time
    and in CPU.
    """
    work = prepare(pickle.load(sys.stdin.buffer))
    print("ready", flush=True)
    sys.stdin.buffer.readline()
    began, spent = time.monotonic(), _read_cpu()
    messages = work()
    ended, cpu = time.monotonic(), _read_cpu() - spent
    print(json.dumps(asdict(Run(messages=messages, began=began, ended=ended, cpu=cpu, peak=read_peak()))))


def _read_cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def read_peak() -> float:
    """Return the peak memory of this process in megabytes.

    This avoids ru_maxrss where possible, because a process inherits the value of its parent.
    """
    with contextlib.suppress(OSError):
        found = re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text(encoding="ascii"))
        if found:
            return int(found[1]) / 1000
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
