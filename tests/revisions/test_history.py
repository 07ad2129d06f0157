"""The history: one sitting is one entry, changes from outside are noticed, any text can be had again."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event
from sqlmodel import Session

from mailer.database.edition_models import RevisionKind
from mailer.revisions.edition_file import FilePlace, digest_text, lock_edition
from mailer.revisions.history import (
    RevisionEntry,
    find_entry,
    find_entry_before,
    find_latest,
    list_edition_history,
    list_history,
    read_text,
    record_change,
    record_outside_change,
)
from mailer.team.members import Member
from tests.revisions.conftest import BEFORE, EDITION, STORY, TRANSLATION, Desk

WATER = FilePlace(story="water")


def list_entries(desk: Desk, place: FilePlace = WATER) -> list[RevisionEntry]:
    with Session(desk.engine) as session:
        return list_history(session, EDITION, place)


def read_entry(desk: Desk, entry: RevisionEntry) -> str:
    with Session(desk.engine) as session:
        return read_text(session, EDITION, entry)


@pytest.mark.usefixtures("either_workspace")
def test_a_sitting_is_one_entry_however_often_it_saves(desk: Desk, ann: Member) -> None:
    began = desk.now
    for count in range(1, 30):
        desk.must_save(ann, f"{BEFORE}\n" + "word " * count, sequence=count)
        desk.pass_time(minutes=20)
    written, found = list_entries(desk)
    assert (written.kind, written.who, written.revision.began_at) == (
        RevisionKind.written,
        "Ann Author",
        began,
    )
    assert written.revision.ended_at == began + timedelta(minutes=20 * 28)
    assert (written.file.words_added, written.file.words_removed) == (29, 0)
    assert read_entry(desk, written) == f"{BEFORE}\n" + "word " * 29
    assert (found.kind, found.who, read_entry(desk, found)) == (RevisionKind.found, "", BEFORE)


def test_a_long_pause_another_page_or_another_person_begins_a_new_entry(
    desk: Desk, ann: Member, ben: Member
) -> None:
    desk.must_save(ann, f"{BEFORE}1")
    desk.pass_time(minutes=31)
    desk.must_save(ann, f"{BEFORE}2")
    desk.must_save(ann, f"{BEFORE}3", sitting="another page")
    desk.must_save(ben, f"{BEFORE}4", sitting="another page")
    desk.must_save(ann, f"{BEFORE}5", sitting="another page")
    texts = [read_entry(desk, entry).removeprefix(BEFORE) for entry in list_entries(desk)]
    assert texts == ["5", "4", "3", "2", "1", ""]


def test_entries_keep_their_order_when_the_clock_jumps(desk: Desk, ann: Member) -> None:
    desk.must_save(ann, f"{BEFORE}1")
    for days in (-400, 800, -3):
        desk.pass_time(days=days)
        desk.must_save(ann, f"{BEFORE}{days}")
    texts = [read_entry(desk, entry).removeprefix(BEFORE) for entry in list_entries(desk)]
    assert texts == ["-3", "800", "-400", "1", ""]


def test_a_change_outside_is_entered_once(desk: Desk, ann: Member, now: datetime) -> None:
    desk.must_save(ann, f"{BEFORE}1")
    desk.write_outside(f"{BEFORE}from Git")
    for expected in (True, False):
        with Session(desk.engine) as session, lock_edition(desk.workspace, session, EDITION):
            assert record_outside_change(session, EDITION, desk.read(), now=now) is expected
            session.commit()
    outside = list_entries(desk)[0]
    assert (outside.kind, outside.who, read_entry(desk, outside)) == (
        RevisionKind.outside,
        "",
        f"{BEFORE}from Git",
    )


def test_a_story_keeps_its_history_when_it_is_moved(desk: Desk, ann: Member, now: datetime) -> None:
    desk.must_save(ann, f"{BEFORE}1")
    moved = "stories/035-water.md"
    (desk.folder / STORY).rename(desk.folder / moved)
    with Session(desk.engine) as session, lock_edition(desk.workspace, session, EDITION):
        files = {moved: f"{BEFORE}1"}
        record_change(session, EDITION, RevisionKind.moved, files, ann.id, now=now)
        session.commit()
    desk.must_save(ann, f"{BEFORE}2", name=moved, sitting="later")
    assert [(entry.kind, entry.file.name, entry.file.words_added) for entry in list_entries(desk)] == [
        (RevisionKind.written, moved, 1),
        (RevisionKind.moved, moved, 0),
        (RevisionKind.written, STORY, 1),
        (RevisionKind.found, STORY, 8),
    ]


@pytest.mark.usefixtures("either_workspace")
def test_a_change_of_several_files_is_one_entry_of_the_edition(
    desk: Desk, ann: Member, now: datetime
) -> None:
    names = (STORY, TRANSLATION, "edition.md")
    with Session(desk.engine) as session, lock_edition(desk.workspace, session, EDITION):
        files = {name: desk.read(name).text for name in names}
        record_change(session, EDITION, RevisionKind.imported, files, ann.id, now=now)
        session.commit()
    desk.must_save(ann, f"{BEFORE}2")
    with Session(desk.engine) as session:
        groups = list_edition_history(session, EDITION)
        assert [[entry.file.name for entry in group] for group in groups] == [
            [STORY],
            ["edition.md", STORY, TRANSLATION],
        ]
        older = list_edition_history(session, EDITION, before=groups[0][0].revision.id)
        assert [len(group) for group in older] == [3]
        assert list_edition_history(session, "another") == []


def test_entries_are_paged_and_found_only_where_they_belong(desk: Desk, ann: Member) -> None:
    for count in range(5):
        desk.must_save(ann, f"{BEFORE}{count}", sitting=str(count))
    with Session(desk.engine) as session:
        first = list_history(session, EDITION, WATER, limit=4)
        rest = list_history(session, EDITION, WATER, before=first[-1].number, limit=4)
        assert [len(first), len(rest)] == [4, 2]
        assert find_entry(session, EDITION, WATER, first[0].number) == first[0]
        assert find_entry(session, EDITION, FilePlace(story="air"), first[0].number) is None
        assert find_entry(session, "another", WATER, first[0].number) is None
        assert find_entry_before(session, EDITION, first[0]) == first[1]
        assert find_entry_before(session, EDITION, rest[-1]) is None


def test_an_entry_has_the_text_it_ended_with_under_its_digest(desk: Desk, ann: Member) -> None:
    desk.must_save(ann, "one\r\ntwo")
    entry = list_entries(desk)[0]
    assert entry.file.digest == digest_text("one\ntwo") == digest_text(read_entry(desk, entry))


def test_the_latest_entry_of_a_text_is_found_by_the_index(desk: Desk) -> None:
    asked: list[tuple[str, Any]] = []
    event.listen(desk.engine, "before_cursor_execute", lambda *given: asked.append((given[2], given[3])))
    with Session(desk.engine) as session:
        find_latest(session, EDITION, WATER)
        statement, values = asked[-1]
        plan = session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
        steps = [row[3] for row in plan]
    assert "(edition=? AND story=? AND language=?)" in steps[0], steps
    assert not [step for step in steps if "ORDER BY" in step]
