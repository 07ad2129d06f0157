"""An import killed at its statements: all of it is there or nothing, the log agrees, and it is repeated."""

from collections.abc import Iterator, Mapping

import pytest
from sqlalchemy import Engine, func
from sqlmodel import Session, SQLModel, select

from mailer.activity.acts import Act
from mailer.database.import_models import ImportFileState, ImportHitch
from mailer.database.team_models import ActivityRecord
from mailer.workspace import Workspace
from subscribers.models import ImportBatch
from tests.list_imports.waiting_file import WaitingFile
from tests.servers.forked_programs import ForkTemplate
from tests.web.site import opened_engine

BEFORE = "email,name\nann@example.org,Ann\nbob@example.org,Bob\n"
TEXT = (
    "email,name,organisation,country,sectors,language,tags,status\n"
    "ann@example.org,Ann Li,Institute,MN,education,mn,press,active\n"
    "bob@example.org,Bob,,,,,,unsubscribed\n"
    "cy@example.org,Cy,,Narnia,,,vip,active\n"
    "dan@example.org,Dan,,,,,,bounced\n"
    "no address,,,,,,,\n"
)
TABLES = (
    *("subscriber", "subscriber_sector", "subscriber_tag", "consent_record", "suppression"),
    *("import_batch", "import_change"),
)
_MOST_PLACES = 1_000


@pytest.fixture(scope="module")
def programs() -> Iterator[ForkTemplate]:
    with ForkTemplate("tests.list_imports.killed_import:run") as template:
        yield template


@pytest.fixture
def file(either_workspace: Workspace, now: object) -> Iterator[WaitingFile]:
    """A file that updates one person, adds another and suppresses two, and waits to be imported."""
    with opened_engine(either_workspace) as engine:
        first = WaitingFile(either_workspace, engine, now, BEFORE)  # type: ignore[arg-type]
        first.check()
        first.ask()
        first.make_runner().work()
        second = first.add(TEXT, "many.csv")
        second.check()
        second.ask()
        yield second


def see(engine: Engine) -> Mapping[str, int]:
    """How many rows each table has that an import writes, and how many acts are in the log."""
    with Session(engine) as session:
        rows = {
            name: session.execute(
                select(func.count()).select_from(SQLModel.metadata.tables[name])
            ).scalar_one()
            for name in TABLES
        }
        act = ActivityRecord.act == Act.imported_subscribers.value
        return rows | {"log": session.exec(select(func.count()).select_from(ActivityRecord).where(act)).one()}


def kill_at(file: WaitingFile, programs: ForkTemplate, place: int) -> bool:
    """Have the file imported by a program that is killed at a place; return whether it was imported."""
    before = see(file.engine)
    words = [str(file.workspace.root), file.workspace.settings.database.url, str(place)]
    program = programs.start(words, {})
    _, errors = program.communicate(timeout=120)
    assert program.returncode in {0, -9}, errors
    file.engine.dispose()
    after = see(file.engine)
    if file.row().is_being_worked_on and file.row().began_at is None:
        assert after == before
        return False
    file.make_runner().work()
    assert see(file.engine) == after, "whoever goes on changes nothing unasked"
    row = file.row()
    if row.state is not ImportFileState.imported:
        assert program.returncode == -9
        assert after == before
        if row.hitch is ImportHitch.interrupted:
            file.ask()
        return False
    grown = {name for name in after if after[name] != before[name]}
    assert grown == set(TABLES) | {"log"}, grown
    assert (after["import_batch"] - before["import_batch"], after["log"] - before["log"]) == (1, 1)
    report = file.checked().report
    with Session(file.engine) as session:
        batch = session.get_one(ImportBatch, row.import_id)
        kept = (batch.added, batch.updated, batch.suppressed, batch.refused)
    assert report is not None
    assert kept == (report.added, report.updated, report.suppressed, len(report.refused)) == (1, 1, 2, 1)
    return True


def await_import(file: WaitingFile) -> None:
    """Have it done by a program that nobody kills, unless it was, before its begin was noted."""
    if file.row().state is not ImportFileState.imported:
        file.make_runner().work()
    assert file.row().state is ImportFileState.imported


def test_an_import_that_is_killed_is_all_there_or_not_at_all(
    file: WaitingFile, programs: ForkTemplate
) -> None:
    for place in (20, 60, 90):
        if kill_at(file, programs, place):
            return
    await_import(file)


@pytest.mark.soak
def test_an_import_that_is_killed_at_each_statement_is_all_there_or_not_at_all(
    file: WaitingFile, programs: ForkTemplate
) -> None:
    for place in range(1, _MOST_PLACES):
        if kill_at(file, programs, place):
            assert place > 20
            return
    pytest.fail("the import has no end")
