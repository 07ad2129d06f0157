"""A large file fills an empty list without its indexes and keys; afterwards all of them are there."""

import csv
import zipfile
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event, func, inspect, text
from sqlmodel import Session, col, select

from mailer.database.engine import open_engine
from subscribers.consent.suppression import SuppressionKey, add_suppression
from subscribers.errors import ImportFileError
from subscribers.imports import chunk_reader
from subscribers.imports.import_report import ImportReport
from subscribers.imports.importer import import_file
from subscribers.imports.rollback import roll_back
from subscribers.models import (
    ConsentEvent,
    ConsentRecord,
    Status,
    Subscriber,
    SubscriberSector,
    SubscriberTag,
)

NOW = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
TABLES = ("subscriber", "subscriber_sector", "subscriber_tag", "consent_record", "import_batch")
ROWS = "".join(f"p{n}@example.org,education;culture,t{n % 3}\n" for n in range(30))
ALL_STORED = (30, 60, 30, 30)


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a file of thirty rows count as a large one."""
    monkeypatch.setattr(chunk_reader, "CHUNK_SIZE", 8)


@pytest.fixture
def postgres_engine(postgres_database: str, tmp_path: Path) -> Iterator[Engine]:
    engine = open_engine(postgres_database, root=tmp_path)
    yield engine
    engine.dispose()


def take(
    session: Session, folder: Path, rows: str = ROWS, *, commit: bool = True, **options: Any
) -> ImportReport:
    """Import rows."""
    path = folder / "partners.csv"
    path.write_text("email,sectors,tags\n" + rows)
    key = SuppressionKey(b"s" * 32)
    report = import_file(session, path, sectors=("education", "culture"), key=key, now=NOW, **options)
    if commit:
        session.commit()
    return report


def describe_tables(engine: Engine) -> Mapping[str, object]:
    """The indexes, keys and defaults of the list, as the database knows them."""
    found = inspect(engine)
    return {
        name: (
            sorted(map(repr, found.get_indexes(name))),
            sorted(map(repr, found.get_foreign_keys(name))),
            found.get_pk_constraint(name),
            {column["name"]: column["default"] for column in found.get_columns(name)},
        )
        for name in TABLES
    }


def count_stored(session: Session) -> tuple[int, ...]:
    """How many subscribers, sectors, tags and records there are."""
    tables = (Subscriber, SubscriberSector, SubscriberTag, ConsentRecord)
    return tuple(session.exec(select(func.count()).select_from(table)).one() for table in tables)


def record_drops(engine: Engine) -> list[str]:
    """The statements from now on that drop an index or a key."""
    dropped: list[str] = []

    @event.listens_for(engine, "before_cursor_execute")
    def _record(*args: Any) -> None:
        if "DROP INDEX" in args[2] or "DROP CONSTRAINT" in args[2]:
            dropped.append(args[2])

    return dropped


def test_all_indexes_and_keys_are_there_again(session: Session, engine: Engine, tmp_path: Path) -> None:
    before = describe_tables(engine)
    dropped = record_drops(engine)
    assert take(session, tmp_path, dry_run=True).added == 30
    assert describe_tables(engine) == before
    assert dropped == []
    with pytest.raises(ImportFileError, match="a quotation mark"):
        # After the rows by which columns are told, so that the import has begun.
        take(session, tmp_path, "".join(f"p{n}@example.org,,\n" for n in range(600)) + '"x\n')
    session.rollback()
    assert describe_tables(engine) == before
    assert count_stored(session) == (0, 0, 0, 0)
    assert take(session, tmp_path).added == 30
    assert describe_tables(engine) == before
    assert count_stored(session) == ALL_STORED
    assert dropped.count(dropped[0]) == 2


def test_what_a_large_file_says_is_stored_to_the_letter(session: Session, tmp_path: Path) -> None:
    names = ["\\N", "\\", "a\\tb", "\\\\.", "{x}", '"Ann"', "O'Neil", "", "陈晓", "x" * 300, "NULL"]
    path = tmp_path / "100 %s of 'ours' {x} :a \\.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["email", "name", "organisation", "country", "language", "sectors", "tags"])
        for number in range(40):
            name = names[number % len(names)]
            country, language = [("", ""), ("MN", "mn")][number % 2]
            sectors = ["", "education", "education;culture"][number % 3]
            writer.writerow(
                [f"P{number}@example.org", name, name[::-1], country, language, sectors, f"T{number}\\N"]
            )
    now = NOW.astimezone(timezone(timedelta(hours=8)))
    key = SuppressionKey(b"s" * 32)
    basis = "They're 50 % ours: \\N"
    import_file(session, path, sectors=("education", "culture"), key=key, now=now, basis=basis)
    session.commit()
    people = session.exec(select(Subscriber).order_by(col(Subscriber.id))).all()
    assert len(people) == 40
    for number, person in enumerate(people):
        name = names[number % len(names)]
        assert (person.email, person.envelope) == (f"p{number}@example.org", f"P{number}@example.org")
        assert (person.name, person.organisation, person.status) == (name, name[::-1], Status.active)
        assert (person.country, person.language) == [(None, None), ("MN", "mn")][number % 2]
        assert (person.created_at, person.updated_at, person.click_consent) == (NOW, NOW, False)
        ours = SubscriberSector.subscriber_id == person.id
        assert (
            set(session.exec(select(SubscriberSector.sector).where(ours)))
            == [
                set(),
                {"education"},
                {"education", "culture"},
            ][number % 3]
        )
        tags = select(SubscriberTag.tag).where(SubscriberTag.subscriber_id == person.id)
        assert session.exec(tags).all() == [f"t{number}\\n"]
        (record,) = session.exec(select(ConsentRecord).where(ConsentRecord.subscriber_id == person.id))
        assert (record.event, record.at, record.evidence) == (ConsentEvent.imported, NOW, f"row {number + 2}")
        assert (record.source, record.basis, record.method, record.import_id) == (
            path.name,
            basis,
            "import",
            1,
        )
    assert [
        record.evidence for record in session.exec(select(ConsentRecord).order_by(col(ConsentRecord.id)))
    ] == [f"row {number + 2}" for number in range(40)]


def test_each_file_of_an_archive_counts_its_own_rows(session: Session, tmp_path: Path) -> None:
    path = tmp_path / "partners.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("a", "b"):
            rows = "".join(f"{name}{number}@example.org,t{number % 3}\n" for number in range(30))
            archive.writestr(f"{name}.csv", f"email,tags\n{rows}")
    import_file(session, path, sectors=(), key=SuppressionKey(b"s" * 32), now=NOW)
    session.commit()
    found = session.exec(
        select(Subscriber.email, ConsentRecord.evidence).where(ConsentRecord.subscriber_id == Subscriber.id)
    )
    assert dict(found.all()) == {
        f"{name}{number}@example.org": f"row {number + 2}" for name in ("a", "b") for number in range(30)
    }


def test_a_large_file_brings_nobody_back_to_an_empty_list(session: Session, tmp_path: Path) -> None:
    key = SuppressionKey(b"s" * 32)
    add_suppression(session, key, "p3@example.org", reason=ConsentEvent.erased, now=NOW)
    session.commit()
    report = take(session, tmp_path)
    assert (report.added, report.suppressed) == (29, 1)
    assert session.exec(select(Subscriber).where(Subscriber.email == "p3@example.org")).first() is None


def test_a_list_with_somebody_on_it_keeps_its_indexes(
    session: Session, engine: Engine, tmp_path: Path
) -> None:
    take(session, tmp_path, "ann@example.org,,\n")
    dropped = record_drops(engine)
    assert take(session, tmp_path).added == 30
    assert dropped == []


def test_whatever_belongs_to_a_duplicate_is_deleted_with_it(session: Session, tmp_path: Path) -> None:
    report = take(session, tmp_path, f"{ROWS}p3@example.org,education,new\nP3@example.org,education,new\n")
    assert [(refusal.row, refusal.reason) for refusal in report.refused] == [
        (32, "same address as row 5."),
        (33, "same address as row 5."),
    ]
    assert report.added == 30
    assert count_stored(session) == ALL_STORED


def test_the_next_subscriber_gets_a_number_of_their_own(session: Session, tmp_path: Path) -> None:
    take(session, tmp_path)
    highest = session.exec(select(func.max(col(Subscriber.id)))).one() or 0
    ann = Subscriber(email="ann@example.org", envelope="ann@example.org", created_at=NOW, updated_at=NOW)
    session.add(ann)
    session.commit()
    assert (ann.id or 0) > highest
    assert take(session, tmp_path, "bob@example.org,,\n").added == 1


def test_no_number_is_given_twice_in_postgresql(postgres_engine: Engine, tmp_path: Path) -> None:
    with Session(postgres_engine) as session:
        first = take(session, tmp_path)
        ids = {person.id for person in session.exec(select(Subscriber))}
        assert roll_back(session, first.import_id or 0, now=NOW).removed == 30
        session.commit()
        assert take(session, tmp_path).added == 30
        assert ids.isdisjoint(person.id for person in session.exec(select(Subscriber)))
        evidence = select(ConsentRecord.evidence).order_by(col(ConsentRecord.subscriber_id))
        assert session.exec(evidence).all() == [f"row {number + 2}" for number in range(30)]


def test_a_list_that_somebody_reads_is_filled_as_it_is(
    postgres_engine: Engine, postgres_database: str, tmp_path: Path
) -> None:
    other = open_engine(postgres_database, root=tmp_path)
    with Session(other) as reader, Session(postgres_engine) as session:
        # Until the end of its transaction nobody else can lock the list.
        assert count_stored(reader) == (0, 0, 0, 0)
        assert take(session, tmp_path).added == 30
        assert count_stored(reader) == ALL_STORED
    other.dispose()


def test_a_list_that_somebody_joins_just_before_is_filled_as_it_is(
    postgres_engine: Engine, postgres_database: str, tmp_path: Path
) -> None:
    other = open_engine(postgres_database, root=tmp_path)
    dropped = record_drops(postgres_engine)

    @event.listens_for(postgres_engine, "before_cursor_execute")
    def _join(*args: Any) -> None:
        if args[2].startswith("LOCK TABLE"):
            with Session(other) as session:
                address = "p3@example.org"
                session.add(Subscriber(email=address, envelope=address, created_at=NOW, updated_at=NOW))
                session.commit()

    with Session(postgres_engine) as session:
        report = take(session, tmp_path)
    assert (report.added, report.updated) == (29, 1)
    assert dropped == []
    other.dispose()


def test_a_list_that_belongs_to_another_role_is_filled_as_it_is(
    postgres_engine: Engine, tmp_path: Path
) -> None:
    dropped = record_drops(postgres_engine)
    with Session(postgres_engine) as session:
        session.execute(text("CREATE ROLE clerk"))
        for kind in ("TABLES", "SEQUENCES"):
            session.execute(text(f"GRANT ALL ON ALL {kind} IN SCHEMA public TO clerk"))
        session.execute(text("SET LOCAL ROLE clerk"))
        assert take(session, tmp_path, commit=False).added == 30
        assert count_stored(session) == ALL_STORED
        session.rollback()  # the role goes with it
    assert len(dropped) == 1


def test_rows_that_were_stored_are_not_read_again_with_each_chunk(
    postgres_engine: Engine, tmp_path: Path
) -> None:
    sizes: list[int] = []
    with Session(postgres_engine) as session:

        def measure(_: int) -> None:
            sizes.append(session.connection().scalar(text("SELECT pg_relation_size('import_stage')")) or 0)

        take(session, tmp_path, "ann@example.org,,\n")
        rows = "".join(f"p{n}@{'x' * 50}.example.org,,{'t' * 60}{n}\n" for n in range(800))
        take(session, tmp_path, rows, on_progress=measure)
    assert len(sizes) == 100
    assert max(sizes) == sizes[0]
