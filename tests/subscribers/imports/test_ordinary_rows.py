"""Rows of our own columns take a short way, which stores the same as the long one and refuses the same."""

import csv
import dataclasses
from collections.abc import Sequence
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from subscribers.consent.suppression import SuppressionKey
from subscribers.csv_format import COLUMNS
from subscribers.imports.chunk_reader import Chunk, ChunkReader
from subscribers.imports.file_parts import ReadOptions, open_parts
from subscribers.imports.import_report import PartReport
from subscribers.imports.row_parser import RowParser

SECTORS = ("education", "sciences", "culture")
KEY = SuppressionKey(b"s" * 32)

texts = st.text(st.characters(codec="utf-8"), max_size=12) | st.text("'=+-@;ab é ", max_size=8)
ordinary = st.builds(
    "{}@{}".format,
    st.text("abC1._+-'", max_size=7),
    st.sampled_from(
        ["example.org", "EXAMPLE.org", "bücher.example.com", "xn--bcher-kva.example.com", "a.test"]
    ),
)
cells = (
    ordinary | ordinary | texts | st.just("Ann Li <ann@example.org>, bob@example.org"),
    texts | st.just("x" * 301),
    texts | st.just("Xi'an University"),
    st.sampled_from(["", "MN", "Mongolia", "Korea", "'=MN"]) | texts,
    st.sampled_from(["", "education", "Education; culture", "nothing"]) | texts,
    st.sampled_from(["", "en", "zh_hans", "Danish"]) | texts,
    st.sampled_from(["", "press", "press;VIP", "'=a"]) | texts,
)
rows = st.lists(st.tuples(*cells) | st.lists(texts, max_size=9).map(tuple), max_size=12)


def read_both_ways(path: Path) -> list[tuple[list[Chunk], PartReport]]:
    both = []
    for is_short in (True, False):
        with open_parts(path, ReadOptions(encoding="utf-8", delimiter=","), sectors=SECTORS) as (part,):
            assert part.mapping.pick_cells is not None
            if not is_short:
                part = dataclasses.replace(part, mapping=dataclasses.replace(part.mapping, pick_cells=None))
            reader = ChunkReader(parser=RowParser(SECTORS), key=KEY, offset=7)
            both.append((list(reader.read(part)), reader.report(part)))
    return both


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None)
@given(
    columns=st.permutations(COLUMNS)
    | st.lists(st.sampled_from(COLUMNS[1:]), unique=True).map(lambda some: ["email", *some]),
    drawn=rows,
)
def test_both_ways_give_the_same(
    tmp_path: Path, columns: Sequence[str], drawn: Sequence[tuple[str, ...]]
) -> None:
    path = tmp_path / "any.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        # The short way begins once the report has its samples.
        for number in range(5):
            writer.writerow(f"p{number}@example.org" if column == "email" else "" for column in columns)
        places = [COLUMNS.index(column) for column in columns]
        for row in drawn:
            writer.writerow([row[place] for place in places] if len(row) == len(COLUMNS) else row)
    short, long = read_both_ways(path)
    assert short == long
