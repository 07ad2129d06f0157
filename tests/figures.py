"""Figures that acceptance tests prove, printed as sentences after all tests, even when run in parallel."""

from collections.abc import Callable
from typing import Any

import pytest

_NAME = "figure"


@pytest.fixture
def figure(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """A function to call with the sentence once it is proven."""
    return lambda words: record_property(_NAME, words)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print all figures at the end, in the order the tests finished."""
    reports = [report for kind in ("passed", "failed") for report in terminalreporter.stats.get(kind, [])]
    figures = [words for report in reports for name, words in report.user_properties if name == _NAME]
    if figures:
        terminalreporter.section("figures")
        for words in figures:
            terminalreporter.write_line(words)
