"""The figure of a show: the sentence it proves, printed after all tests, also when they ran in parallel."""

from collections.abc import Callable
from typing import Any

import pytest

_NAME = "figure"


@pytest.fixture
def figure(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Call it with the sentence once it is proven."""
    return lambda words: record_property(_NAME, words)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print every figure last, in the order the tests ended."""
    reports = [report for kind in ("passed", "failed") for report in terminalreporter.stats.get(kind, [])]
    figures = [words for report in reports for name, words in report.user_properties if name == _NAME]
    if figures:
        terminalreporter.section("figures")
        for words in figures:
            terminalreporter.write_line(words)
