"""Saved segments, which can use each other but never themselves."""

from datetime import datetime, timedelta

import pytest
from sqlmodel import Session

from subscribers.errors import SegmentError
from subscribers.segments.lookups import Lookups
from subscribers.segments.saved_segments import (
    SavedSegmentError,
    SavedSegmentStore,
    delete_segment,
    find_saved_segment,
    list_saved_segments,
    save_segment,
)
from subscribers.segments.segment import Segment, parse_segment

SECTORS = ("education", "culture")


class Shelf:
    """The saved segments of one session."""

    def __init__(self, session: Session, now: datetime) -> None:
        self.connection = session.connection()
        self.known = Lookups(sectors=SECTORS, saved=SavedSegmentStore(self.connection))
        self.now = now

    def save(self, name: str, text: str) -> None:
        save_segment(self.connection, name, text, self.known, now=self.now)

    def parse(self, text: str) -> Segment:
        return parse_segment(text, sectors=SECTORS, saved=self.known.saved)


@pytest.fixture
def shelf(session: Session, now: datetime) -> Shelf:
    return Shelf(session, now)


def test_a_saved_segment_is_used_by_its_name_and_written_out(shelf: Shelf) -> None:
    shelf.save("East", "country:MN or country:CN")
    shelf.save("teachers", "sector:education")
    assert shelf.parse("segment:east").text == "country:MN or country:CN"
    assert shelf.parse("-SEGMENT：EAST tag:press").text == "-(country:MN or country:CN) tag:press"
    assert shelf.parse("segment:east,teachers").text == "country:MN or country:CN or sector:education"
    assert shelf.parse("segment:east segment:teachers").text == "(country:MN or country:CN) sector:education"


def test_a_later_change_of_a_name_does_not_change_what_was_written_out(shelf: Shelf) -> None:
    shelf.save("east", "country:MN")
    planned = shelf.parse("segment:east")
    shelf.save("east", "country:JP")
    assert planned.text == "country:MN"
    assert shelf.parse(planned.text) == planned
    assert shelf.parse("segment:east").text == "country:JP"


def test_saving_again_returns_the_old_segment_and_keeps_created_at(shelf: Shelf) -> None:
    assert save_segment(shelf.connection, "east", "country:MN", shelf.known, now=shelf.now) is None
    later = shelf.now + timedelta(days=1)
    before = save_segment(shelf.connection, "EAST", " country:JP ", shelf.known, now=later)
    assert before is not None
    assert before.text == "country:MN"
    after = find_saved_segment(shelf.connection, "east")
    assert (after.text, after.created_at, after.updated_at) == ("country:JP", shelf.now, later)
    assert [saved.name for saved in list_saved_segments(shelf.connection)] == ["east"]


def test_saving_the_same_again_changes_nothing(shelf: Shelf) -> None:
    shelf.save("east", "country:MN")
    save_segment(shelf.connection, "east", "country:MN", shelf.known, now=shelf.now + timedelta(days=1))
    assert find_saved_segment(shelf.connection, "east").updated_at == shelf.now


def test_no_segment_can_lead_back_to_itself(shelf: Shelf) -> None:
    shelf.save("a", "tag:x")
    shelf.save("b", "segment:a or tag:y")
    shelf.save("c", "-segment:b")
    for name, text, way in (
        ("a", "segment:a", "a → a"),
        ("a", "tag:z (tag:y segment:c)", "a → c → b → a"),
        ("b", "segment:c", "b → c → b"),
    ):
        with pytest.raises(SegmentError, match=f"refers to itself: {way}"):
            shelf.save(name, text)
    assert shelf.parse("segment:c").text == "-(tag:x or tag:y)"


def grow(shelf: Shelf, text: str) -> None:
    """Save segments that are each made of the one before."""
    for number in range(1, 25):
        shelf.save(f"s{number}", text.replace("last", f"s{number - 1}"))


def test_segments_that_would_grow_without_end_are_refused(shelf: Shelf) -> None:
    shelf.save("s0", "tag:abcdefgh,ijklmnop or tag:qrstuvwx")
    with pytest.raises(SegmentError, match=r"longer than 4000 characters|600 values"):
        grow(shelf, "(segment:last tag:x) or (segment:last tag:y)")


def test_segments_may_not_lead_to_each_other_without_end(shelf: Shelf) -> None:
    shelf.save("s0", "tag:x")
    with pytest.raises(SegmentError, match="refer to each other at most 20 deep"):
        grow(shelf, "segment:last")


@pytest.mark.parametrize("name", ["", "-x", "a b", "a,b", "a:b", "a(b)", 'a"b', ".x", "x" * 65])
def test_invalid_names_are_refused(shelf: Shelf, name: str) -> None:
    with pytest.raises(SavedSegmentError, match=r"is not a valid name\. Use at most 64 letters"):
        shelf.save(name, "tag:x")


@pytest.mark.parametrize("name", ["east-asia", "2021", "蒙古", "монгол", "a.b_c"])
def test_names_of_any_script_are_found_again(shelf: Shelf, name: str) -> None:
    shelf.save(name, "tag:x")
    assert shelf.parse(f"segment:{name.upper()}").text == "tag:x"


def test_all_and_invalid_segments_cannot_be_saved(shelf: Shelf) -> None:
    with pytest.raises(SavedSegmentError, match="already means everyone"):
        shelf.save("everyone", " ALL ")
    with pytest.raises(SegmentError, match="no sector"):
        shelf.save("wrong", "sector:eduction")
    assert list_saved_segments(shelf.connection) == []


def test_an_unknown_name_is_refused_with_a_suggestion(shelf: Shelf) -> None:
    with pytest.raises(SegmentError, match=r'saved as "east". None has been saved yet'):
        shelf.parse("segment:east")
    shelf.save("east-asia", "country:MN")
    with pytest.raises(SegmentError, match=r'saved as "eastasia". Did you mean east-asia. Choose from: east'):
        shelf.parse("segment:eastasia")
    with pytest.raises(SavedSegmentError, match=r'saved as "eastasia". Did you mean east-asia'):
        find_saved_segment(shelf.connection, "eastasia")


def test_a_saved_segment_that_cannot_be_read_any_more_is_named(shelf: Shelf, session: Session) -> None:
    shelf.save("teachers", "sector:education")
    renamed = Lookups(sectors=("learning",), saved=SavedSegmentStore(session.connection()))
    reason = r'saved segment "teachers": There is no sector "education"'
    with pytest.raises(SegmentError, match=reason) as caught:
        parse_segment("tag:x segment:teachers", sectors=renamed.sectors, saved=renamed.saved)
    assert caught.value.text == "sector:education"


def test_a_segment_others_are_made_of_is_not_deleted(shelf: Shelf) -> None:
    shelf.save("a", "tag:x")
    shelf.save("b", "segment:a sector:education")
    for sectors in (SECTORS, ("learning",)):  # also when b cannot be read any more
        known = Lookups(sectors=sectors, saved=shelf.known.saved)
        with pytest.raises(SavedSegmentError, match='"a" is used in b'):
            delete_segment(shelf.connection, "a", known)
    assert delete_segment(shelf.connection, "b", shelf.known).text == "segment:a sector:education"
    assert delete_segment(shelf.connection, "A", shelf.known).name == "a"
    assert list_saved_segments(shelf.connection) == []


class Rival(SavedSegmentStore):
    """Somebody who saves the same name while our text is being read."""

    def __init__(self, shelf: Shelf) -> None:
        super().__init__(shelf.connection)
        self.shelf = shelf

    def find(self, name: str) -> str | None:
        self.shelf.save("east", "country:JP")
        return super().find(name)


def test_two_who_save_the_same_name_at_once_do_not_overwrite_each_other(shelf: Shelf) -> None:
    shelf.save("a", "tag:x")
    known = Lookups(sectors=SECTORS, saved=Rival(shelf))
    with pytest.raises(SavedSegmentError, match='Someone else has just saved "east"'):
        save_segment(shelf.connection, "east", "segment:a", known, now=shelf.now)
