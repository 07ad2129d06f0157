"""Importing a file."""

import csv
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unicodedata import normalize

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, event, func, inspect
from sqlmodel import Session, col, select

from mailer.database.engine import open_engine
from subscribers.consent.status_changes import erase, suppress, unsubscribe
from subscribers.consent.suppression import SuppressionKey
from subscribers.csv_format import unescape_formula
from subscribers.errors import ImportFileError
from subscribers.imports import chunk_reader, importer
from subscribers.imports.import_report import ImportReport, RefusedRow
from subscribers.imports.importer import import_file
from subscribers.models import (
    ConsentEvent,
    ConsentRecord,
    Status,
    Subscriber,
    SubscriberSector,
    SubscriberTag,
)
from subscribers.queries import read_subscriber_details
from tests.paths import ROOT

SECTORS = {"education": "Education", "sciences": "Natural Sciences", "culture": "Culture"}
KEY = SuppressionKey(b"s" * 32)
CORPUS = ROOT.parent / "shared" / "corpora" / "naughty-strings" / "blns.json"
HEADER = "email,name,organisation,country,sectors,language,tags\n"

Take = Callable[..., ImportReport]


@pytest.fixture
def import_text(session: Session, now: datetime, tmp_path: Path) -> Take:
    """Import a text as a file called partners.csv, and commit."""

    def import_text(text: str, *, dry_run: bool = False, at: datetime = now) -> ImportReport:
        path = tmp_path / "partners.csv"
        path.write_bytes(text.encode("utf-8"))
        report = import_file(session, path, sectors=SECTORS, key=KEY, now=at, dry_run=dry_run)
        session.commit()
        return report

    return import_text


def count_rows(report: ImportReport) -> tuple[int, int, int, int, int]:
    return report.added, report.updated, report.unchanged, report.suppressed, len(report.refused)


def list_all(session: Session) -> list[Subscriber]:
    return list(session.exec(select(Subscriber).order_by(col(Subscriber.id))))


def test_a_full_row_becomes_a_subscriber_with_a_record_of_consent(
    session: Session, now: datetime, import_text: Take
) -> None:
    report = import_text(
        HEADER
        + "Ann.Li@Example.org, Ann  Li ,Ministry of Education,Mongolia,education; Culture,mn,press;VIP\n"
    )
    assert count_rows(report) == (1, 0, 0, 0, 0)
    known = read_subscriber_details(session, "ann.li@example.org")
    (record,) = known.pop("consent")
    known.pop("id")
    assert known == {
        "email": "ann.li@example.org",
        "envelope": "Ann.Li@example.org",
        "name": "Ann Li",
        "organisation": "Ministry of Education",
        "country": "MN",
        "language": "mn",
        "sectors": ["culture", "education"],
        "tags": ["press", "vip"],
        "status": "active",
        "paused_until": None,
        "click_consent": False,
        "created_at": "2026-03-01T09:00:00Z",
        "updated_at": "2026-03-01T09:00:00Z",
    }
    assert (record["event"], record["method"], record["source"]) == ("imported", "import", "partners.csv")
    assert (record["evidence"], record["basis"]) == ("row 2", "")


def test_only_the_address_is_required_and_column_names_ignore_case(
    session: Session, import_text: Take
) -> None:
    assert count_rows(import_text("EMail\nann@example.org\n")) == (1, 0, 0, 0, 0)
    assert count_rows(import_text('\ufeff Name ;EMAIL;;\n"Li; Bob";bob@example.org;;\n')) == (1, 0, 0, 0, 0)
    assert [person.name for person in list_all(session)] == ["", "Li; Bob"]


def test_bad_rows_are_refused_by_number_and_good_ones_are_imported(
    session: Session, import_text: Take
) -> None:
    report = import_text(
        HEADER
        + "ann@example.org,Ann,,,,,\n"
        + "no address,,,,,,\n"
        + "\n"
        + 'bob@example.org,"Bob\nLi",,Korea,,,\n'
        + "cy@example.org,Cy,,,eduction,,\n"
        + "dan@example.org,Dan,,,,Danish,\n"
        + "eve@example.org,Eve\u2028Li,,,,,\n"
        + f"fay@example.org,{'x' * 301},,,,,\n"
        + "gus@example.org,Gus,,,,,a,b\n"
        + "ANN@example.org,Other,,,,,\n"
        + ",,,,,,\n"
        + "hal@example.org\n"
    )
    assert count_rows(report) == (3, 0, 0, 0, 7)
    reasons = {refusal.row: refusal.reason for refusal in report.refused}
    assert list(reasons) == [3, 6, 7, 8, 9, 10, 11]
    for row, words in {
        3: "it contains a space|@-sign",
        6: r'sectors: "eduction" is not a sector\. Did you mean education\?',
        7: 'language: "Danish" is not a language code',
        8: r"name: it contains a control character \(U\+2028\)",
        9: "name: it is 301 characters long; the limit is 300",
        10: "row: it has 8 cells but the header has 7",
        11: r"same address as row 2\.",
    }.items():
        assert re.search(words, reasons[row]), reasons[row]
    assert [person.email for person in list_all(session)] == [
        *("ann@example.org", "bob@example.org", "hal@example.org")
    ]


def test_a_country_or_tag_that_cannot_be_used_costs_the_value_and_not_the_person(
    session: Session, import_text: Take
) -> None:
    # The first five rows are read one by one, those after them by the column.
    countries = ("N/A", "-", "Unknown", "International", "Korea", "MN", "Unknown", "Narnia")
    rows = [f'p{n}@example.org,{country},"press;a, b"\n' for n, country in enumerate(countries)]
    report = import_text("email,country,tags\n" + "".join(rows))
    assert count_rows(report) == (8, 0, 0, 0, 0)
    assert [person.country or "" for person in list_all(session)] == [*[""] * 5, "MN", "", ""]
    assert {read_subscriber_details(session, "p7@example.org")["tags"][0]} == {"press"}
    left_out = {(one["column"], one["value"]): one["rows"] for one in report.parts[0].unused_values}
    assert left_out[("tags", "a, b")] == 8
    assert left_out[("country", "Unknown")] == 2
    assert {value for column, value in left_out if column == "country"} == {*countries} - {"MN"}


def test_a_good_row_is_not_a_duplicate_of_a_refused_one(import_text: Take) -> None:
    report = import_text("email,sectors\nann@example.org,eduction\nann@example.org,education\n")
    assert count_rows(report) == (1, 0, 0, 0, 1)
    assert report.refused[0].row == 2


def test_a_second_import_changes_nothing_and_records_nothing(
    session: Session, now: datetime, import_text: Take
) -> None:
    text = HEADER + "ann@example.org,Ann,Ministry,MN,education,mn,press\nbob@example.org,,,,,,\n"
    import_text(text)
    again = import_text(text, at=now + timedelta(days=1))
    assert count_rows(again) == (0, 0, 2, 0, 0)
    assert len(session.exec(select(ConsentRecord)).all()) == 2
    assert {person.updated_at for person in list_all(session)} == {now}


def test_empty_cells_overwrite_nothing(session: Session, now: datetime, import_text: Take) -> None:
    import_text(HEADER + "ann@example.org,Ann,Ministry,MN,education;culture,mn,press\n")
    later = now + timedelta(days=1)
    assert count_rows(import_text(HEADER + "ann@example.org,,University,,sciences,,\n", at=later)) == (
        0,
        1,
        0,
        0,
        0,
    )
    assert count_rows(import_text("email\nann@example.org\n", at=later)) == (0, 0, 1, 0, 0)
    known = read_subscriber_details(session, "ann@example.org")
    assert (known["name"], known["organisation"], known["country"]) == ("Ann", "University", "MN")
    assert (known["sectors"], known["tags"], known["language"]) == (["sciences"], ["press"], "mn")
    assert known["updated_at"] == "2026-03-02T09:00:00Z"
    assert [record["event"] for record in known["consent"]] == ["imported", "updated"]
    assert known["consent"][1]["evidence"] == "row 2; changed: organisation, sectors"


@pytest.mark.parametrize("status", [status for status in Status if status is not Status.erased])
def test_an_import_never_changes_a_status(
    session: Session, now: datetime, import_text: Take, status: Status
) -> None:
    session.add(
        Subscriber(
            email="ann@example.org", envelope="ann@example.org", status=status, created_at=now, updated_at=now
        )
    )
    session.commit()
    report = import_text(HEADER + "ann@example.org,Ann,Ministry,MN,education,mn,press\n")
    gone = status in {Status.unsubscribed, Status.bounced, Status.complained, Status.merged}
    assert count_rows(report) == (0, 0, 0, 1, 0) if gone else (0, 1, 0, 0, 0)
    (ann,) = list_all(session)
    assert ann.status is status
    assert ann.name == ("" if gone else "Ann")
    assert not session.exec(select(ConsentRecord).where(ConsentRecord.event == ConsentEvent.imported)).all()


def test_subscribers_who_are_gone_are_not_reactivated(
    session: Session, now: datetime, import_text: Take
) -> None:
    text = "email\n" + "".join(
        f"{name}@example.org\n" for name in ("left", "dead", "cross", "gone", "banned")
    )
    import_text(text)
    ids = {person.email: person.id or 0 for person in list_all(session)}
    unsubscribe(session, ids["left@example.org"], method="one-click", source="", now=now)
    suppress(session, "dead@example.org", key=KEY, reason=ConsentEvent.bounced, method="bounce", now=now)
    suppress(
        session, "cross@example.org", key=KEY, reason=ConsentEvent.complained, method="complaint", now=now
    )
    suppress(session, "banned@example.org", key=KEY, method="command line", now=now)
    suppress(session, "stranger@example.org", key=KEY, method="command line", now=now)
    erase(session, "gone@example.org", key=KEY, method="command line", now=now)
    session.commit()
    before = [(person.id, person.status, person.name) for person in list_all(session)]
    assert count_rows(import_text(text + "STRANGER@example.org\n")) == (0, 0, 0, 6, 0)
    assert [(person.id, person.status, person.name) for person in list_all(session)] == before


def test_a_reader_who_unsubscribed_meanwhile_is_left_alone(
    engine: Engine, now: datetime, tmp_path: Path
) -> None:
    path = tmp_path / "partners.csv"
    path.write_text("email,name\nann@example.org,Ann\n")
    with Session(engine, expire_on_commit=False) as session:
        ann = Subscriber(email="ann@example.org", envelope="ann@example.org", created_at=now, updated_at=now)
        session.add(ann)
        session.commit()
        with Session(engine) as other:
            unsubscribe(other, ann.id or 0, method="one-click", source="", now=now)
            other.commit()
        assert ann.status is Status.active  # as far as this session knows
        assert count_rows(import_file(session, path, sectors=SECTORS, key=KEY, now=now)) == (0, 0, 0, 1, 0)


def test_a_dry_run_reports_everything_and_changes_nothing(session: Session, import_text: Take) -> None:
    import_text("email,name\nann@example.org,Ann\nbob@example.org,Bob\n")
    text = (
        "email,name,sectors\nann@example.org,Anna,education\nbob@example.org,,\ncy@example.org,,\nnobody,,\n"
    )
    expected = (1, 1, 1, 0, 1)
    assert count_rows(import_text(text, dry_run=True)) == expected
    assert [(person.email, person.name) for person in list_all(session)] == [
        ("ann@example.org", "Ann"),
        ("bob@example.org", "Bob"),
    ]
    assert session.exec(select(func.count()).select_from(SubscriberSector)).one() == 0
    assert session.exec(select(func.count()).select_from(ConsentRecord)).one() == 2
    assert count_rows(import_text(text)) == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "row 1: the first row must name the columns: email, name, organisation, country, sectors"),
        ("\n,,\n", "row 1: the first row must name the columns"),
        ("name,country\nAnn,MN\n", "there is no email column, and it is required"),
        ("Adresse,Name\n", "[Tt]here is no email column.*--columns"),
        ("Zuständig,Name\nx,Ann\n", '(?s)[Tt]here is no email column.*\\[columns\\].*name = "Name"'),
        ("email,name,EMAIL\n", 'the column "email" appears twice'),
        ('email,name\nann@example.org,"Ann\n', "row 2: a quotation mark is opened"),
    ],
)
def test_an_unreadable_file_is_refused_as_a_whole(
    session: Session, import_text: Take, text: str, reason: str
) -> None:
    with pytest.raises(ImportFileError, match=reason):
        import_text(text)
    assert list_all(session) == []


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("e-mail\nann@example.org\n", [""]),
        ("\nemail\nann@example.org\n", [""]),
        ("email,organization\nann@example.org,Ministry\n", [""]),
        ("email,,name\nann@example.org,,Ann\n", ["Ann"]),
        ("ann@example.org,Ann\nbob@example.org,Bob\n", ["Ann", "Bob"]),
    ],
)
def test_a_file_without_our_titles_is_read_when_there_is_no_doubt(
    session: Session, import_text: Take, text: str, names: list[str]
) -> None:
    assert import_text(text).added == len(names)
    assert [person.name for person in list_all(session)] == names


def test_a_late_error_rolls_back_the_import_and_nothing_else(
    session: Session, now: datetime, import_text: Take
) -> None:
    session.add(Subscriber(email="x@example.org", envelope="x", created_at=now, updated_at=now))
    rows = "".join(f"p{number}@example.org,P\n" for number in range(1200))
    with pytest.raises(ImportFileError, match=r"row 1202: a quotation mark"):
        import_text("email,name\n" + rows + 'last@example.org,"L\n')
    session.commit()
    assert [person.email for person in list_all(session)] == ["x@example.org"]


def test_an_address_added_concurrently_is_matched(
    postgres_database: str, now: datetime, tmp_path: Path
) -> None:
    # Only PostgreSQL lets two write at once; SQLite's write lock is held from the beginning.
    engine = open_engine(postgres_database, root=tmp_path)
    other = open_engine(postgres_database, root=tmp_path)

    @event.listens_for(engine, "before_cursor_execute")
    def _somebody_else(*args: Any) -> None:
        if args[2].startswith("INSERT INTO subscriber (id") and not event_log:
            event_log.append("added")
            with Session(other) as session:
                session.add(Subscriber(email="ann@example.org", envelope="a", created_at=now, updated_at=now))
                session.commit()

    event_log: list[str] = []
    path = tmp_path / "partners.csv"
    path.write_text("email,name\nbob@example.org,Bob\nann@example.org,Ann\n")
    with Session(engine) as session:
        assert count_rows(import_file(session, path, sectors=SECTORS, key=KEY, now=now)) == (1, 1, 0, 0, 0)
        session.commit()
        assert event_log
        assert sorted(person.name for person in list_all(session)) == ["Ann", "Bob"]
    engine.dispose()
    other.dispose()


def test_thousands_of_rows_need_a_handful_of_statements(
    session: Session, import_text: Take, engine: Engine
) -> None:
    statements: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
    rows = "".join(
        f"p{number}@example.org,P{number},education;culture,t{number % 7}\n" for number in range(3000)
    )
    assert count_rows(import_text("email,name,sectors,tags\n" + rows)) == (3000, 0, 0, 0, 0)
    assert len(statements) < 200
    assert session.exec(select(func.count()).select_from(SubscriberSector)).one() == 6000
    assert session.exec(select(func.count()).select_from(SubscriberTag)).one() == 3000
    assert count_rows(
        import_text("email,name\n" + rows.replace(",education;culture,", ",").replace(",t", "x"))
    ) == (
        0,
        3000,
        0,
        0,
        0,
    )
    assert len(statements) < 400


def test_the_report_has_the_fields_that_scripts_rely_on() -> None:
    report = ImportReport(
        added=1, updated=2, unchanged=3, suppressed=4, refused=(RefusedRow(row=7, reason="no address."),)
    )
    assert report.as_dict() == {
        "added": 1,
        "updated": 2,
        "unchanged": 3,
        "suppressed": 4,
        "refused": [{"row": 7, "reason": "no address."}],
        "parts": [],
        "notes": [],
    }


def test_formulas_escaped_in_our_export_are_restored(session: Session, import_text: Take) -> None:
    import_text("email,name\n'=1@example.org,'=HYPERLINK(1)\n")
    (person,) = list_all(session)
    assert (person.email, person.name) == ("=1@example.org", "=HYPERLINK(1)")


def test_naughty_strings_are_stored_unchanged_or_refused_with_a_reason(
    session: Session, now: datetime, tmp_path: Path
) -> None:
    if not CORPUS.is_file():
        pytest.skip("the naughty strings are not here")
    naughty = json.loads(CORPUS.read_text(encoding="utf-8"))
    assert len(naughty) > 500
    path = tmp_path / "naughty.csv"
    with path.open("w", encoding="utf-8", newline="", errors="surrogatepass") as file:
        writer = csv.writer(file)
        writer.writerow(["email", "name", "organisation", "country", "sectors", "language", "tags"])
        for number, text in enumerate(naughty):
            writer.writerow([f"n{number}@example.org", text, "", "", "", "", ""])
            writer.writerow([f"o{number}@example.org", "", text, "", "", "", ""])
            writer.writerow([text, "", "", "", "", "", ""])
            writer.writerow([f"c{number}@example.org", "", "", text, "", "", ""])
            writer.writerow([f"s{number}@example.org", "", "", "", text, "", ""])
            writer.writerow([f"l{number}@example.org", "", "", "", "", text, ""])
            writer.writerow([f"t{number}@example.org", "", "", "", "", "", text])
    report = import_file(session, path, sectors=SECTORS, key=KEY, now=now)
    session.commit()
    blank = sum(not text.strip() for text in naughty)  # as an address alone in its row: an empty row
    assert report.added + len(report.refused) == 7 * len(naughty) - blank
    assert all(refusal.reason.endswith(".") for refusal in report.refused)
    stored = {person.email: person for person in list_all(session)}
    kept = [number for number in range(len(naughty)) if f"n{number}@example.org" in stored]
    assert len(kept) > 450
    for number in kept:
        name = stored[f"n{number}@example.org"].name
        assert "".join(name.split()) == importing_form(naughty[number]), naughty[number]
        assert stored[f"o{number}@example.org"].organisation == name
    for person in stored.values():
        assert not set(person.name + person.organisation + person.email) & set("\0\r\n\x1b\u2028\u2029\u202e")


def importing_form(text: str) -> str:
    """What must be left of a cell but for white space: NFC, our apostrophe before a formula gone."""
    return "".join(normalize("NFC", unescape_formula(text)).split())


cells = st.text(st.characters(codec="utf-8"), max_size=12) | st.sampled_from(
    ["", "MN", "Korea", "education", "nobody", "en", "a;b", "=1", '"', "x" * 301, "ann@example.org"]
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(rows=st.lists(st.tuples(st.sampled_from("abcdef"), cells, cells, cells, cells), max_size=12))
def test_every_row_is_accounted_for(
    sqlite_engine: Engine, tmp_path: Path, rows: list[tuple[str, str, str, str, str]]
) -> None:
    path = tmp_path / "any.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["email", "name", "country", "sectors", "tags"])
        for local, *rest in rows:
            writer.writerow([f"{local}@example.org", *rest])
    with Session(sqlite_engine) as session:
        report = import_file(
            session, path, sectors=SECTORS, key=KEY, now=datetime(2026, 3, 1, tzinfo=UTC), dry_run=True
        )
        assert sum(count_rows(report)) == len(rows)
        assert session.exec(select(Subscriber)).all() == []


@pytest.mark.parametrize("chunk", [4, 10, 1000])
def test_the_size_of_a_chunk_changes_nothing(
    session: Session, import_text: Take, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    # With small chunks the first file counts as a great one, whose index is made at the end.
    monkeypatch.setattr(chunk_reader, "CHUNK_SIZE", chunk)
    numbers = [*range(20), 3, 19, 20, 3]
    first = "email,name,tags\n" + "".join(
        f"p{n}@example.org,N{row},t{n % 3}\n" for row, n in enumerate(numbers)
    )
    report = import_text(first + "nobody,,\n")
    assert count_rows(report) == (21, 0, 0, 0, 4)
    assert [(refusal.row, refusal.reason) for refusal in report.refused[:3]] == [
        (22, "same address as row 5."),
        (23, "same address as row 21."),
        (25, "same address as row 5."),
    ]
    assert [person.name for person in list_all(session)] == [*(f"N{row}" for row in range(20)), "N22"]
    assert session.exec(select(func.count()).select_from(ConsentRecord)).one() == 21
    assert session.exec(select(func.count()).select_from(SubscriberTag)).one() == 21
    again = import_text(
        first.replace("N3,", "New,") + "".join(f"p{n}@example.org,,\n" for n in range(18, 24))
    )
    assert count_rows(again) == (3, 1, 20, 0, 6)
    assert {refusal.reason for refusal in again.refused} == {
        f"same address as row {row}." for row in (5, 20, 21, 24)
    }


def test_a_large_import_that_fails_restores_the_address_index(
    session: Session, import_text: Take, monkeypatch: pytest.MonkeyPatch, engine: Engine
) -> None:
    monkeypatch.setattr(chunk_reader, "CHUNK_SIZE", 4)
    rows = "".join(f"p{number}@example.org\n" for number in range(10))
    for _ in range(2):
        with pytest.raises(ImportFileError, match="a quotation mark"):
            import_text("email\n" + rows + '"x\n')
        session.rollback()
        indexes = {index["name"] for index in inspect(engine).get_indexes("subscriber")}
        assert "uq_subscriber_email" in indexes
        assert list_all(session) == []
    assert count_rows(import_text("email\n" + rows, dry_run=True)) == (10, 0, 0, 0, 0)
    assert count_rows(import_text("email\n" + rows)) == (10, 0, 0, 0, 0)
    assert count_rows(import_text("email\n" + rows)) == (0, 0, 10, 0, 0)


def test_a_file_with_too_many_errors_is_refused_as_a_whole(
    session: Session, import_text: Take, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importer, "_MAX_REFUSED", 10)
    with pytest.raises(
        ImportFileError, match=r"row 2: more than 10 rows cannot be used.*Check that it is the right file"
    ):
        import_text("email\n" + "nobody\n" * 11)
    session.rollback()
    assert list_all(session) == []
