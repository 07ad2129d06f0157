"""The benchmark of segment queries, on a small list."""

from pathlib import Path

from bench.segment_queries import measure


def test_every_figure_has_its_bar_and_compared_queries_agree(tmp_path: Path) -> None:
    figures = list(measure(tmp_path, 2_000, 1))
    assert [figure.bar for figure in figures if figure.measured is not None] in ([1.3, 3], [1.3, 3, 1.3, 3])
    assert all(figure.note for figure in figures)
