"""Compiling a correction for the pages of its campaign."""

from collections.abc import Iterator
from datetime import datetime

import pytest
from sqlalchemy import Engine
from sqlmodel import Session

from mailer.campaigns.correction_notes import NoteDraft, NotePlace, WrittenNote, create_note, write_note
from mailer.campaigns.correction_plan import plan_correction
from mailer.campaigns.launch import launch
from mailer.campaigns.named_plan import prepare_correction
from mailer.database.models import DeliveryState
from mailer.web.mail_preview.compiler import CompilerCache
from mailer.workspace import Workspace
from tests.factories.campaigns import make_plan
from tests.factories.feedback import set_deliveries
from tests.factories.small_edition import SLUG, add_people, write_edition

NOTE = WrittenNote(
    own=NoteDraft(was="Sixty teachers met", right="Eighty teachers met"),
    translations={"zh": NoteDraft(was="六十名", right="八十名")},
)


@pytest.fixture
def engine(workspace: Workspace, now: datetime) -> Iterator[Engine]:
    """The database of a workspace that has sent its edition."""
    write_edition(workspace.editions)
    engine = workspace.open_database()
    add_people(engine)
    number = launch(engine, workspace, make_plan(workspace, engine, now), now=now)
    set_deliveries(engine, number, state=DeliveryState.sent)
    yield engine
    engine.dispose()


def prepare(workspace: Workspace, engine: Engine, now: datetime) -> tuple[NotePlace, str]:
    place = create_note(workspace, SLUG, "teachers", NOTE)
    planned = plan_correction(workspace, engine, SLUG, "teachers", place.find_file(workspace), now=now)
    with Session(engine) as session:
        prepared = prepare_correction(session, planned, member_id=None, now=now)
        session.commit()
    return place, prepared.edition


def test_a_correction_is_compiled_in_each_of_its_languages_until_its_note_changes(
    workspace: Workspace, engine: Engine, now: datetime
) -> None:
    place, name = prepare(workspace, engine, now)
    compiler = CompilerCache(workspace, clock=lambda: now).compiler(name)
    compiled = compiler.compile()
    assert set(compiled.mails) == {"en", "zh"}
    assert compiled.errors == 0
    assert "Eighty teachers met" in compiled.mails["en"].html
    assert compiler.compile() is compiled
    write_note(workspace, place, WrittenNote(own=NoteDraft(was="Sixty", right="Nobody")))
    changed = compiler.compile()
    assert (changed.mails, changed.errors) == ({}, 1)
    assert "corrections/" in changed.problems[0].message


def test_a_correction_that_nobody_has_written_is_a_problem(
    workspace: Workspace, engine: Engine, now: datetime
) -> None:
    compiled = CompilerCache(workspace, clock=lambda: now).compiler(f"{SLUG}~correction-9").compile()
    assert (compiled.mails, compiled.errors) == ({}, 1)
