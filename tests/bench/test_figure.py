"""The table of `make bench`: figures with and without a bar, and figures that were not measured."""

import pytest

from bench import render
from bench.measurement import Bound, Measurement, print_table
from bench.npm_renderer import NpmUnavailableError


@pytest.mark.parametrize(
    ("measured", "side", "verdict"),
    [
        (1000.0, Bound.at_least, "met"),
        (999.9, Bound.at_least, "BELOW THE BAR"),
        (1000.0, Bound.at_most, "met"),
        (1000.1, Bound.at_most, "BELOW THE BAR"),
        (None, Bound.at_least, "not measured"),
    ],
)
def test_a_figure_is_compared_with_its_bar(measured: float | None, side: Bound, verdict: str) -> None:
    assert Measurement(what="x", measured=measured, bound=side, bar=1000).verdict == verdict


def test_a_figure_without_a_bar_has_no_verdict() -> None:
    assert Measurement(what="x", measured=1.0).verdict == ""


def test_the_table_shows_the_bar_next_to_the_figure(capsys: pytest.CaptureFixture[str]) -> None:
    print_table([Measurement(what="a message", measured=1234.5, bar=1000, note="by the clock")])
    line, note = capsys.readouterr().out.splitlines()[1:]
    assert line.split(maxsplit=2) == ["a", "message", line.split(maxsplit=2)[2]]
    assert "1,234 ×" in line
    assert "at least 1,000 ×" in line
    assert line.endswith("met")
    assert note.strip() == "by the clock"


def test_without_node_the_table_lists_the_missing_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise NpmUnavailableError("Node is not installed")

    monkeypatch.setattr(render, "install_peers", refuse)
    figures = list(render.measure_against_node(None))  # type: ignore[arg-type]  # nothing is measured
    assert [figure.verdict for figure in figures] == ["not measured"] * 3
    assert {figure.note for figure in figures} == {"Node is not installed."}
