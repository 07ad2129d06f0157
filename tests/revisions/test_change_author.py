"""Who made a part of a text what it is now is found in the history, or is not known."""

from sqlmodel import Session

from mailer.revisions.history import find_change_author
from mailer.team.members import Member
from tests.revisions.conftest import BEFORE, EDITION, Desk


def find_author(desk: Desk, words: str) -> int | None:
    with Session(desk.engine) as session:
        return find_change_author(session, EDITION, desk.read(), lambda text: words in text)


def test_it_is_whoever_wrote_the_part_not_whoever_wrote_last(desk: Desk, ann: Member, ben: Member) -> None:
    desk.must_save(ann, f"{BEFORE}Ann's words.\n")
    desk.must_save(ben, f"{BEFORE}Ann's words.\nBen's words.\n")
    assert find_author(desk, "Ann's words") == ann.id
    assert find_author(desk, "Ben's words") == ben.id


def test_it_is_not_known_what_was_there_before_studio(desk: Desk, ann: Member) -> None:
    assert find_author(desk, "first paragraph") is None
    desk.must_save(ann, f"{BEFORE}Ann's words.\n")
    assert find_author(desk, "first paragraph") is None


def test_it_is_not_known_what_was_done_outside_studio(desk: Desk, ann: Member) -> None:
    desk.must_save(ann, f"{BEFORE}Ann's words.\n")
    desk.write_outside(f"{BEFORE}Ann's words.\nMore.\n")
    assert find_author(desk, "Ann's words") is None, "the history does not have the file as it is"
    desk.must_save(ann, f"{BEFORE}Ann's words.\nMore.\nStill more.\n")
    assert find_author(desk, "More.") is None
    assert find_author(desk, "Still more.") == ann.id
