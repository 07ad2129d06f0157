"""The table of `make bench`: what it says of a figure beside its bar, and of one that was not taken."""

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
def test_a_figure_is_held_to_its_bar(measured: float | None, side: Bound, verdict: str) -> None:
    assert Measurement(what="x", measured=measured, bound=side, bar=1000).verdict == verdict


def test_a_figure_without_a_bar_is_only_told() -> None:
    assert Measurement(what="x", measured=1.0).verdict == ""


def test_the_table_shows_the_bar_beside_the_figure(capsys: pytest.CaptureFixture[str]) -> None:
    print_table([Measurement(what="a message", measured=1234.5, bar=1000, note="by the clock")])
    line, note = capsys.readouterr().out.splitlines()[1:]
    assert line.split(maxsplit=2) == ["a", "message", line.split(maxsplit=2)[2]]
    assert "1,234 ×" in line
    assert "at least 1,000 ×" in line
    assert line.endswith("met")
    assert note.strip() == "by the clock"


def test_without_node_the_table_says_which_figures_are_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise NpmUnavailableError("Node is not installed")

    monkeypatch.setattr(render, "install_peers", refuse)
    figures = list(render.measure_against_node(None))  # type: ignore[arg-type]  # nothing is measured
    assert [figure.verdict for figure in figures] == ["not measured"] * 3
    assert {figure.note for figure in figures} == {"Node is not installed."}
