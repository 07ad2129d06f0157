"""Exports can be imported again unchanged, in every format; suppressed addresses stay out."""

import csv
import io
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine
from sqlmodel import Session, SQLModel, select

from mailer.database.engine import open_engine
from subscribers.address import normalise_address
from subscribers.consent.status_changes import erase, suppress, unsubscribe
from subscribers.consent.suppression import SuppressionKey
from subscribers.csv_format import COLUMNS
from subscribers.errors import AddressError, DetailError, UnknownSubscriberError
from subscribers.export import ExportFormat, export_subscribers
from subscribers.imports.import_report import ImportReport
from subscribers.imports.importer import import_file
from subscribers.imports.row_parser import RowParser
from subscribers.models import ConsentEvent, Status, Subscriber
from subscribers.queries import find_subscriber, list_subscriber_details
from subscribers.segments.segment import parse_segment
from subscribers.validation import clean_line
from tests.factories.naughty_strings import NAUGHTY

SECTORS = {"education": "Education", "sciences": "Natural Sciences", "culture": "Culture"}
KEY = SuppressionKey(b"s" * 32)
NOW = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
QUIET = {"suppress_health_check": [HealthCheck.function_scoped_fixture], "deadline": None}


def take(session: Session, path: Path, data: bytes) -> ImportReport:
    path.write_bytes(data)
    report = import_file(session, path, sectors=SECTORS, key=KEY, now=NOW)
    session.commit()
    return report


def write_csv(rows: list[dict[str, str]]) -> bytes:
    stream = io.StringIO(newline="")
    writer = csv.DictWriter(stream, COLUMNS)
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue().encode("utf-8", "surrogatepass")


def export(session: Session, form: ExportFormat) -> bytes:
    stream = io.BytesIO()
    export_subscribers(session, parse_segment("all"), form, stream)
    return stream.getvalue()


def list_details(session: Session) -> list[dict[str, Any]]:
    return [
        {name: value for name, value in person.items() if name != "id"}
        for person in list_subscriber_details(session, parse_segment("all"))
    ]


def clear(session: Session) -> None:
    """Empty the list; consent records go with their people and in no other way."""
    for name in ("subscriber", "import_batch", "suppression"):
        session.connection().execute(SQLModel.metadata.tables[name].delete())
    session.commit()


@pytest.fixture
def other_engine(sqlite_template: Path, tmp_path: Path) -> Iterator[Engine]:
    """A second list, to import into."""
    path = tmp_path / "other.db"
    path.write_bytes(sqlite_template.read_bytes())
    engine = open_engine(f"sqlite:///{path}", root=tmp_path)
    yield engine
    engine.dispose()


lines = (
    st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=15)
    | st.text("=+-@'\";,ab ＝|_x0041", max_size=9)
    | st.sampled_from(NAUGHTY)
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


@pytest.mark.parametrize("form", ExportFormat)
@settings(max_examples=40, **QUIET)
@given(rows=st.lists(people, max_size=8))
def test_an_import_undoes_an_export(
    sqlite_engine: Engine,
    other_engine: Engine,
    tmp_path: Path,
    form: ExportFormat,
    rows: list[dict[str, str]],
) -> None:
    with Session(sqlite_engine) as one, Session(other_engine) as two:
        clear(one)
        clear(two)
        take(one, tmp_path / "first.csv", write_csv(rows))
        exported = export(one, form)
        report = take(two, tmp_path / "second.csv", exported)
        assert report.refused == ()
        assert list_details(two) == list_details(one)
        again = take(one, tmp_path / "third.csv", exported)
        assert (again.added, again.updated, again.refused) == (0, 0, ())


@pytest.mark.parametrize("form", ExportFormat)
def test_naughty_strings_are_exported_unchanged_or_refused(
    session: Session, other_engine: Engine, tmp_path: Path, form: ExportFormat
) -> None:
    rows = [
        {"email": f"n{number}{place}@example.org", place: text}
        for number, text in enumerate(NAUGHTY)
        for place in ("name", "organisation", "tags")
    ]
    report = take(session, tmp_path / "first.csv", write_csv(rows))
    assert report.added + len(report.refused) == len(rows)
    assert report.added > 2 * len(NAUGHTY)
    with Session(other_engine) as two:
        assert take(two, tmp_path / "second.csv", export(session, form)).refused == ()
        assert list_details(two) == list_details(session)


# --- the short ways ----------------------------------------------------------------------------------------

READER = RowParser(SECTORS)
locals_ = st.text("abcXYZ019._+-'=\"李ß @", max_size=12) | st.text("a1.", min_size=60, max_size=66)
domains = st.sampled_from(
    [
        "example.org",
        "EXAMPLE.org",
        "bücher.example.com",
        "xn--bcher-kva.example.com",
        "example",
        "a..b.org",
        "-a.org",
        "example.org.",
        "example.test",
        "localhost",
        "[127.0.0.1]",
        "example.123",
        " example.org",
        "example.org ",
        "a_b.org",
        "ｅxample.org",
        "x" * 63 + ".org",
        "x" * 64 + ".org",
        ".".join(["a" * 60] * 4),
        "例え.jp",
        "example.invalid",
        "a.b-c.d.org",
        "EXAMPLE.ORG\n",
        "",
    ]
)
labels = st.text("aZ9-_é", max_size=5) | st.sampled_from(["xn--a", "local", "TEST", "onion", "a" * 63, "1"])
domains |= st.lists(labels, max_size=6).map(".".join)
addresses = st.builds("{}@{}".format, locals_, domains) | st.text(max_size=30) | st.emails()


def read_long(text: str) -> tuple[str, str]:
    address = normalise_address(text)
    return address.email, address.envelope


def attempt(read: Callable[[str], tuple[str, str]], text: str) -> tuple[str, str] | str:
    try:
        return read(text)
    except AddressError as error:
        return str(error)


@settings(max_examples=1500, deadline=None)
@given(text=addresses)
def test_the_fast_path_of_an_address_gives_the_same_as_the_slow_one(text: str) -> None:
    assert attempt(READER.parse_address, text) == attempt(read_long, text)


@settings(max_examples=500, deadline=None)
@given(text=lines | st.text(max_size=20))
def test_a_clean_line_stays_as_it_is(text: str) -> None:
    try:
        line = clean_line(text, "name")
    except DetailError:
        return
    assert clean_line(line, "name") == line
    assert line == line.strip(" ")
    assert "  " not in line


# --- nobody comes back --------------------------------------------------------------------------------------

NAMES = ("ann", "bob", "cy")
steps = st.lists(
    st.tuples(
        st.sampled_from(
            ["import", "disable", "mailchimp", "unsubscribe", "bounce", "complain", "suppress", "erase"]
        ),
        st.sets(st.sampled_from(NAMES), min_size=1),
    ),
    max_size=12,
)


def write_import(kind: str, names: set[str]) -> bytes:
    if kind == "disable":
        return b"email,name,attributes,status\n" + b"".join(
            f"{name.upper()}@example.org,X,{{}},disabled\n".encode() for name in sorted(names)
        )
    header = b"Email Address,First Name\n" if kind == "mailchimp" else b"email,name\n"
    return header + b"".join(f"{name}@example.org,New\n".encode() for name in sorted(names))


def act(session: Session, kind: str, name: str) -> None:
    address, how = f"{name}@example.org", {"method": "test", "now": NOW + timedelta(days=1)}
    try:
        if kind == "unsubscribe":
            unsubscribe(session, find_subscriber(session, address).id or 0, **how)  # type: ignore[arg-type]
        elif kind == "erase":
            erase(session, address, key=KEY, **how)  # type: ignore[arg-type]
        else:
            reason = {
                "bounce": ConsentEvent.bounced,
                "complain": ConsentEvent.complained,
                "suppress": ConsentEvent.suppressed,
            }[kind]
            suppress(session, address, key=KEY, reason=reason, **how)  # type: ignore[arg-type]
    except UnknownSubscriberError:
        return


@settings(max_examples=60, **QUIET)
@given(steps=steps)
def test_no_sequence_of_imports_reactivates_anyone(
    engine: Engine, tmp_path: Path, steps: list[tuple[str, set[str]]]
) -> None:
    shut: set[str] = set()
    with Session(engine) as session:
        clear(session)
        for kind, names in steps:
            if kind in {"import", "disable", "mailchimp"}:
                take(session, tmp_path / "people.csv", write_import(kind, names))
                shut |= names if kind == "disable" else set()
            else:
                there = {person.email.partition("@")[0] for person in session.exec(select(Subscriber))}
                for name in names:
                    act(session, kind, name)
                session.commit()
                # Leaving and being forgotten need somebody who is there; the others hold for any address.
                shut |= names & there if kind in {"unsubscribe", "erase"} else names
            for person in session.exec(select(Subscriber)):
                name = person.email.partition("@")[0]
                assert name not in shut or person.status not in {Status.active, Status.paused, Status.pending}
