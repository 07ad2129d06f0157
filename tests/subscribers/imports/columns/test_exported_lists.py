"""Lists as other programs export them come out whole and right, without a table written by hand."""

from datetime import datetime
from pathlib import Path

import pytest
from openpyxl import Workbook

from subscribers.errors import ImportFileError
from subscribers.imports.chunk_reader import ChunkReader
from subscribers.imports.columns.columns_file import read_columns_file
from subscribers.imports.file_parts import ReadOptions, open_parts, propose_columns
from subscribers.imports.row_parser import RowParser
from tests.factories.exported_lists import LISTS, ExportedList, who
from tests.paths import ROOT
from tests.subscribers.imports.columns.reading import SECTORS, read_list

CORPUS = ROOT.parent / "shared" / "corpora" / "lists"
GUIDE = ROOT / "docs" / "import.md"


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_bytes(text.encode("utf-8"))
    return path


def test_there_are_more_than_forty_of_them() -> None:
    assert len(LISTS) > 40
    assert len({exported.file for exported in LISTS}) == len(LISTS)


@pytest.mark.parametrize("exported", LISTS, ids=lambda exported: exported.file)
def test_a_list_comes_out_whole_and_right(tmp_path: Path, exported: ExportedList) -> None:
    outcome = read_list(write(tmp_path, exported.file, exported.text))
    assert outcome.active == exported.active
    assert outcome.left == exported.left
    assert outcome.refused == exported.refused


def test_the_guide_has_the_line_of_each() -> None:
    guide = GUIDE.read_text(encoding="utf-8")
    for exported in LISTS:
        counts = {
            "added": len(exported.active),
            "suppressed": len(exported.left),
            "refused": len(exported.refused),
        }
        result = ", ".join(f"{count} {word}" for word, count in counts.items() if count)
        assert f"| `{exported.file}` | {exported.what} | {result} |" in guide


@pytest.mark.parametrize("exported", LISTS, ids=lambda exported: exported.file)
def test_the_written_table_brings_the_same_people(tmp_path: Path, exported: ExportedList) -> None:
    path = write(tmp_path, exported.file, exported.text)
    table = write(tmp_path, "columns.toml", propose_columns(path, ReadOptions(), sectors=SECTORS))
    if exported.file in {"unsubscribed-people.csv", "suppressed-people.csv"}:
        return  # a table says nothing about the name of a file
    outcome = read_list(path, ReadOptions(columns=read_columns_file(table)))
    # A table has one column for the address, so those who only have a second one are refused.
    assert set(outcome.active) <= set(exported.active)
    assert outcome.left == exported.left
    if exported.file != "google-contacts-old.csv":
        assert set(outcome.active) == set(exported.active)


EXPECTED = {
    "activecampaign.csv": (["ac2@x.example.fr"], ["ac@x.example.fr"], ()),
    "brevo-2024.csv": (["ok2@x.example.fr"], ["gone@x.example.fr"], ()),
    "brevo.csv": (["ok@x.example.fr"], ["br@x.example.fr"], ()),
    "campaign-monitor-like.csv": (["active@x.example.org"], ["gone@x.example.org"], ()),
    "civicrm.csv": (["jean@civi.example.fr"], ["guy@civi.example.ca", "hana@civi.example.ci"], ()),
    "ghost-members.csv": (["ann@x.example.io"], ["bob@x.example.io"], ()),
    "own-with-status.csv": (["a@x.example.org"], ["b@x.example.org"], ()),
    "phplist.csv": (["php@x.example.org"], ["black@x.example.org"], ()),
    "angle-brackets.csv": (["nea.nord@gmail.example.com", "olle@orm.example.se"], [], ()),
    "swedish-excel-sep.csv": (["britt.berg@gmail.example.com", "curt@co.example.se"], [], ()),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_list_of_the_corpus_comes_out_right(name: str) -> None:
    path = CORPUS / name
    if not path.is_file():
        pytest.skip("the corpus of lists is not here")
    outcome = read_list(path)
    active, left, refused = EXPECTED[name]
    assert (sorted(outcome.active), sorted(outcome.left), outcome.refused) == (active, left, refused)


def test_two_address_books_of_the_corpus_give_whole_people() -> None:
    if not CORPUS.is_dir():
        pytest.skip("the corpus of lists is not here")
    google = read_list(CORPUS / "google-contacts-2024.csv")
    assert google.active["oyun@num.example.mn"] == who(
        "Oyun Bat-Erdene", "National University of Mongolia", "MN", "", "press"
    )
    assert google.active["desk@press.example.mn"] == who("", "Ulaanbaatar Press Club")
    assert google.active["mei@tsinghua.example.cn"] == who("Mei Chen", "清华大学", "CN")
    assert google.refused == (5,)
    outlook = read_list(CORPUS / "outlook-contacts-92-columns.csv")
    assert outlook.active["aicha@commission.example.sn"] == who(
        "Aïcha Traoré", "Commission nationale", "SN", "fr", "partners;press"
    )
    assert outlook.active["j.gross@kommission.example.de"] == who("Jürgen Groß", "UNESCO-Kommission", "DE")
    assert (len(outlook.active), outlook.refused) == (3, (4,))
    countries = read_list(CORPUS / "countries-un.csv")
    assert (len(countries.active), countries.refused) == (59, ())


def test_a_mailbox_inside_exchange_is_refused_by_name(tmp_path: Path) -> None:
    (exported,) = [known for known in LISTS if known.file == "outlook-english.csv"]
    path = write(tmp_path, exported.file, exported.text)
    with open_parts(path, ReadOptions()) as parts:
        (chunk,) = ChunkReader(parser=RowParser(()), key=None, offset=0).read(parts[0])
    assert "names a mailbox inside Exchange" in chunk.refused[0].reason
    assert "/o=Firm" in chunk.refused[0].reason


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Email,Status\na@d.example.org,Active\nb@d.example.org,Kaputt\nc@d.example.org,kaputt \n",
         r'"Status" has "Kaputt" ×2'),
        ("Email,Mail wanted\na@d.example.org,yes\n", r'column "Mail wanted" says yes or no'),
        ("Von,An\na@d.example.org,b@d.example.org\n", r'addresses under "Von", "An"'),
        ("Manager email,Name\na@d.example.org,Ann\n", r'addresses under "Manager email"'),
        ("a@d.example.org,1\nb@d.example.org,0\n", r'column "column 2" says yes or no'),
        ("Name,Land\nAnn,DE\n", r"no email column"),
    ],
)  # fmt: skip
def test_what_is_not_certain_is_asked_with_a_table_to_complete(
    tmp_path: Path, text: str, reason: str
) -> None:
    path = write(tmp_path, "people.csv", text)
    with pytest.raises(ImportFileError, match=reason) as caught:
        read_list(path)
    assert "[columns]" in caught.value.columns_text
    assert str(caught.value).endswith(caught.value.columns_text)
    assert propose_columns(path, ReadOptions(), sectors=()) == caught.value.columns_text


def test_a_completed_table_answers_the_question(tmp_path: Path) -> None:
    text = "Email,Status,Type\na@d.example.org,Active,1\nb@d.example.org,Kaputt,2\nc@d.example.org,,3\n"
    path = write(tmp_path, "people.csv", text)
    asked = propose_columns(path, ReadOptions(), sectors=())
    assert "unsubscribed = []" in asked
    assert '#   "Kaputt" (1 row)' in asked
    table = write(tmp_path, "columns.toml", asked.replace("unsubscribed = []", 'unsubscribed = ["Kaputt"]'))
    outcome = read_list(path, ReadOptions(columns=read_columns_file(table)))
    assert (sorted(outcome.active), outcome.left) == (
        ["a@d.example.org", "c@d.example.org"],
        {"b@d.example.org": "unsubscribed"},
    )


def test_the_report_says_what_each_value_was_taken_for(tmp_path: Path) -> None:
    text = (
        "Email,Status,Opt-out date,Topic\n"
        "a@d.example.org,Active,,x\nb@d.example.org,active,2024-01-01,y\nc@d.example.org,Unsubscribed,,z\n"
    )
    (part,) = read_list(write(tmp_path, "people.csv", text)).parts
    assert part["statuses"] == [
        {
            "column": "Status",
            "values": [
                {"value": "Active", "rows": 2, "meaning": "active"},
                {"value": "Unsubscribed", "rows": 1, "meaning": "unsubscribed"},
            ],
        },
        {
            "column": "Opt-out date",
            "values": [
                {"value": "(empty)", "rows": 2, "meaning": "says nothing"},
                {"value": "a date", "rows": 1, "meaning": "unsubscribed"},
            ],
        },
    ]
    assert part["unused"] == ["Topic"]
    assert part["maker"] == "guessed from titles and cells"


def test_sectors_we_do_not_have_are_left_out_and_named(tmp_path: Path) -> None:
    text = (
        "E-mail,Sectors,Language,Tags\na@d.example.org,Education; Health,Englisch,\n"
        'b@d.example.org,Culture and Heritage,Martian,"press,""vip"""\nc@d.example.org,health,,\n'
    )
    outcome = read_list(write(tmp_path, "people.csv", text))
    assert outcome.sectors == {
        "a@d.example.org": ["education"],
        "b@d.example.org": ["culture"],
        "c@d.example.org": [],
    }
    assert outcome.active["a@d.example.org"][3] == "en"
    (part,) = outcome.parts
    assert [(unused["column"], unused["value"], unused["rows"]) for unused in part["unused_values"]] == [
        ("Sectors", "Health", 1),
        ("Language", "Martian", 1),
        ("Sectors", "health", 1),
    ]


def test_skipped_rows_and_a_missing_header_are_said(tmp_path: Path) -> None:
    below = read_list(write(tmp_path, "a.csv", "List\n2024 edition\nE-Mail;Name\na@d.example.org;A\n"))
    assert below.parts[0]["notes"] == ["Rows 1 to 2 above the header (row 3) were skipped."]
    none = read_list(write(tmp_path, "b.csv", "a@d.example.org;A\n"))
    assert sorted(none.active) == ["a@d.example.org"]
    assert none.parts[0]["notes"][0].startswith("No row names the columns")
    assert none.parts[0]["columns_file"].startswith("header = 0\n")


def test_a_header_below_somebody_is_asked_about(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", "x@d.example.org;X\nE-Mail;Name\na@d.example.org;A\n")
    with pytest.raises(ImportFileError, match=r"row 1: .*row 2 looks as if it named the columns.*header = 2"):
        read_list(path)


def test_a_column_of_several_addresses_is_named(tmp_path: Path) -> None:
    text = "Email,Secondary Email\na@d.example.org,b@d.example.org\n,c@d.example.org\n"
    outcome = read_list(write(tmp_path, "a.csv", text))
    assert sorted(outcome.active) == ["a@d.example.org", "c@d.example.org"]
    assert outcome.notes == ["a@d.example.org also has b@d.example.org, which was not imported."]
    left = read_list(write(tmp_path, "b.csv", "Email,Email 2,Status\na@d.example.org,b@d.example.org,left\n"))
    assert list(left.left) == ["a@d.example.org", "b@d.example.org"]


def test_a_value_far_below_still_counts(tmp_path: Path) -> None:
    rows = "".join(f"p{number}@d.example.org,topic {number % 9}\n" for number in range(600))
    outcome = read_list(write(tmp_path, "a.csv", f"E-mail,Newsletter\n{rows}z@d.example.org,No\n"))
    assert len(outcome.active) == 600
    assert outcome.left == {"z@d.example.org": "unsubscribed"}


TABLE = """\
header = 3

[columns]
email = "Mail"

[status]
column = ["Raus", "Weg"]
unsubscribed = ["*"]

[status."Weg"]
bounced = ["unzustellbar"]
nothing = ["bleibt"]
"""


def test_a_table_may_name_several_columns_any_value_and_the_header(tmp_path: Path) -> None:
    text = (
        "List;;\n2024;;\nMail;Raus;Weg\na@d.example.org;;\nb@d.example.org;whatever;\n"
        "c@d.example.org;;unzustellbar\nd@d.example.org;;bleibt\ne@d.example.org;;gone fishing\n"
        "f@d.example.org;yes;unzustellbar\n"
    )
    table = read_columns_file(write(tmp_path, "columns.toml", TABLE))
    outcome = read_list(write(tmp_path, "a.csv", text), ReadOptions(columns=table))
    assert sorted(outcome.active) == ["a@d.example.org", "d@d.example.org"]
    assert outcome.left == {
        "b@d.example.org": "unsubscribed",
        "c@d.example.org": "bounced",
        "e@d.example.org": "unsubscribed",
        "f@d.example.org": "bounced",
    }


def test_a_column_the_table_does_not_name_may_still_tell_who_left(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", "Mail,Opt-out,Opt-in\na@d.example.org,yes,\nb@d.example.org,no,no\n")
    table = write(tmp_path, "columns.toml", '[columns]\nemail = "Mail"\n')
    assert sorted(read_list(path, ReadOptions(columns=read_columns_file(table))).left) == [
        "a@d.example.org",
        "b@d.example.org",
    ]
    table = write(tmp_path, "columns.toml", '[columns]\nemail = "Mail"\n[status]\nignored = ["Opt-in"]\n')
    outcome = read_list(path, ReadOptions(columns=read_columns_file(table)))
    assert (list(outcome.active), list(outcome.left)) == (["b@d.example.org"], ["a@d.example.org"])


def test_a_table_for_a_file_without_a_header_counts_its_columns(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", "a@d.example.org,1,Ann\nb@d.example.org,0,Bob\n")
    text = 'header = 0\n[columns]\nemail = "column 1"\nname = "column 3"\n[status]\nignored = "column 2"\n'
    table = read_columns_file(write(tmp_path, "columns.toml", text))
    outcome = read_list(path, ReadOptions(columns=table))
    assert outcome.active == {"a@d.example.org": who("Ann"), "b@d.example.org": who("Bob")}


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        ("header = true\n", "header must be the number of the row"),
        ("header = -1\n", "header must be the number of the row"),
        ("header = 9\n", "row 9 names no columns. Correct header"),
        ("sheet = 2\n", "sheet must be the name of a sheet"),
        ('[status]\ncolumn = ["Weg"]\n', 'no column "Weg", although columns.toml names it'),
        ('[status]\nignored = ["Weg"]\n', 'no column "Weg", although columns.toml names it'),
        ('[status]\ncolumn = "Mail"\ngone = ["x"]\n', '"gone" is not known here. Choose from: complained'),
        ('[status."Mail"]\ngone = ["x"]\n', '"gone" is not known here'),
        ("status = 7\n", "status] is not a table"),
    ],
)
def test_a_table_that_names_unknown_things_is_refused(tmp_path: Path, table: str, reason: str) -> None:
    before, after = (table, "") if not table.startswith("[") else ("", table)
    text = f'{before}[columns]\nemail = "Mail"\n{after}'
    path = write(tmp_path, "a.csv", "Mail\na@d.example.org\n")
    with pytest.raises(ImportFileError, match=reason):
        read_list(path, ReadOptions(columns=read_columns_file(write(tmp_path, "columns.toml", text))))


def test_a_table_may_name_the_sheet(tmp_path: Path) -> None:
    workbook = Workbook()
    workbook.active.append(["E-mail"])  # type: ignore[union-attr]
    workbook.active.append(["a@d.example.org"])  # type: ignore[union-attr]
    members = workbook.create_sheet("Members")
    for cells in (["Members of 2024"], ["E-mail", "Left on"], ["b@d.example.org", None]):
        members.append(cells)
    members.append(["c@d.example.org", datetime(2024, 1, 1)])  # noqa: DTZ001 - a workbook has no time zones
    workbook.save(tmp_path / "a.xlsx")
    text = 'sheet = "Members"\n[columns]\nemail = "E-mail"\n'
    table = read_columns_file(write(tmp_path, "columns.toml", text))
    outcome = read_list(tmp_path / "a.xlsx", ReadOptions(columns=table))
    assert (list(outcome.active), outcome.left) == (
        ["b@d.example.org"],
        {"c@d.example.org": "unsubscribed"},
    )
    written = propose_columns(tmp_path / "a.xlsx", ReadOptions(sheet="Members"), sectors=())
    assert 'header = 2\nsheet = "Members"\n' in written
