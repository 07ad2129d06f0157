"""Address books as vCards: each card is a row."""

from pathlib import Path

import pytest

from subscribers.csv_format import COLUMNS
from subscribers.errors import ImportFileError
from subscribers.imports.files.address_books import is_vcard, read_vcards
from subscribers.imports.files.file_source import make_file_source


def read(text: str, tmp_path: Path) -> list[dict[str, str]]:
    """The cells of each card that are not empty."""
    path = tmp_path / "contacts.vcf"
    path.write_bytes(text.replace("\n", "\r\n").encode())
    source = make_file_source(path)
    assert is_vcard(source, "utf-8")
    header, *rows = read_vcards(source, encoding="utf-8")
    assert header.cells == COLUMNS
    assert [row.number for row in rows] == list(range(2, len(rows) + 2))
    return [{name: cell for name, cell in zip(COLUMNS, row.cells, strict=True) if cell} for row in rows]


def card(*lines: str, version: str = "3.0") -> str:
    return "\n".join(["BEGIN:VCARD", f"VERSION:{version}", *lines, "END:VCARD", ""])


APPLE = card(
    "PRODID:-//Apple Inc.//macOS 14.4//EN",
    "N:Li;Ann;Marie;Dr.;",
    "FN:Dr. Ann Marie Li",
    "ORG:Ministry\\, of Education;Schools",
    "EMAIL;type=INTERNET;type=WORK:work@x.org",
    "item1.EMAIL;type=INTERNET;type=pref:ann@x.org",
    "item1.X-ABLabel:press",
    "item2.ADR;type=HOME;type=pref:;;Street 1;Ulaanbaatar;;;Mongolia",
    "item2.X-ABADR:mn",
)
GOOGLE = card(
    "FN:Bat Dorj", "N:Dorj;Bat;;;", "EMAIL;TYPE=INTERNET;TYPE=HOME:bat@x.org", "CATEGORIES:myContacts,press"
)
OUTLOOK = card(
    "N;LANGUAGE=en-us;CHARSET=utf-8;ENCODING=QUOTED-PRINTABLE:=E9=99=88;=E6=99=93=",
    "=E6=98=8E",
    "EMAIL;INTERNET:second@x.org",
    "EMAIL;PREF;INTERNET:chen@x.org",
    "ADR;WORK;PREF:;;Street;Beijing;;;China",
    'X-MS-OL-DESIGN;CHARSET=utf-8:<card xmlns="http://x"/>',
    version="2.1",
)
FOUR = card(
    "FN:Zoë",
    'EMAIL;TYPE="home,work";PREF=2:mailto:old@x.org',
    "EMAIL;PREF=1:MAILTO:zoe@x.org",
    'ADR;GEO="geo:47.9,106.9";TYPE=work:;;;;;;Mongolia',
    "LANG;PREF=2:en",
    "LANG;PREF=1:fr",
    version="4.0",
)


def test_cards_of_every_program_in_one_file_are_read(tmp_path: Path) -> None:
    assert read(APPLE + GOOGLE + OUTLOOK + FOUR, tmp_path) == [
        {
            "email": "ann@x.org; work@x.org",
            "name": "Dr. Ann Marie Li",
            "organisation": "Ministry, of Education, Schools",
            "country": "Mongolia",
        },
        {"email": "bat@x.org", "name": "Bat Dorj", "tags": "myContacts;press"},
        {"email": "chen@x.org; second@x.org", "name": "晓明 陈", "country": "China"},
        {
            "email": "MAILTO:zoe@x.org; mailto:old@x.org",
            "name": "Zoë",
            "country": "Mongolia",
            "language": "fr",
        },
    ]


@pytest.mark.parametrize(
    ("lines", "name"),
    [
        (["N:;Ann;;;"], "Ann"),
        (["N:Li;;;;"], "Li"),
        (["N:Li;Ann;Marie;;"], "Ann Marie Li"),
        (["N:Ann"], "Ann"),
        (["FN:", "N:Li;Ann"], "Ann Li"),
        (["FN:ann@x.org", "N:Li;Ann"], "Ann Li"),
        (["FN:ann@x.org"], ""),
        (["fn:Ann\\, Li\\nDr."], "Ann, Li Dr."),
        (["N:;;;;"], ""),
    ],
)
def test_a_name_is_put_together_from_what_there_is(tmp_path: Path, lines: list[str], name: str) -> None:
    assert read(card(*lines, "EMAIL:ann@x.org"), tmp_path)[0].get("name", "") == name


def test_the_card_of_an_assistant_inside_another_is_left_out(tmp_path: Path) -> None:
    inner = ["AGENT:", "BEGIN:VCARD", "FN:Bob", "EMAIL:bob@x.org", "END:VCARD"]
    assert read(card(*inner, "FN:Ann", "EMAIL:ann@x.org"), tmp_path) == [
        {"email": "ann@x.org", "name": "Ann"}
    ]


def test_a_quotation_mark_that_is_never_closed_loses_no_address(tmp_path: Path) -> None:
    assert read(card('EMAIL;TYPE="work:ann@x.org'), tmp_path) == [{"email": "ann@x.org"}]


@pytest.mark.parametrize("text", ["BEGIN:VCARD\nFN:Ann\n", "BEGIN:VCARD\nFN:Ann\n" + card("FN:Bob")])
def test_a_card_without_an_end_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ImportFileError, match="a card has no end"):
        read(text, tmp_path)
