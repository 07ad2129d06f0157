"""Exporting the list."""

import csv
import io
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, create_engine, event
from sqlmodel import Session, SQLModel, select

from subscribers.consent.status_changes import erase, suppress, unsubscribe
from subscribers.consent.suppression import SuppressionKey
from subscribers.export import ExportFormat, export_subscribers, write_csv_pieces
from subscribers.imports.importer import import_file
from subscribers.models import ConsentEvent, Status, Subscriber
from subscribers.queries import list_subscriber_details
from subscribers.segments.segment import parse_segment

SECTORS = {"education": "Education", "sciences": "Natural Sciences", "culture": "Culture"}
KEY = SuppressionKey(b"s" * 32)
NOW = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
COLUMNS = ["email", "name", "organisation", "country", "sectors", "language", "tags"]


def export(session: Session, query: str = "") -> str:
    stream = io.BytesIO()
    export_subscribers(session, parse_segment(query), ExportFormat.csv, stream)
    return stream.getvalue().decode("utf-8")


def take(session: Session, folder: Path, text: str) -> tuple[int, int, int, int, int]:
    path = folder / "partners.csv"
    path.write_bytes(text.encode("utf-8"))
    report = import_file(session, path, sectors=SECTORS, key=KEY, now=NOW)
    session.commit()
    return report.added, report.updated, report.unchanged, report.suppressed, len(report.refused)


def list_details(session: Session) -> list[dict[str, Any]]:
    return [
        {name: value for name, value in person.items() if name != "id"}
        for person in list_subscriber_details(session, parse_segment("all"))
    ]


def test_an_export_has_our_columns_and_is_the_import_that_made_it(session: Session, tmp_path: Path) -> None:
    text = (
        "email,name,organisation,country,sectors,language,tags\n"
        "Ann.Li@example.org,Ann Li,Ministry of Education,MN,culture;education,mn,press;vip\n"
        'bob@bücher.example.com,"Li, Bob",,CN,,zh-Hans,\n'
        "cy@example.org,,,,,,\n"
    )
    assert take(session, tmp_path, text) == (3, 0, 0, 0, 0)
    assert export(session) == text
    assert take(session, tmp_path, export(session)) == (0, 0, 3, 0, 0)
    assert export(session, "country:CN").splitlines()[1:] == [text.splitlines()[2]]


def test_formulas_are_written_as_text(session: Session, tmp_path: Path) -> None:
    text = "email,name,organisation\n=cmd@example.org,=1+1,a;@SUM(1)\n+1@example.org,-Ann-,\n"
    assert take(session, tmp_path, text) == (2, 0, 0, 0, 0)
    rows = list(csv.reader(io.StringIO(export(session))))
    assert rows[1][:3] == ["'=cmd@example.org", "'=1+1", "a;'@SUM(1)"]
    assert rows[2][:2] == ["'+1@example.org", "'-Ann-"]
    assert take(session, tmp_path, export(session)) == (0, 0, 2, 0, 0)


def test_subscribers_who_are_gone_are_exported_only_on_request(session: Session, tmp_path: Path) -> None:
    names = ("here", "left", "dead", "cross", "gone", "new")
    take(session, tmp_path, "email\n" + "".join(f"{name}@example.org\n" for name in names))
    people = {person.email: person for person in session.exec(select(Subscriber))}
    unsubscribe(session, people["left@example.org"].id or 0, method="page", source="", now=NOW)
    suppress(session, "dead@example.org", key=KEY, reason=ConsentEvent.bounced, method="bounce", now=NOW)
    suppress(
        session, "cross@example.org", key=KEY, reason=ConsentEvent.complained, method="complaint", now=NOW
    )
    erase(session, "gone@example.org", key=KEY, method="command line", now=NOW)
    session.add(
        Subscriber(
            email="p@example.org",
            envelope="p@example.org",
            status=Status.pending,
            created_at=NOW,
            updated_at=NOW,
        )
    )
    session.commit()
    assert [line.split("@")[0] for line in export(session).splitlines()[1:]] == ["here", "new"]
    asked = export(session, "status:unsubscribed,erased").splitlines()[1:]
    assert [line.split("@")[0] for line in asked] == ["left"]


def test_export_returns_how_many_were_written(session: Session, tmp_path: Path) -> None:
    take(session, tmp_path, "email\n" + "".join(f"p{number}@example.org\n" for number in range(1203)))
    stream = io.BytesIO()
    assert export_subscribers(session, parse_segment("all"), ExportFormat.csv, stream) == 1203
    assert len(stream.getvalue().splitlines()) == 1204


@pytest.mark.parametrize("form", [ExportFormat.csv, ExportFormat.mailchimp, ExportFormat.listmonk])
def test_pieces_make_the_same_file_and_none_is_large(
    session: Session, tmp_path: Path, form: ExportFormat
) -> None:
    rows = "".join(
        f"p{number}@example.org,=P,{'Institute ' * 20},MN,education,fr,x\n" for number in range(900)
    )
    take(session, tmp_path, ",".join(COLUMNS) + "\n" + rows)
    stream = io.BytesIO()
    export_subscribers(session, parse_segment(""), form, stream)
    pieces = list(write_csv_pieces(session, parse_segment(""), form))
    assert b"".join(pieces) == stream.getvalue()
    assert len(pieces) > 2
    assert max(map(len, pieces)) < 70_000


# --- export and import undo each other ----------------------------------------------------------------------


def open_empty(path: Path) -> Engine:
    engine = create_engine(f"sqlite:///{path}")

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _: Any) -> None:
        connection.isolation_level = None

    @event.listens_for(engine, "begin")
    def _begin(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN")

    SQLModel.metadata.create_all(engine)
    return engine


@pytest.fixture
def two_lists(tmp_path: Path) -> Iterator[tuple[Engine, Engine]]:
    engines = open_empty(tmp_path / "one.db"), open_empty(tmp_path / "two.db")
    yield engines
    for engine in engines:
        engine.dispose()


def clear(session: Session) -> None:
    for table in reversed(SQLModel.metadata.sorted_tables):
        session.connection().execute(table.delete())
    session.commit()


lines = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=15) | st.text(
    "=+-@'\";,ab ＝\t", max_size=8
)
people = st.fixed_dictionaries(
    {
        "email": st.text("abcXYZ=+-_'1.ß李", min_size=1, max_size=6).map("{}@bücher.example.com".format),
        "name": lines,
        "organisation": lines,
        "country": st.sampled_from(["", "MN", "CN", "KR"]),
        "sectors": st.sets(st.sampled_from(sorted(SECTORS))).map(";".join),
        "language": st.sampled_from(["", "en", "zh-Hans", "mn"]),
        "tags": st.sets(st.text("abc é'-", max_size=5)).map(";".join),
    }
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50, deadline=None)
@given(rows=st.lists(people, max_size=8))
def test_export_and_import_undo_each_other(
    two_lists: tuple[Engine, Engine], tmp_path: Path, rows: list[dict[str, str]]
) -> None:
    stream = io.StringIO(newline="")
    writer = csv.DictWriter(stream, COLUMNS)
    writer.writeheader()
    writer.writerows(rows)
    with Session(two_lists[0]) as one, Session(two_lists[1]) as two:
        clear(one)
        clear(two)
        take(one, tmp_path, stream.getvalue())
        exported = export(one)
        added, *rest = take(two, tmp_path, exported)
        assert rest == [0, 0, 0, 0]
        assert added == len(list_details(one))
        assert list_details(two) == list_details(one)
        assert export(two) == exported
        assert take(one, tmp_path, exported) == (0, 0, added, 0, 0)
