"""What a run that nobody watches asks of pytest: to run what failed once more, and to begin nothing too late.

With ``--unattended FILE``, what fails is run again at once, alone and in a process of its own, if it is no
more than MOST_AGAIN tests. What fails again is red. What is then green is unsteady: it stops nobody, and FILE
has its name, its seconds and what it said, to be mended. With ``--begin-until TIME``, no test begins after a
time, and FILE names those that were left out.
"""

import subprocess
import sys
import time
from pathlib import Path
from typing import Final

import pytest

MOST_AGAIN: Final = 10
_LEFT_OUT: Final = "left out"


def add_options(parser: pytest.Parser) -> None:
    """Add the options to pytest's own."""
    parser.addoption(
        "--unattended",
        type=Path,
        metavar="FILE",
        help="run what fails again, alone; write to FILE what is then green, and what was left out",
    )
    parser.addoption(
        "--begin-until",
        type=float,
        metavar="TIME",
        help="begin no test after this time, in seconds since 1970",
    )


def configure(config: pytest.Config) -> None:
    """Do what the options ask for; tests are reported to the process that has no other above it."""
    if config.option.begin_until is not None:
        config.pluginmanager.register(_Deadline(config.option.begin_until))
    if config.option.unattended is not None and not hasattr(config, "workerinput"):
        config.pluginmanager.register(_SecondRun(config))


class _Deadline:
    def __init__(self, until: float) -> None:
        self._until = until

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        if time.time() > self._until:
            item.user_properties.append((_LEFT_OUT, True))
            pytest.skip("too late to begin it in this run")


class _SecondRun:
    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._file: Path = config.option.unattended
        self._failed: dict[str, list[pytest.TestReport]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self._failed.setdefault(report.nodeid, []).append(report)
        elif report.skipped and (_LEFT_OUT, True) in report.user_properties:
            self._tell(f"left out, too late to begin it: {report.nodeid}")

    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        if exitstatus != pytest.ExitCode.TESTS_FAILED or len(self._failed) > MOST_AGAIN:
            return
        green = [self._is_green_alone(test, reports) for test, reports in self._failed.items()]
        if all(green):
            session.exitstatus = pytest.ExitCode.OK

    def _is_green_alone(self, test: str, reports: list[pytest.TestReport]) -> bool:
        profile = self._config.getoption("--hypothesis-profile")
        options = [f"--hypothesis-profile={profile}"] if profile else []
        began = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *options, "--", test],
            cwd=self._config.rootpath,
            capture_output=True,
            text=True,
        )
        took = time.monotonic() - began
        if done.returncode != pytest.ExitCode.OK:
            self._print(f"\nred again, alone, after {took:.1f} s: {test}\n{done.stdout}{done.stderr}")
            return False
        first = sum(report.duration for report in reports)
        said = "\n".join(report.longreprtext for report in reports)
        self._tell(f"unsteady: {test}: red after {first:.1f} s, green alone after {took:.1f} s\n{said}")
        self._print(f"\nunsteady, green alone after {took:.1f} s: {test}")
        return True

    def _print(self, words: str) -> None:
        self._config.get_terminal_writer().line(words)

    def _tell(self, words: str) -> None:
        with self._file.open("a", encoding="utf-8") as file:
            file.write(f"{words}\n")
