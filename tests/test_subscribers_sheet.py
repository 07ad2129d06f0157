"""CSV files as numbered rows, and cells no spreadsheet runs."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subscribers.errors import ImportFileError
from subscribers.sheet import neutralise, read_rows, restore

CORPUS = Path(__file__).resolve().parent.parent.parent / "shared" / "corpora" / "csv-spectrum"


def write(tmp_path: Path, data: str | bytes) -> Path:
    path = tmp_path / "partners.csv"
    path.write_bytes(data.encode("utf-8") if isinstance(data, str) else data)
    return path


def read(path: Path) -> list[tuple[int, tuple[str, ...]]]:
    return [(row.number, row.cells) for row in read_rows(path)]


def test_every_file_of_csv_spectrum_reads_as_its_authors_say() -> None:
    if not CORPUS.is_dir():
        pytest.skip("csv-spectrum is not here")
    paths = sorted((CORPUS / "csvs").glob("*.csv"))
    assert len(paths) == 11
    for path in paths:
        header, *rows = [row.cells for row in read_rows(path) if not row.is_empty]
        found = [dict(zip(header, cells, strict=True)) for cells in rows]
        expected = json.loads((CORPUS / "json" / f"{path.stem}.json").read_text(encoding="utf-8"))
        # Line ends inside cells stay as written; the answers were made with one of them.
        assert json.dumps(found).replace(r"\r\n", r"\n") == json.dumps(expected).replace(r"\r\n", r"\n"), path


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_rows_are_counted_as_a_spreadsheet_counts_them(
    tmp_path: Path, end: str, delimiter: str, mark: str
) -> None:
    lines = ["email,name", "a@example.org,Ann", "", 'b@example.org,"Bob\nLi"', "c@example.org,陈"]
    text = mark + end.join(line.replace(",", delimiter) for line in lines)
    assert read(write(tmp_path, text)) == [
        (1, ("email", "name")),
        (2, ("a@example.org", "Ann")),
        (3, ()),
        (4, ("b@example.org", "Bob\nLi")),
        (5, ("c@example.org", "陈")),
    ]


def test_a_file_of_one_column_has_no_delimiter_to_guess(tmp_path: Path) -> None:
    assert read(write(tmp_path, "email\nann@example.org\n"))[1] == (2, ("ann@example.org",))


def test_a_zero_byte_in_a_cell_does_not_make_a_file_utf_16(tmp_path: Path) -> None:
    assert read(write(tmp_path, "email,name\na@example.org,A\0nn\n"))[1][1][1] == "A\0nn"


def test_an_empty_file_has_no_rows(tmp_path: Path) -> None:
    assert read(write(tmp_path, "")) == []


@pytest.mark.parametrize("encoding", ["gb18030", "cp932", "cp949", "cp1252", "latin-1"])
def test_what_is_not_utf_8_is_refused_with_its_row_and_a_way_out(tmp_path: Path, encoding: str) -> None:
    name = {"gb18030": "陈", "cp932": "髙橋", "cp949": "김"}.get(encoding, "José")
    path = write(tmp_path, f"email,name\na@example.org,Ann\nb@example.org,{name}\n".encode(encoding))
    with pytest.raises(
        ImportFileError, match=r"partners\.csv, row 3: this is not UTF-8 text.*iconv -f"
    ) as caught:
        read(path)
    assert caught.value.row == 3


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_utf_16_is_recognised_and_refused(tmp_path: Path, encoding: str) -> None:
    with pytest.raises(ImportFileError, match=r"UTF-16.*CSV UTF-8"):
        read(write(tmp_path, "email,name\n".encode(encoding)))


@pytest.mark.parametrize(
    ("text", "row", "reason"),
    [
        (
            'email,name\na@example.org,Ann\nb@example.org,"Bob\nc@example.org,Cy\n',
            3,
            "opened in this row and never",
        ),
        ('email,name\na@example.org,"Ann" Li\n', 2, "follows a closing quotation mark"),
        ('"email,name\n' + "a@example.org,Ann\n" * 20_000, 1, "opened in this row and never closed"),
    ],
)
def test_quotation_marks_that_do_not_match_are_refused_with_the_row(
    tmp_path: Path, text: str, row: int, reason: str
) -> None:
    with pytest.raises(ImportFileError, match=reason) as caught:
        read(write(tmp_path, text))
    assert caught.value.row == row


def test_quotation_marks_inside_a_plain_cell_are_text(tmp_path: Path) -> None:
    assert (
        read(write(tmp_path, 'email,organisation\na@b.org,Acme "Best" Ltd\n'))[1][1][1] == 'Acme "Best" Ltd'
    )


def test_a_file_that_cannot_be_opened_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ImportFileError, match=r"nothing\.csv: it cannot be read: No such file"):
        read(tmp_path / "nothing.csv")
    with pytest.raises(ImportFileError, match="cannot be read"):
        read(tmp_path)


# --- formulas -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cell", "safe"),
    [
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@x", "'@x"),
        ("\tx", "'\tx"),
        ("\rx", "'\rx"),
        ("＝1", "'＝1"),
        ("a;=b", "a;'=b"),
        ("'=1", "''=1"),
        ("'quoted'", "'quoted'"),
        ("Jean-Paul", "Jean-Paul"),
        ("a@example.org", "a@example.org"),
        ("", ""),
    ],
)
def test_a_formula_becomes_text_and_nothing_else_changes(cell: str, safe: str) -> None:
    assert neutralise(cell) == safe
    assert restore(safe) == cell


@given(st.text() | st.text(";'=+-@\t\rab＝", max_size=12))
def test_restoring_takes_away_exactly_what_was_added(cell: str) -> None:
    safe = neutralise(cell)
    assert restore(safe) == cell
    # Some spreadsheets split our lines at semicolons too: no piece may begin like a formula.
    for piece in [safe, *safe.split(";")]:
        assert piece[:1] not in {*"=+-@\t\r＝＋－＠"}
