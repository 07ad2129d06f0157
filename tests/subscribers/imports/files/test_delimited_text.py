"""Delimited text as numbered rows, in any encoding."""

import json
from pathlib import Path

import pytest

from subscribers.csv_format import SheetRow
from subscribers.errors import ImportFileError
from subscribers.imports.files.delimited_text import detect_delimiter, read_delimited
from subscribers.imports.files.file_source import make_file_source
from subscribers.imports.files.text_encoding import detect_encoding
from tests.paths import ROOT

CORPUS = ROOT.parent / "shared" / "corpora" / "csv-spectrum"


def write(tmp_path: Path, data: str | bytes) -> Path:
    path = tmp_path / "partners.csv"
    path.write_bytes(data.encode("utf-8") if isinstance(data, str) else data)
    return path


def read_rows(path: Path) -> list[SheetRow]:
    material = make_file_source(path)
    encoding, _ = detect_encoding(material)
    delimiter = detect_delimiter(material, encoding)
    return list(read_delimited(material, encoding=encoding, delimiter=delimiter))


def read(path: Path) -> list[tuple[int, tuple[str, ...]]]:
    return [(row.number, row.cells) for row in read_rows(path)]


def test_every_file_of_csv_spectrum_is_read_as_its_authors_specify() -> None:
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


NAMES = {
    "gb18030": ["陈晓明", "北京师范大学", "李娜"],
    "cp932": ["髙橋健一", "日本ユネスコ国内委員会", "佐藤さくら"],
    "cp949": ["김철수", "한국 유네스코 위원회", "이영희"],
    "big5hkscs": ["王小明", "台北市教育局", "陳大文"],
    "cp1251": ["Батсүх".replace("ү", "у"), "Министерство образования", "Иванова"],
    "cp1252": ["José Peña", "Université de Genève", "Müller"],
}


@pytest.mark.parametrize("encoding", NAMES)
def test_the_encoding_is_detected_from_a_few_cells(tmp_path: Path, encoding: str) -> None:
    # Three names among three hundred rows of ASCII: what the whole file would hide from a detector.
    lines = ["email,name", *(f"p{number}@example.org,Person {number}" for number in range(300))]
    lines += [f"n{number}@example.org,{name}" for number, name in enumerate(NAMES[encoding])]
    path = write(tmp_path, "\n".join(lines).encode(encoding))
    # Kana prove it.
    assert detect_encoding(make_file_source(path)) == (encoding, encoding == "cp932")
    assert [cells[1] for _, cells in read(path)[-3:]] == NAMES[encoding]


def test_a_single_foreign_letter_is_taken_for_windows_1252(tmp_path: Path) -> None:
    path = write(tmp_path, "email,name\na@example.org,José\n".encode("cp1252"))
    assert read(path)[1][1] == ("a@example.org", "José")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig", "utf-8"])
def test_unicode_is_detected_with_or_without_a_byte_order_mark(tmp_path: Path, encoding: str) -> None:
    path = write(tmp_path, "email,name\na@example.org,陈\n".encode(encoding))
    assert detect_encoding(make_file_source(path))[1]
    assert read(path) == [(1, ("email", "name")), (2, ("a@example.org", "陈"))]


def test_one_invalid_byte_does_not_change_the_encoding_of_a_whole_file(tmp_path: Path) -> None:
    text = "email,name\na@example.org,陈\nb@example.org,Zoë\n".encode() + b"c@example.org,Jos\xe9\n"
    with pytest.raises(ImportFileError, match=r"line 4 contains bytes that are not UTF-8, .*--encoding"):
        read(write(tmp_path, text))


@pytest.mark.parametrize("before", [*range((1 << 16) - 8, (1 << 16) + 3), 3 << 16])
def test_the_line_of_an_invalid_byte_is_named_wherever_a_block_ends(tmp_path: Path, before: int) -> None:
    lines = b"a@example.org,\xe9\x99\x88\n" * 5000
    text = lines[:before].rpartition(b"\n")[0]
    # The line is as long as it takes to have the byte, which begins a character that never ends, at `before`.
    broken = text + b"\n" + b"x" * (before - len(text) - 1) + b"\xe9\n" + lines
    number = text.count(b"\n") + 2
    with pytest.raises(ImportFileError, match=rf"^\S+: line {number} is not UTF-8 text"):
        detect_encoding(make_file_source(write(tmp_path, broken)), wanted="utf-8")


@pytest.mark.parametrize("before", [0, 7, 1 << 16, 5 << 15])
def test_how_long_a_line_may_be_does_not_depend_on_where_it_begins(tmp_path: Path, before: int) -> None:
    start = b"email\n" + b"a@b.c\n" * (before // 6)
    long = write(tmp_path, start + b"x" * ((1 << 20) - 1) + b"\n")
    assert detect_encoding(make_file_source(long))[1]
    too_long = write(tmp_path, start + b"x" * ((1 << 20) + (1 << 16)) + b"\n")
    with pytest.raises(ImportFileError, match="a line is longer than a million bytes"):
        detect_encoding(make_file_source(too_long))


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        ("utf-8", "line 2 is not UTF-8 text"),
        ("klingon", 'unknown encoding "klingon"'),
        ("ascii", "line 2 is not ASCII"),
    ],
)
def test_an_encoding_given_by_a_person_is_checked(tmp_path: Path, wanted: str, reason: str) -> None:
    path = write(tmp_path, "email,name\na@example.org,José\n".encode("cp1252"))
    with pytest.raises(ImportFileError, match=reason):
        detect_encoding(make_file_source(path), wanted=wanted)
    assert detect_encoding(make_file_source(path), wanted="latin-1")[1]


def test_a_line_longer_than_any_row_is_refused_before_it_fills_the_memory(tmp_path: Path) -> None:
    with pytest.raises(ImportFileError, match="a line is longer than a million bytes"):
        read(write(tmp_path, b"email," + b"x" * (3 << 20)))


@pytest.mark.parametrize(
    ("text", "row", "reason"),
    [
        (
            'email,name\na@example.org,Ann\nb@example.org,"Bob\nc@example.org,Cy\n',
            3,
            "opened in this row and never",
        ),
        ('email,name\na@example.org,"Ann" Li\n', 2, "after a closing quotation mark"),
        ('"email,name\n' + "a@example.org,Ann\n" * 20_000, 1, "opened in this row and never closed"),
        ("email\n" + "a@example.org\n" * 1200 + '"x', 1202, "opened in this row and never closed"),
        ("email\n" + "a@example.org\n" * 499 + '"x', 501, "opened in this row and never closed"),
        ("email\n" + "a@example.org\n" * 1200 + "," * 1000, 1202, "1,001 columns; the limit is 1,000"),
    ],
)
def test_unbalanced_quotation_marks_are_refused_with_the_row(
    tmp_path: Path, text: str, row: int, reason: str
) -> None:
    with pytest.raises(ImportFileError, match=reason) as caught:
        read(write(tmp_path, text))
    assert caught.value.row == row


def test_rows_above_an_unbalanced_quotation_mark_are_read(tmp_path: Path) -> None:
    rows = read_delimited(
        make_file_source(write(tmp_path, 'email\na@example.org\n"x')), encoding="utf-8", delimiter=","
    )
    assert [next(rows).number, next(rows).number] == [1, 2]
    with pytest.raises(ImportFileError, match="never closed"):
        next(rows)


def test_rows_are_taken_one_by_one_or_many_at_once(tmp_path: Path) -> None:
    path = write(tmp_path, "".join(f"p{number}@example.org\n" for number in range(1, 1403)))
    rows = read_delimited(make_file_source(path), encoding="utf-8", delimiter=",")
    taken = [next(rows), next(rows)]
    while (batch := rows.take(300)).numbers:
        assert len(batch.numbers) == len(batch.cells) <= 300
        taken += map(batch.make_row, range(len(batch.numbers)))
        if one := next(rows, None):
            taken.append(one)
    assert taken == [SheetRow(number, (f"p{number}@example.org",)) for number in range(1, 1403)]


def test_quotation_marks_inside_an_unquoted_cell_are_text(tmp_path: Path) -> None:
    assert (
        read(write(tmp_path, 'email,organisation\na@b.org,Acme "Best" Ltd\n'))[1][1][1] == 'Acme "Best" Ltd'
    )


def test_a_file_that_cannot_be_opened_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ImportFileError, match=r"nothing\.csv: it cannot be read: No such file"):
        read(tmp_path / "nothing.csv")
    with pytest.raises(ImportFileError, match="cannot be read"):
        read(tmp_path)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
@pytest.mark.parametrize("declared", ["sep=;", '"sep=;"', "SEP=;", "sep=;;;"])
def test_a_first_line_that_declares_the_delimiter_is_read_and_counted(
    tmp_path: Path, encoding: str, declared: str
) -> None:
    text = f"{declared}\r\nE-post;Namn\r\nann@example.org;Åsa, Li\r\n"
    assert read(write(tmp_path, text.encode(encoding))) == [
        (2, ("E-post", "Namn")),
        (3, ("ann@example.org", "Åsa, Li")),
    ]


@pytest.mark.parametrize("declared", ["sep=\t", "sep=\\t"])
@pytest.mark.parametrize("end", ["\n", "\r"])
def test_the_declared_delimiter_may_be_a_tab(tmp_path: Path, declared: str, end: str) -> None:
    text = end.join([declared, "email\tname;a", "ann@example.org\tAnn;b", ""])
    assert read(write(tmp_path, text))[1] == (3, ("ann@example.org", "Ann;b"))


def test_a_first_line_that_only_begins_like_a_declaration_is_a_row(tmp_path: Path) -> None:
    # So many tabs that a pattern which may take them in two ways would never end.
    assert read(write(tmp_path, "sep=" + "\t" * 60 + "x\nann@example.org\n"))[0][1][-1] == "x"


@pytest.mark.parametrize(
    "text",
    [
        # Commas in the header, in a title and in every name; a title with neither; a column of notes.
        '"Name, first and last";"E-mail, work"\n"Li, Ann";ann@example.org\n"Li, Bo";bo@example.org\n',
        "Partners, friends, press, as of March\n\nName;Mail\nAnn;ann@example.org\nBo;bo@example.org\n",
        "Our list\nName;Mail\nLi, Ann;ann@example.org\nLi, Bo;bo@example.org\n",
        "Mail;Notes\nann@example.org;a, b, c\nbo@example.org;d, e, f\ncy@example.org;\n",
        "Name;Mail\nLi, Ann;Ann Li <ann@example.org>\nBo;Bo <bo@example.org>\n",
        "Name;Mail\n",
    ],
)
def test_the_delimiter_is_the_one_that_fits_the_rows(tmp_path: Path, text: str) -> None:
    assert detect_delimiter(make_file_source(write(tmp_path, text)), "utf-8") == ";"


@pytest.mark.parametrize(
    "text",
    [
        "email\nann@example.org; ann2@example.org\nbo@example.org; bo2@example.org\n",
        "email,name,notes\nann@example.org; ann2@example.org,Ann,a;b\n",
        "email\nann@example.org\n",
    ],
)
def test_several_addresses_in_a_cell_are_no_columns(tmp_path: Path, text: str) -> None:
    assert detect_delimiter(make_file_source(write(tmp_path, text)), "utf-8") == ","
