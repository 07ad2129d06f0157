"""Rows of our own columns are parsed many at once, which stores and refuses the same as one by one."""

import csv
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from unicodedata import normalize

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from subscribers.consent.suppression import SuppressionKey
from subscribers.csv_format import COLUMNS
from subscribers.imports import chunk_reader
from subscribers.imports.chunk_reader import Chunk, ChunkReader
from subscribers.imports.columns.layouts import RawRow
from subscribers.imports.file_parts import ReadOptions, open_parts
from subscribers.imports.import_report import PartReport
from subscribers.imports.row_parser import ParsedRow, RowParser

SECTORS = ("education", "sciences", "culture")
KEY = SuppressionKey(b"s" * 32)

LOCALS = ("a", "Ann.Li", "a+b", "a_b-c", "a..b", ".a", "a.", "", "ü", "o'neil", "a b", "x" * 64, "x" * 65)
DOMAINS = (
    *("example.org", "EXAMPLE.org", "a-b.example.org", "a--b.org", "-a.org", "a-.org", "a..org", "org", ""),
    *("bücher.example.com", "xn--bcher-kva.example.com", "a.test", "example.org1", "example.c", "1.2.3.4"),
    *(
        "example.org.",
        "example.org\n",
        "\nexample.org",
        "example.org ",
        "example.org, b@example.org",
        "b@c.org",
    ),
    *(f"{'x' * 63}.org", f"{'x' * 64}.org", f"{'x.' * 93}org", f"{'x.' * 124}org", f"{'x.' * 125}org"),
)

texts = (
    st.text(st.characters(codec="utf-8"), max_size=12)
    | st.text("'=+-@;ab é \n\t", max_size=8)
    | st.text("éü한", max_size=3).map(lambda text: normalize("NFD", text))
)
ordinary = st.builds(
    "{}@{}".format,
    st.text("abC1._+-'", max_size=7),
    st.sampled_from(DOMAINS) | st.text("aB-.1@\n ", max_size=8).map("{}.org".format),
)
clean = st.tuples(
    st.integers(1, 40).map("ann{}@example.org".format),
    st.sampled_from(["", "Ann Li", "Zoë", "Pat O'Brien", "陈晓"]),
    st.sampled_from(["", "Ministry", "Xi'an University"]),
    st.sampled_from(["", "MN"]),
    st.sampled_from(["", "education"]),
    st.sampled_from(["", "en"]),
    st.sampled_from(["", "press"]),
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
odd = st.tuples(*cells) | st.lists(texts, max_size=9).map(tuple)
rows = st.lists(clean | odd, max_size=20) | st.lists(odd, max_size=12)


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a dozen rows be several batches, as some thousand are."""
    monkeypatch.setattr(chunk_reader, "BATCH_SIZE", 7)


def read_both_ways(path: Path) -> list[tuple[list[Chunk], PartReport]]:
    both = []
    for are_many in (True, False):
        with open_parts(path, ReadOptions(encoding="utf-8", delimiter=","), sectors=SECTORS) as (part,):
            assert part.mapping.own is not None
            if not are_many:
                part = dataclasses.replace(part, mapping=dataclasses.replace(part.mapping, own=None))
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
        # They are parsed together once the report has its samples.
        for number in range(5):
            writer.writerow(f"p{number}@example.org" if column == "email" else "" for column in columns)
        places = [COLUMNS.index(column) for column in columns]
        for row in drawn:
            writer.writerow([row[place] for place in places] if len(row) == len(COLUMNS) else row)
    together, single = read_both_ways(path)
    assert together == single


def test_addresses_of_every_kind_are_the_same_both_ways(tmp_path: Path) -> None:
    path = tmp_path / "any.csv"
    addresses = [f"{local}@{domain}" for local in LOCALS for domain in DOMAINS]
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["email"], *([f"p{n}@example.org"] for n in range(5))])
        csv.writer(file).writerows([[address] for address in addresses])
    together, single = read_both_ways(path)
    assert together == single
    (chunk,), _ = together
    assert 50 < chunk.size < len(addresses) - 50


def test_one_odd_row_leaves_the_others_to_be_parsed_together(tmp_path: Path) -> None:
    parsed: list[int] = []

    class Counting(RowParser):
        def parse(self, number: int, row: RawRow) -> ParsedRow:
            parsed.append(number)
            return super().parse(number, row)

    path = tmp_path / "any.csv"
    odd = {13: "x y,Ann,", 17: "q@example.org,Ann\0,", 24: "r@example.org,,Atlantis", 31: "'=s@example.org,,"}
    lines = [odd.get(number, f"p{number}@example.org,Ann,MN") for number in range(2, 40)]
    path.write_text("\n".join(["email,name,country", *lines]), encoding="utf-8")
    with open_parts(path, ReadOptions(), sectors=SECTORS) as (part,):
        (chunk,) = ChunkReader(parser=Counting(SECTORS), key=None, offset=0).read(part)
    assert parsed == [2, 3, 4, 5, 6, *odd]
    assert [refusal.row for refusal in chunk.refused] == [13, 17]
    assert chunk.columns[0] == [n for n in range(2, 40) if n not in {13, 17}]
