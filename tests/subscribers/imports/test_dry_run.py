"""A dry run reports what the import would, changes nothing, and keeps nobody from writing meanwhile."""

import random
import zipfile
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine, text
from sqlmodel import Session, SQLModel, col, select

from mailer.database.engine import open_session
from subscribers.consent.status_changes import unsubscribe
from subscribers.consent.suppression import SuppressionKey, add_suppression
from subscribers.imports import chunk_reader
from subscribers.imports.import_report import ImportReport
from subscribers.imports.importer import import_file
from subscribers.models import ConsentEvent, Status, Subscriber

NOW = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
KEY = SuppressionKey(b"s" * 32)
HEADER = "email,name,country,sectors,tags\n"
LARGE = "".join(f"p{n}@example.org,Ann,,education,t{n % 3}\n" for n in range(40))
KNOWN = (
    "ann@example.org,Ann,MN,education,press\nbob@example.org,Bob,,,\n"
    "cy@example.org,Cy,,,\ndan@example.org,Dan,,,\n"
)

FILES: Mapping[str, Mapping[str, str]] = {
    "new": {"list.csv": HEADER + LARGE},
    "doubled": {"list.csv": HEADER + LARGE + LARGE[:400] + "P3@example.org,,,,\n" * 2 + LARGE},
    "known": {
        "list.csv": HEADER
        + KNOWN
        + LARGE
        + "ANN@example.org,Other,,,\nbob@example.org,Bob,CN,culture,\nBOB@example.org,,,,\n"
        + "ann@example.org,,,,news\n"
    },
    "changed": {"list.csv": HEADER + "ann@example.org,Anna,,culture,\nbob@example.org,,KR,,vip\n" + KNOWN},
    "refused": {"list.csv": HEADER + LARGE + "x y,,,,\nq@example.org,,Atlantis,,\n,,,,\nann@example.org\n"},
    "suppressed": {"list.csv": HEADER + "gone@example.org,,,,\n" * 2 + LARGE + "GONE@example.org,,,,\n"},
    "left": {"list.csv": HEADER + "dan@example.org,Dan,,,\n" + LARGE + "dan@example.org,Danny,,,\n"},
    "statuses": {
        "list.csv": "email,name,status\nann@example.org,Ann,unsubscribed\nnew@example.org,,active\n"
        + "".join(f"p{n}@example.org,,{['active', 'unsubscribed'][n % 2]}\n" for n in range(30))
        + "ann@example.org,,active\np1@example.org,,active\nnew@example.org,,unsubscribed\n"
        + "new@example.org,,active\np2@example.org,,active\nbob@example.org,B,active\n"
        + '"one@example.org, two@example.org",,unsubscribed\ntwo@example.org,,active\n'
    },
    "Mailchimp": {
        "subscribed_segment_1.csv": "Email Address,First Name\n"
        + "".join(f"p{n}@example.org,Ann\n" for n in range(30))
        + "left@example.org,\nbob@example.org,Bo\n",
        "unsubscribed_segment_1.csv": "Email Address,First Name\n"
        + "left@example.org,\np7@example.org,\nann@example.org,\n",
    },
    "two files": {"a.csv": HEADER + LARGE, "b.csv": HEADER + "q@example.org,,,,\n" + LARGE + KNOWN},
    "doubled in two files": {
        "a.csv": HEADER + LARGE + LARGE[:400],
        "b.csv": HEADER + "q@example.org,,,,\n" + LARGE,
    },
    "cards": {
        "list.vcf": "".join(
            f"BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Ann {n % 7}\r\nEMAIL:a{n % 7}@example.org\r\nEND:VCARD\r\n"
            for n in range(12)
        )
    },
}


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a file of forty rows count as a large one."""
    monkeypatch.setattr(chunk_reader, "CHUNK_SIZE", 8)


def write(folder: Path, files: Mapping[str, str]) -> Path:
    for name, content in files.items():
        (folder / name).write_text(content, encoding="utf-8")
    if len(files) == 1:
        return folder / next(iter(files))
    with zipfile.ZipFile(folder / "list.zip", "w") as archive:
        for name in files:
            archive.write(folder / name, name)
    return folder / "list.zip"


def take(
    session: Session, path: Path, *, dry_run: bool = False, on_progress: Callable[[int], None] | None = None
) -> ImportReport:
    return import_file(
        session,
        path,
        sectors=("education", "culture"),
        key=KEY,
        now=NOW,
        dry_run=dry_run,
        on_progress=on_progress,
    )


def add_somebody(engine: Engine, folder: Path) -> None:
    """Four subscribers, one of whom left, and an address that is suppressed."""
    with open_session(engine) as session:
        take(session, write(folder, {"first.csv": HEADER + KNOWN}))
        dan = session.exec(select(Subscriber).where(col(Subscriber.email) == "dan@example.org")).one()
        unsubscribe(session, dan.id or 0, method="link", now=NOW)
        add_suppression(session, KEY, "gone@example.org", reason=ConsentEvent.complained, now=NOW)
        session.commit()


def read_everything(engine: Engine) -> dict[str, list[tuple[object, ...]]]:
    with open_session(engine, read_only=True) as session:
        return {
            name: sorted((tuple(row) for row in session.execute(select(table))), key=repr)
            for name, table in SQLModel.metadata.tables.items()
        }


@pytest.mark.parametrize("is_empty", [True, False], ids=["empty", "filled"])
@pytest.mark.parametrize("kind", FILES)
def test_a_dry_run_reports_what_the_import_does(
    engine: Engine, tmp_path: Path, kind: str, is_empty: bool
) -> None:
    if not is_empty:
        add_somebody(engine, tmp_path)
    before = read_everything(engine)
    path = write(tmp_path, FILES[kind])
    with open_session(engine, read_only=True) as session:
        dry = take(session, path, dry_run=True)
        session.commit()
    assert read_everything(engine) == before
    with open_session(engine) as session:
        real = take(session, path)
        assert dry.as_dict() == real.as_dict()
        assert dry.import_id is None
        assert take(session, path, dry_run=True).as_dict() == take(session, path).as_dict()


def test_a_dry_run_reports_what_the_import_does_with_any_rows(engine: Engine, tmp_path: Path) -> None:
    add_somebody(engine, tmp_path)
    people = ["ann", "bob", "dan", "gone", *(f"p{n}" for n in range(12))]
    for seed in range(30):
        chance = random.Random(seed)
        rows = (
            f"{chance.choice(people)}@example.org,{chance.choice(['', 'Ann', 'Bo'])},"
            f"{chance.choices(['active', 'unsubscribed', 'bounced'], [8, 1, 1])[0]}\n"
            for _ in range(chance.randrange(4, 40))
        )
        lines = list(rows)
        if seed % 2:
            content = "email,name\n" + "".join(f"{line.rpartition(',')[0]}\n" for line in lines)
        else:
            content = "email,name,status\n" + "".join(lines)
        path = write(tmp_path, {"any.csv": content})
        with open_session(engine) as session:
            dry, real = take(session, path, dry_run=True), take(session, path)
        assert dry.as_dict() == real.as_dict(), content


@pytest.mark.parametrize("kind", ["new", "statuses", "Mailchimp"])
@pytest.mark.parametrize("is_empty", [True, False], ids=["empty", "filled"])
def test_others_write_while_a_dry_run_is_under_way(
    engine: Engine, tmp_path: Path, kind: str, is_empty: bool
) -> None:
    if not is_empty:
        add_somebody(engine, tmp_path)
    written: list[str] = []

    def write_something(_: int) -> None:
        with open_session(engine) as other:
            if engine.dialect.name == "postgresql":
                other.execute(text("SET LOCAL lock_timeout = '1s'"))
            email = f"other{len(written)}@example.org"
            eve = Subscriber(email=email, envelope=email, created_at=NOW, updated_at=NOW)
            other.add(eve)
            other.flush()
            add_suppression(
                other, KEY, f"shut{len(written)}@example.org", reason=ConsentEvent.bounced, now=NOW
            )
            unsubscribe(other, eve.id or 0, method="link", now=NOW)
            other.commit()
        written.append(email)

    path = write(tmp_path, FILES[kind])
    with open_session(engine, read_only=True) as session:
        report = take(session, path, dry_run=True, on_progress=write_something)
    assert report.added > 10
    assert len(written) > 3
    with open_session(engine, read_only=True) as session:
        left = session.exec(select(Subscriber).where(col(Subscriber.email).like("other%"))).all()
    assert {person.status for person in left} == {Status.unsubscribed}
    assert len(left) == len(written)


def test_a_dry_run_takes_no_number(engine: Engine, tmp_path: Path) -> None:
    path = write(tmp_path, FILES["new"])
    with open_session(engine) as session:
        for _ in range(3):
            take(session, path, dry_run=True)
        report = take(session, path)
        assert report.import_id == 1
        assert session.exec(select(Subscriber.id).order_by(col(Subscriber.id))).first() is not None
        session.commit()
