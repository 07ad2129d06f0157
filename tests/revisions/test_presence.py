"""Who has a story open: others only, gone soon, and never stuck."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlmodel import Session, func, select

from mailer.database.edition_models import StoryPresence
from mailer.revisions.edition_file import FilePlace
from mailer.revisions.presence import end_presence, list_present, list_present_by_place, note_presence
from mailer.team.members import Member
from tests.revisions.conftest import EDITION, Desk

WATER = FilePlace(story="water")


@pytest.fixture
def note(desk: Desk) -> Callable[..., None]:
    def note(member: Member, sitting: str, place: FilePlace = WATER) -> None:
        with Session(desk.engine) as session:
            note_presence(session, EDITION, place, member=member, sitting=sitting, now=desk.now)
            session.commit()

    return note


def look(desk: Desk, member: Member, place: FilePlace = WATER) -> list[str]:
    with Session(desk.engine) as session:
        return list_present(session, EDITION, place, now=desk.now, apart_from=member)


@pytest.mark.usefixtures("either_workspace")
def test_one_sees_others_once_and_never_oneself(
    desk: Desk, ann: Member, ben: Member, note: Callable[..., None]
) -> None:
    for sitting in ("one", "two"):
        note(ann, sitting)
    assert look(desk, ben) == ["Ann Author"]
    assert look(desk, ann) == []
    assert look(desk, ben, FilePlace(story="air")) == []
    with Session(desk.engine) as session:
        assert list_present_by_place(session, "another", now=desk.now, apart_from=ben) == {}


@pytest.mark.usefixtures("either_workspace")
def test_who_closes_the_page_or_falls_silent_is_gone(
    desk: Desk, ann: Member, ben: Member, note: Callable[..., None]
) -> None:
    note(ann, "one")
    with Session(desk.engine) as session:
        end_presence(session, member=ben, sitting="one")
        session.commit()
    assert look(desk, ben) == ["Ann Author"]
    desk.pass_time(seconds=44)
    assert look(desk, ben) == ["Ann Author"]
    desk.pass_time(seconds=2)
    assert look(desk, ben) == []
    note(ann, "one")
    with Session(desk.engine) as session:
        end_presence(session, member=ann, sitting="one")
        session.commit()
    assert look(desk, ben) == []


@pytest.mark.parametrize("step", [timedelta(days=-3000), timedelta(hours=-1), timedelta(days=3000)])
def test_a_clock_that_jumps_leaves_nobody_standing(
    desk: Desk, ann: Member, ben: Member, note: Callable[..., None], step: timedelta
) -> None:
    note(ann, "one")
    desk.now += step
    assert look(desk, ben) == []
    note(ann, "one")
    assert look(desk, ben) == ["Ann Author"]
    desk.pass_time(minutes=1)
    assert look(desk, ben) == []
    note(ben, "two")
    with Session(desk.engine) as session:
        assert session.exec(select(func.count()).select_from(StoryPresence)).one() == 1


def test_a_page_of_somebody_else_cannot_be_taken_over(
    desk: Desk, ann: Member, ben: Member, note: Callable[..., None]
) -> None:
    note(ann, "one")
    note(ben, "one", FilePlace(story="air"))
    assert look(desk, ben) == ["Ann Author"]
