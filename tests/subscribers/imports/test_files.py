"""Fifty files of different kinds, each with the result documented in docs/import.md."""

import re
from datetime import datetime
from pathlib import Path

import pytest
from sqlmodel import Session, select

from subscribers.consent.suppression import SuppressionKey, is_suppressed
from subscribers.errors import ImportFileError
from subscribers.imports.columns.columns_file import read_columns_file
from subscribers.imports.file_parts import ReadOptions
from subscribers.imports.import_report import ImportReport
from subscribers.imports.importer import import_file
from subscribers.models import ConsentEvent, Status, Subscriber, Suppression
from subscribers.queries import read_subscriber_details
from tests.factories.spreadsheets import HOSTILE, SPREADSHEETS, Spreadsheet
from tests.paths import ROOT

SECTORS = {"education": "Education", "culture": "Culture"}
KEY = SuppressionKey(b"s" * 32)
GUIDE = ROOT / "docs" / "import.md"


def take(
    session: Session, folder: Path, name: str, data: bytes, now: datetime, reading: ReadOptions | None = None
) -> ImportReport:
    path = folder / name
    path.write_bytes(data)
    report = import_file(session, path, sectors=SECTORS, key=KEY, now=now, options=reading)
    session.commit()
    return report


def describe(report: ImportReport) -> str:
    numbers = {
        "added": report.added,
        "updated": report.updated,
        "unchanged": report.unchanged,
        "suppressed": report.suppressed,
        "refused": len(report.refused),
    }
    return ", ".join(f"{number} {word}" for word, number in numbers.items() if number)


def test_there_are_fifty_files_sixteen_of_them_hostile() -> None:
    assert (len(SPREADSHEETS), len(HOSTILE)) == (50, 16)
    assert len({sheet.file for sheet in SPREADSHEETS}) == 50


@pytest.mark.parametrize("sheet", SPREADSHEETS, ids=lambda sheet: sheet.file)
def test_every_file_gets_its_documented_result(
    session: Session, tmp_path: Path, now: datetime, sheet: Spreadsheet
) -> None:
    if sheet.result.startswith("refused whole: "):
        with pytest.raises(ImportFileError, match=re.escape(sheet.result.removeprefix("refused whole: "))):
            take(session, tmp_path, sheet.file, sheet.data(), now)
        session.rollback()
        assert session.exec(select(Subscriber)).all() == []
    else:
        report = take(session, tmp_path, sheet.file, sheet.data(), now)
        assert describe(report) == sheet.result, report.refused
    names = {person.name for person in session.exec(select(Subscriber))}
    assert set(sheet.names) <= names
    # Nothing was unpacked beside it.
    assert {path.name for path in tmp_path.iterdir()} - {"mailer.db", "mailer.db-wal", "mailer.db-shm"} == {
        sheet.file
    }


@pytest.mark.parametrize("sheet", SPREADSHEETS, ids=lambda sheet: sheet.file)
def test_every_file_has_its_line_in_the_guide(sheet: Spreadsheet) -> None:
    assert f"| `{sheet.file}` | {sheet.what} | {sheet.result} |" in GUIDE.read_text(encoding="utf-8")


def test_people_who_left_at_mailchimp_stay_unsubscribed_in_every_file(
    session: Session, tmp_path: Path, now: datetime
) -> None:
    (sheet,) = [sheet for sheet in SPREADSHEETS if sheet.file == "mailchimp.zip"]
    report = take(session, tmp_path, sheet.file, sheet.data(), now)
    assert [person.email for person in session.exec(select(Subscriber))] == ["ann@example.org"]
    known = read_subscriber_details(session, "ann@example.org")
    assert (known["name"], known["country"], known["tags"]) == ("Ann Li", "MN", ["press", "vip"])
    for name in ("left", "both", "dead"):
        assert is_suppressed(session, KEY, f"{name}@example.org")
    assert sorted(suppression.reason for suppression in session.exec(select(Suppression))) == [
        ConsentEvent.bounced,
        ConsentEvent.unsubscribed,
        ConsentEvent.unsubscribed,
    ]
    (refusal,) = report.refused
    assert refusal.file == "nonsubscribed_members_export_1a2b.csv"
    assert "never subscribed" in refusal.reason
    # A later import of the same people elsewhere brings none of them back.
    again = take(session, tmp_path, "again.csv", b"email\nleft@example.org\ndead@example.org\n", now)
    assert describe(again) == "2 suppressed"


@pytest.mark.parametrize(
    ("status", "then"),
    [("disabled", Status.unsubscribed), ("blocklisted", Status.unsubscribed), ("enabled", Status.active)],
)
def test_a_file_can_unsubscribe_people_and_never_resubscribe_them(
    session: Session, tmp_path: Path, now: datetime, status: str, then: Status
) -> None:
    take(session, tmp_path, "ours.csv", b"email,name\nann@example.org,Ann\n", now)
    text = f"email,name,attributes,status\nann@example.org,Ann,{{}},{status}\n".encode()
    take(session, tmp_path, "listmonk.csv", text, now)
    assert read_subscriber_details(session, "ann@example.org")["status"] == then
    take(session, tmp_path, "ours.csv", b"email,name\nann@example.org,Anna\n", now)
    assert read_subscriber_details(session, "ann@example.org")["status"] == then


TABLE = """\
[columns]
email = "E-Mail"
name = ["Vorname", "Nachname"]
organisation = "Firma"
country = "Land"
sectors = "Themen"

[separators]
sectors = "/"

[values.country]
"Deutschl." = "DE"

[values.sectors]
"Bildung" = "education"
"Kultur" = "culture"

[status]
column = "Status"
unsubscribed = ["abgemeldet"]
bounced = "unzustellbar"
"""
SHEET = (
    "E-Mail;Vorname;Nachname;Firma;Land;Themen;Status;Fax\n"
    "ann@example.org;Ann;Li;Amt;Deutschl.;Bildung / Kultur;aktiv;1\n"
    "left@example.org;Left;;;;;Abgemeldet;\n"
    "dead@example.org;Dead;;;;;unzustellbar;\n"
)


def test_a_columns_file_maps_any_other_format(session: Session, tmp_path: Path, now: datetime) -> None:
    (tmp_path / "columns.toml").write_text(TABLE, encoding="utf-8")
    reading = ReadOptions(columns=read_columns_file(tmp_path / "columns.toml"))
    report = take(session, tmp_path, "other.csv", SHEET.encode(), now, reading)
    assert describe(report) == "1 added, 2 suppressed"
    assert report.parts[0].unused == ["Fax"]
    assert report.parts[0].meaning["name"] == ["Vorname", "Nachname"]
    known = read_subscriber_details(session, "ann@example.org")
    assert (known["name"], known["country"], known["sectors"]) == ("Ann Li", "DE", ["culture", "education"])


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        ("[columns]\nname = 'Name'\n", r"does not say which column is email"),
        ("[columns]\nemail = 'Mail'\n", r'no column "Mail", although columns\.toml names it'),
        ("[columns]\nemail = 'E-Mail'\nfax = 'Fax'\n", r'"fax" is not known here'),
        ("[colums]\nemail = 'E-Mail'\n", r'"colums" is not known here'),
        ("[columns]\nemail = 7\n", r"write a text in quotation marks"),
        ("columns = 7\n", r"\[columns\] is not a table"),
        ("email = \n", r"it is not valid TOML"),
        ("[columns]\nemail = 'E-Mail'\n[status]\nbounced = 'x'\n", r"does not name its column"),
        ("[columns]\nemail = ['E-Mail', 'Fax']\n", r"only the name can be spread over several"),
    ],
)
def test_an_invalid_columns_file_is_refused_with_its_line(
    session: Session, tmp_path: Path, now: datetime, table: str, reason: str
) -> None:
    (tmp_path / "columns.toml").write_text(table, encoding="utf-8")
    with pytest.raises(ImportFileError, match=reason):
        take(
            session,
            tmp_path,
            "other.csv",
            SHEET.encode(),
            now,
            ReadOptions(columns=read_columns_file(tmp_path / "columns.toml")),
        )


def test_the_report_describes_the_file_with_five_sample_rows(
    session: Session, tmp_path: Path, now: datetime
) -> None:
    text = "email;name\n" + "".join(f"p{number}@example.org;李娜{number}\n" for number in range(9))
    report = take(session, tmp_path, "people.csv", text.encode("gb18030"), now)
    (part,) = report.as_dict()["parts"]
    assert part["form"] == "CSV, GB18030, semicolons"
    assert part["certain"] is False
    assert part["samples"] == [
        {"email": f"p{number}@example.org", "name": f"李娜{number}"} for number in range(5)
    ]


def test_the_encoding_and_the_delimiter_can_be_given(session: Session, tmp_path: Path, now: datetime) -> None:
    data = "email#name\nann@example.org#José\n".encode("cp1252")
    reading = ReadOptions(encoding="cp1252", delimiter="#")
    report = take(session, tmp_path, "people.csv", data, now, reading)
    assert report.parts[0].certain
    assert read_subscriber_details(session, "ann@example.org")["name"] == "José"


CHOOSE = "To import one of them, choose it with --sheet NAME."


def get_spreadsheet(file: str) -> Spreadsheet:
    return next(sheet for sheet in SPREADSHEETS if sheet.file == file)


@pytest.mark.parametrize(
    ("file", "notes"),
    [
        ("sheets.xlsx", [(None, f'1 further sheet was not read: "Board". {CHOOSE}')]),
        ("address-cells.csv", [(4, "chen@example.org also has chen2@example.org, which was not imported.")]),
        (
            "two-addresses.vcf",
            [
                (2, "ann@example.org also has home@example.org, which was not imported."),
                (3, "bat@example.org also has old@example.org, which was not imported."),
            ],
        ),
    ],
)
def test_what_was_left_out_is_named_in_the_report(
    session: Session, tmp_path: Path, now: datetime, file: str, notes: list[tuple[int | None, str]]
) -> None:
    report = take(session, tmp_path, file, get_spreadsheet(file).data(), now)
    assert [(note.row, note.text) for note in report.notes] == notes
    assert report.as_dict()["notes"] == [{"row": row, "note": text} for row, text in notes]


@pytest.mark.parametrize("file", ["sheets.xlsx", "members.ods"])
def test_a_merged_organisation_or_country_is_that_of_every_person_beside_it(
    session: Session, tmp_path: Path, now: datetime, file: str
) -> None:
    report = take(session, tmp_path, file, get_spreadsheet(file).data(), now)
    known = [read_subscriber_details(session, f"{name}@example.org") for name in ("ann", "bob")]
    column, value = {"sheets.xlsx": ("organisation", "Ministry"), "members.ods": ("country", "MN")}[file]
    assert [person[column] for person in known] == [value, value]
    assert report.parts[0].form.endswith(', sheet "Members"')


def test_whoever_left_gets_no_mail_at_their_other_address_either(
    session: Session, tmp_path: Path, now: datetime
) -> None:
    text = b"email,name,attributes,status\nann@example.org; ann2@example.org,Ann,{},disabled\n"
    report = take(session, tmp_path, "listmonk.csv", text, now)
    assert describe(report) == "1 suppressed"
    assert [note.text for note in report.notes] == [
        "ann@example.org also has ann2@example.org, which gets no mail either."
    ]
    again = take(session, tmp_path, "again.csv", b"email\nann2@example.org\n", now)
    assert describe(again) == "1 suppressed"
