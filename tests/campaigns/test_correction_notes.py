"""Notes of corrections in the workspace: written and read again, and planned as campaigns by name."""

from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine
from sqlmodel import Session

from editions.correction_note import inspect_note
from editions.unsafe_characters import remove_unsafe_characters
from mailer.campaigns.correction_notes import (
    NoteDraft,
    NoteMissingError,
    NotePlace,
    WrittenNote,
    create_note,
    delete_note,
    list_notes,
    read_note,
    write_note,
)
from mailer.campaigns.correction_plan import plan_correction
from mailer.campaigns.launch import launch_or_continue
from mailer.campaigns.launch_options import LaunchOptions
from mailer.campaigns.named_plan import plan_prepared_campaign, prepare_correction
from mailer.campaigns.preparation.preparation_store import read_preparation
from mailer.workspace import Workspace, open_workspace, write_keys
from tests.campaigns.test_corrections import STORY, run, send_edition
from tests.conftest import SETTINGS
from tests.factories.correction_notes import RIGHT, WAS
from tests.factories.small_edition import SLUG

PLACE_OF_ANY = NotePlace(edition="any", story="any", number=1)
NOTE = WrittenNote(
    own=NoteDraft(was=WAS, right=RIGHT, explanation="We are *sorry*."),
    translations={"zh": NoteDraft(was="六十名教师参加了会面。", right="八十名教师参加了会面。")},
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A workspace without a database, which the notes need none of."""
    root = tmp_path_factory.mktemp("notes")
    (root / "mailer.toml").write_text(SETTINGS, encoding="utf-8")
    write_keys(root / "keys.toml")
    workspace = open_workspace(root, environ={})
    PLACE_OF_ANY.find_file(workspace).parent.mkdir(parents=True)
    return workspace


def is_one_line(text: str) -> bool:
    return bool(text.strip()) and text == remove_unsafe_characters(text) and len(text.splitlines()) == 1


lines = st.text(min_size=1, max_size=60).map(lambda text: " ".join(text.split())).filter(is_one_line)


# Each example is written to the disk, which may take long.
@settings(max_examples=40, deadline=None)
@given(was=lines, right=lines)
def test_what_is_written_in_a_form_is_what_the_note_says(folder: Workspace, was: str, right: str) -> None:
    note = WrittenNote(own=NoteDraft(was=was, right=right, explanation="So it is."))
    write_note(folder, PLACE_OF_ANY, note)
    assert read_note(folder, PLACE_OF_ANY) == note
    found = inspect_note(PLACE_OF_ANY.find_file(folder), language="en").note
    assert found is not None
    assert (found.own_text.was, found.own_text.right) == (was, right)


def test_each_new_note_has_the_next_number_and_a_translation_that_is_emptied_goes(folder: Workspace) -> None:
    other = WrittenNote(own=NoteDraft(was=WAS, right="Ninety."), translations=NOTE.translations)
    first, second = (create_note(folder, SLUG, "numbered", note) for note in (other, NOTE))
    assert (first.number, second.number) == (1, 2)
    assert create_note(folder, SLUG, "numbered", NOTE) == second, "a second click"
    assert list_notes(folder, SLUG, "numbered") == [first, second]
    assert read_note(folder, second) == NOTE
    assert second.find_file(folder).stat().st_mode & 0o777 == 0o600
    write_note(folder, second, WrittenNote(own=NOTE.own, translations={"zh": NoteDraft()}))
    assert read_note(folder, second).translations == {}
    assert read_note(folder, first) == other
    delete_note(folder, first)
    delete_note(folder, first)
    assert list_notes(folder, SLUG, "numbered") == [second]
    assert sorted(path.name for path in second.find_file(folder).parent.iterdir()) == ["2.md"]


def test_a_note_that_cannot_be_written_leaves_nothing(folder: Workspace) -> None:
    (folder.root / "corrections" / "blocked").write_bytes(b"")
    with pytest.raises(OSError, match=r"directory|exists"):
        create_note(folder, "blocked", "story", NOTE)
    for name in ("..", ".", "a/b", "", ".hidden", "a\0b"):
        with pytest.raises(NoteMissingError):
            create_note(folder, name, "story", NOTE)
        with pytest.raises(NoteMissingError):
            create_note(folder, SLUG, name, NOTE)


def test_a_prepared_correction_is_planned_and_launched_as_the_campaign_it_is(
    campaign_workspace: Workspace, campaign_engine: Engine, now: datetime
) -> None:
    workspace, engine = campaign_workspace, campaign_engine
    send_edition(workspace, engine, now)
    place = create_note(workspace, SLUG, STORY, NOTE)
    planned = plan_correction(workspace, engine, SLUG, STORY, place.find_file(workspace), now=now)
    with Session(engine) as session:
        prepared = prepare_correction(session, planned, member_id=None, now=now)
        again = prepare_correction(session, planned, member_id=None, now=now)
        session.commit()
    assert again.campaign_id == prepared.campaign_id
    assert (prepared.decisions.segment, prepared.decisions.archived) == (f"got:{SLUG}/{STORY}", False)
    plan = plan_prepared_campaign(workspace, engine, prepared, now=now)
    assert (plan.digest, plan.audience) == (planned.plan.digest, planned.plan.audience)
    options = LaunchOptions(archived=False)
    launched = launch_or_continue(engine, workspace, plan, options=options, now=now)
    assert launched.campaign_id == prepared.campaign_id
    messages = run(workspace, launched.campaign_id)
    assert len(messages) == plan.audience > 0
    assert all(RIGHT in message or "八十名" in message for message in messages.values())


def test_a_note_that_says_something_else_now_is_not_sent_in_place_of_what_was_prepared(
    campaign_workspace: Workspace, campaign_engine: Engine, now: datetime
) -> None:
    workspace, engine = campaign_workspace, campaign_engine
    send_edition(workspace, engine, now)
    place = create_note(workspace, SLUG, STORY, NOTE)
    planned = plan_correction(workspace, engine, SLUG, STORY, place.find_file(workspace), now=now)
    with Session(engine) as session:
        number = prepare_correction(session, planned, member_id=None, now=now).campaign_id
        session.commit()
    changed = WrittenNote(own=NoteDraft(was=WAS, right="Nobody met."))
    for spoil in (lambda: write_note(workspace, place, changed), lambda: delete_note(workspace, place)):
        spoil()
        with Session(engine) as session:
            prepared = read_preparation(session, number)
        assert prepared is not None
        with pytest.raises(NoteMissingError, match="corrections/"):
            plan_prepared_campaign(workspace, engine, prepared, now=now)
