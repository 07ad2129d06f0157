"""Settling a conflict: every word is in the file or in the history afterwards."""

import pytest
from sqlmodel import Session

from editions.text_diff.merge import MergeChoice, list_conflicts
from mailer.database.edition_models import RevisionKind, UnsavedReason
from mailer.revisions.conflict_settlement import (
    OpenConflict,
    find_conflict,
    keep_merged,
    put_back,
    set_aside,
)
from mailer.revisions.edition_file import EditionFile, FilePlace
from mailer.revisions.edition_save import Conflict
from mailer.revisions.history import list_history, read_text
from mailer.revisions.unsaved_texts import list_unsaved
from mailer.team.members import Member
from tests.revisions.conftest import BEFORE, EDITION, STORY, TRANSLATION, Desk

MINE = BEFORE.replace("first", "my first").replace("Water", "Rivers")
THEIRS = BEFORE.replace("second", "their second").replace("Water", "Seas")


def make_conflict(desk: Desk, ann: Member, ben: Member) -> OpenConflict:
    base = desk.read().digest
    desk.must_save(ben, THEIRS)
    return open_again(desk, desk.must_conflict(ann, MINE, base=base).number)


def open_again(desk: Desk, number: int | None) -> OpenConflict:
    with Session(desk.engine) as session:
        conflict = find_conflict(desk.workspace, session, EDITION, number or 0)
    assert conflict is not None
    return conflict


def keep(desk: Desk, conflict: OpenConflict, member: Member, choice: MergeChoice) -> EditionFile | Conflict:
    choices = dict.fromkeys(list_conflicts(conflict.parts), choice)
    with Session(desk.engine) as session:
        done = keep_merged(desk.workspace, session, conflict, choices, member=member, now=desk.now)
        session.commit()
        return done


def list_kept(desk: Desk) -> list[tuple[RevisionKind, str, str]]:
    with Session(desk.engine) as session:
        entries = list_history(session, EDITION, FilePlace(story="water"))
        return [(entry.kind, entry.who, read_text(session, EDITION, entry)) for entry in entries]


@pytest.mark.usefixtures("either_workspace")
def test_the_merged_text_is_saved_and_both_are_in_the_history(desk: Desk, ann: Member, ben: Member) -> None:
    conflict = make_conflict(desk, ann, ben)
    assert isinstance(keep(desk, conflict, ann, MergeChoice.theirs), EditionFile)
    merged = THEIRS.replace("first", "my first")
    assert desk.read().text == merged
    assert list_kept(desk) == [
        (RevisionKind.set_aside, "Ann Author", MINE),
        (RevisionKind.merged, "Ann Author", merged),
        (RevisionKind.written, "Ben Author", THEIRS),
        (RevisionKind.found, "", BEFORE),
    ]
    with Session(desk.engine) as session:
        assert list_unsaved(session, EDITION) == []


def test_what_was_set_aside_is_never_taken_for_the_file(desk: Desk, ann: Member, ben: Member) -> None:
    conflict = make_conflict(desk, ann, ben)
    with Session(desk.engine) as session:
        set_aside(session, conflict.unsaved, now=desk.now)
        session.commit()
    assert desk.read().text == THEIRS
    desk.must_save(ben, f"{THEIRS}More.\n", sitting="later")
    kinds = [kind for kind, _, _ in list_kept(desk)]
    assert kinds == [RevisionKind.written, RevisionKind.set_aside, RevisionKind.written, RevisionKind.found]


@pytest.mark.parametrize("is_kept", [True, False])
def test_what_its_page_sends_while_a_text_is_settled_is_not_lost(
    desk: Desk, ann: Member, ben: Member, is_kept: bool
) -> None:
    base, longer = desk.read().digest, f"{MINE}And more.\n"
    conflict = make_conflict(desk, ann, ben)
    assert desk.must_conflict(ann, longer, base=base).number == conflict.unsaved.id
    if is_kept:
        assert isinstance(keep(desk, conflict, ann, MergeChoice.mine), EditionFile)
    else:
        with Session(desk.engine) as session:
            set_aside(session, conflict.unsaved, now=desk.now)
            session.commit()
    with Session(desk.engine) as session:
        assert [one.mine for one, _ in list_unsaved(session, EDITION)] == [longer]


def test_a_file_that_changes_while_one_chooses_is_not_overwritten(
    desk: Desk, ann: Member, ben: Member
) -> None:
    conflict = make_conflict(desk, ann, ben)
    desk.write_outside(f"{THEIRS}\nAt the last moment.\n")
    done = keep(desk, conflict, ann, MergeChoice.mine)
    assert isinstance(done, Conflict)
    assert done.reason is UnsavedReason.changed
    assert desk.read().text == f"{THEIRS}\nAt the last moment.\n"
    with Session(desk.engine) as session:
        assert [one.id for one, _ in list_unsaved(session, EDITION)] == [conflict.unsaved.id]
    again = open_again(desk, conflict.unsaved.id)
    assert isinstance(keep(desk, again, ann, MergeChoice.mine), EditionFile)
    assert desk.read().text.endswith("\nAt the last moment.\n")
    assert "Rivers" in desk.read().text


def test_a_colleague_can_settle_it_and_the_words_stay_their_authors(
    desk: Desk, ann: Member, ben: Member
) -> None:
    conflict = make_conflict(desk, ann, ben)
    keep(desk, conflict, ben, MergeChoice.theirs)
    assert list_kept(desk)[0] == (RevisionKind.set_aside, "Ann Author", MINE)


def test_what_could_not_be_written_is_tried_again_as_it_was(desk: Desk, ann: Member) -> None:
    (desk.folder / STORY).chmod(0o444)
    conflict = desk.must_conflict(ann, MINE, base=desk.read().digest)
    opened = open_again(desk, conflict.number)
    assert isinstance(keep(desk, opened, ann, MergeChoice.mine), Conflict)
    (desk.folder / STORY).chmod(0o644)
    assert isinstance(keep(desk, open_again(desk, conflict.number), ann, MergeChoice.mine), EditionFile)
    assert desk.read().text == MINE
    assert RevisionKind.set_aside not in [kind for kind, _, _ in list_kept(desk)]


def test_a_file_that_nobody_can_read_is_said_and_not_replaced(desk: Desk, ann: Member, ben: Member) -> None:
    conflict = make_conflict(desk, ann, ben)
    (desk.folder / STORY).write_bytes(b"\xff\xfe")
    opened = open_again(desk, conflict.unsaved.id)
    assert opened.theirs is None
    assert "is not UTF-8" in str(opened.problem)
    assert isinstance(keep(desk, opened, ann, MergeChoice.mine), Conflict)
    assert (desk.folder / STORY).read_bytes() == b"\xff\xfe"


def put_back_again(desk: Desk, conflict: OpenConflict, member: Member) -> Conflict | None:
    with Session(desk.engine) as session:
        done = put_back(desk.workspace, session, conflict, member=member, now=desk.now)
        session.commit()
        return done


def list_numbers(desk: Desk) -> list[int | None]:
    with Session(desk.engine) as session:
        return [one.id for one, _ in list_unsaved(session, EDITION)]


def test_a_text_whose_story_was_removed_brings_it_back(desk: Desk, ann: Member, ben: Member) -> None:
    conflict = make_conflict(desk, ann, ben)
    for name in (STORY, TRANSLATION):
        (desk.folder / name).unlink()
    assert put_back_again(desk, conflict, ann) is None
    assert desk.read().text == MINE
    assert list_numbers(desk) == []


def test_a_translation_alone_is_put_back_beside_its_story(desk: Desk, ann: Member) -> None:
    text = desk.read(TRANSLATION).text
    desk.write_outside(f"{text}\n外面。\n", TRANSLATION)
    number = desk.must_conflict(ann, f"{text}\n我的。\n", base="0" * 12, name=TRANSLATION).number
    (desk.folder / TRANSLATION).unlink()
    assert put_back_again(desk, open_again(desk, number), ann) is None
    assert desk.read(TRANSLATION).text == f"{text}\n我的。\n"
    assert desk.read().text == BEFORE


def test_a_translation_that_is_there_again_is_not_overwritten(desk: Desk, ann: Member) -> None:
    number = desk.must_conflict(ann, "我的。\n", base="0" * 12, name=TRANSLATION).number
    before = desk.read(TRANSLATION).text
    assert isinstance(put_back_again(desk, open_again(desk, number), ann), Conflict)
    assert desk.read(TRANSLATION).text == before
    assert list_numbers(desk) == [number]
