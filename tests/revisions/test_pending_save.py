"""Whoever saves and is killed between the file and its entry in the history has the entry all the same."""

import pytest
from sqlmodel import Session, select

from mailer.activity.acts import Act
from mailer.database.edition_models import RevisionKind
from mailer.database.team_models import ActivityRecord, TeamMember
from mailer.revisions import edition_save
from mailer.revisions.edition_file import FilePlace, find_lock_folder
from mailer.revisions.edition_save import Conflict, record_pending_saves
from mailer.revisions.history import list_history, read_text
from mailer.team.members import Member
from tests.revisions.conftest import BEFORE, EDITION, STORY, TRANSLATION, Desk

FIRST, SECOND, THIRD = (f"{BEFORE}{word}.\n" for word in ("First", "Second", "Third"))


def interrupt_save(
    desk: Desk,
    member: Member,
    text: str,
    monkeypatch: pytest.MonkeyPatch,
    *,
    at: str = "record_sitting",
    is_logged: bool = False,
) -> None:
    """Save as if killed at one moment: the exception ends the transaction without a commit."""

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as planted:
        planted.setattr(edition_save, at, stop)
        with pytest.raises(KeyboardInterrupt):
            desk.must_save(member, text, is_logged=is_logged)


def list_entries(desk: Desk, language: str = "") -> list[tuple[RevisionKind, str, str]]:
    """Kind, author and text of the entries, the newest first."""
    with Session(desk.engine) as session:
        entries = list_history(session, EDITION, FilePlace(story="water", language=language))
        return [(entry.kind, entry.who, read_text(session, EDITION, entry)) for entry in entries]


def enter_all(desk: Desk) -> int:
    """As Studio does when it starts."""
    return record_pending_saves(desk.workspace, desk.engine)


def list_lines(desk: Desk) -> list[tuple[str, str, str, str]]:
    """The lines of the log: who, what, and of which file."""
    with Session(desk.engine) as session:
        lines = session.exec(select(ActivityRecord).order_by(ActivityRecord.id))  # type: ignore[arg-type]
        return [(line.name, line.act, line.edition, line.subject) for line in lines]


def test_a_sitting_is_one_line_of_the_log_and_other_acts_one_each(desk: Desk, ann: Member) -> None:
    acts = (Act.wrote_text, Act.confirmed_translation)
    for text in (FIRST, SECOND, SECOND):
        desk.must_save(ann, text, is_logged=True, is_confirmed=True)
    wrote, confirmed = ((ann.name, act.value, EDITION, STORY) for act in acts)
    assert list_lines(desk) == [wrote, confirmed, confirmed, confirmed]
    assert isinstance(
        desk.save(ann, THIRD, base="0", sitting="another", is_logged=True, is_confirmed=True), Conflict
    )
    assert len(list_lines(desk)) == 4


@pytest.mark.parametrize("does_start", [True, False])
def test_the_line_of_an_interrupted_save_comes_with_its_entry(
    desk: Desk, ann: Member, ben: Member, monkeypatch: pytest.MonkeyPatch, does_start: bool
) -> None:
    interrupt_save(desk, ann, FIRST, monkeypatch, is_logged=True)
    assert list_lines(desk) == []
    if does_start:
        enter_all(desk)
    desk.must_save(ben, SECOND, is_logged=True)
    assert list_lines(desk) == [(member.name, Act.wrote_text.value, EDITION, STORY) for member in (ann, ben)]


@pytest.mark.usefixtures("either_workspace")
def test_an_interrupted_save_is_entered_when_studio_starts(
    desk: Desk, ann: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.must_save(ann, FIRST, sitting="another")
    interrupt_save(desk, ann, SECOND, monkeypatch)
    assert desk.read().text == SECOND
    assert enter_all(desk) == 1
    assert list_entries(desk)[:2] == [
        (RevisionKind.written, ann.name, SECOND),
        (RevisionKind.written, ann.name, FIRST),
    ]
    assert enter_all(desk) == 0, "once"


def test_an_interrupted_save_is_entered_before_another_person_s(
    desk: Desk, ann: Member, ben: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupt_save(desk, ann, FIRST, monkeypatch)
    desk.must_save(ben, SECOND)
    kinds = [(kind, who) for kind, who, _ in list_entries(desk)]
    assert kinds == [
        (RevisionKind.written, ben.name),
        (RevisionKind.written, ann.name),
        (RevisionKind.found, ""),
    ]


def test_what_somebody_did_who_has_left_since_is_theirs(
    desk: Desk, ann: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupt_save(desk, ann, FIRST, monkeypatch, is_logged=True)
    with Session(desk.engine) as session:
        row = session.get(TeamMember, ann.id)
        assert row is not None
        row.removed_at = desk.now
        session.add(row)
        session.commit()
    assert enter_all(desk) == 1
    assert list_entries(desk)[0] == (RevisionKind.written, ann.name, FIRST)
    assert list_lines(desk) == [(ann.name, Act.wrote_text.value, EDITION, STORY)]


def test_a_sitting_that_was_interrupted_goes_on_in_its_entry(
    desk: Desk, ann: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.must_save(ann, FIRST)
    interrupt_save(desk, ann, SECOND, monkeypatch)
    desk.must_save(ann, THIRD)
    assert [(kind, text) for kind, _, text in list_entries(desk)] == [
        (RevisionKind.written, THIRD),
        (RevisionKind.found, BEFORE),
    ]


def test_a_save_that_never_came_to_the_file_is_not_entered(
    desk: Desk, ann: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupt_save(desk, ann, FIRST, monkeypatch, at="replace_file")
    assert enter_all(desk) == 0
    assert [kind for kind, _, _ in list_entries(desk)] == [RevisionKind.found]


def test_what_is_done_by_hand_later_is_nobody_s(
    desk: Desk, ann: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.must_save(ann, FIRST)
    desk.write_outside(SECOND)
    assert enter_all(desk) == 0
    desk.must_save(ann, THIRD)
    desk.write_outside(FIRST)
    assert enter_all(desk) == 0
    # As it was saved, and entered, before: that somebody brings it back by hand is another matter.
    desk.write_outside(THIRD)
    assert enter_all(desk) == 0
    interrupt_save(desk, ann, FIRST, monkeypatch)
    desk.write_outside(SECOND)
    desk.must_save(ann, THIRD)
    assert list_entries(desk)[1][0] is RevisionKind.outside


def test_a_new_translation_that_was_interrupted_has_its_author(
    desk: Desk, ann: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    (desk.folder / TRANSLATION).unlink()
    with monkeypatch.context() as planted:
        planted.setattr(edition_save, "record_sitting", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            desk.save(ann, "水\n", base="", name=TRANSLATION)
    assert enter_all(desk) == 1
    assert list_entries(desk, "zh") == [(RevisionKind.written, ann.name, "水\n")]


def test_a_note_that_cannot_be_read_or_written_holds_nobody_up(desk: Desk, ann: Member) -> None:
    desk.must_save(ann, FIRST)
    (note,) = find_lock_folder(desk.workspace).glob("*.save")
    for data in (b"", b"{", b"[1]", b'{"latest": 3}', b"\xff"):
        note.write_bytes(data)
        assert enter_all(desk) == 0
    note.unlink()
    note.mkdir()
    desk.must_save(ann, SECOND)
    assert desk.read(STORY).text == SECOND
