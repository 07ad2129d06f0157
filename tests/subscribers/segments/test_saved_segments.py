"""Saved segments, which can use each other but never themselves."""

from datetime import datetime, timedelta

import pytest
from sqlmodel import Session

from subscribers.errors import SegmentError
from subscribers.segments.saved_segments import (
    SavedSegmentError,
    SavedSegmentStore,
    delete_segment,
    find_saved_segment,
    list_saved_segments,
    rename_segment,
    save_segment,
)
from subscribers.segments.segment import Segment, parse_segment
from subscribers.segments.terms import SegmentLookups

SECTORS = ("education", "culture")


class Store:
    """The saved segments of one session."""

    def __init__(self, session: Session, now: datetime) -> None:
        self.connection = session.connection()
        self.known = SegmentLookups(sectors=SECTORS, saved=SavedSegmentStore(self.connection))
        self.now = now

    def save(self, name: str, text: str) -> None:
        save_segment(self.connection, name, text, self.known, now=self.now)

    def parse(self, text: str) -> Segment:
        return parse_segment(text, sectors=SECTORS, saved=self.known.saved)


@pytest.fixture
def store(session: Session, now: datetime) -> Store:
    return Store(session, now)


def test_a_saved_segment_is_used_by_its_name_and_expanded(store: Store) -> None:
    store.save("East", "country:MN or country:CN")
    store.save("teachers", "sector:education")
    assert store.parse("segment:east").text == "country:MN or country:CN"
    assert store.parse("-SEGMENT：EAST tag:press").text == "-(country:MN or country:CN) tag:press"
    assert store.parse("segment:east,teachers").text == "country:MN or country:CN or sector:education"
    assert store.parse("segment:east segment:teachers").text == "(country:MN or country:CN) sector:education"


def test_changing_a_saved_segment_does_not_change_expanded_ones(store: Store) -> None:
    store.save("east", "country:MN")
    planned = store.parse("segment:east")
    store.save("east", "country:JP")
    assert planned.text == "country:MN"
    assert store.parse(planned.text) == planned
    assert store.parse("segment:east").text == "country:JP"


def test_saving_again_returns_the_old_segment_and_keeps_created_at(store: Store) -> None:
    assert save_segment(store.connection, "east", "country:MN", store.known, now=store.now) is None
    later = store.now + timedelta(days=1)
    before = save_segment(store.connection, "EAST", " country:JP ", store.known, now=later)
    assert before is not None
    assert before.text == "country:MN"
    after = find_saved_segment(store.connection, "east")
    assert (after.text, after.created_at, after.updated_at) == ("country:JP", store.now, later)
    assert [saved.name for saved in list_saved_segments(store.connection)] == ["east"]


def test_saving_the_same_again_changes_nothing(store: Store) -> None:
    store.save("east", "country:MN")
    save_segment(store.connection, "east", "country:MN", store.known, now=store.now + timedelta(days=1))
    assert find_saved_segment(store.connection, "east").updated_at == store.now


def test_no_segment_can_refer_to_itself(store: Store) -> None:
    store.save("a", "tag:x")
    store.save("b", "segment:a or tag:y")
    store.save("c", "-segment:b")
    for name, text, way in (
        ("a", "segment:a", "a → a"),
        ("a", "tag:z (tag:y segment:c)", "a → c → b → a"),
        ("b", "segment:c", "b → c → b"),
    ):
        with pytest.raises(SegmentError, match=f"refers to itself: {way}"):
            store.save(name, text)
    assert store.parse("segment:c").text == "-(tag:x or tag:y)"


def grow(store: Store, text: str) -> None:
    """Save segments that are each made of the one before."""
    for number in range(1, 25):
        store.save(f"s{number}", text.replace("last", f"s{number - 1}"))


def test_segments_that_expand_too_far_are_refused(store: Store) -> None:
    store.save("s0", "tag:abcdefgh,ijklmnop or tag:qrstuvwx")
    with pytest.raises(SegmentError, match=r"longer than 4000 characters|600 values"):
        grow(store, "(segment:last tag:x) or (segment:last tag:y)")


def test_segments_nested_too_deeply_are_refused(store: Store) -> None:
    store.save("s0", "tag:x")
    with pytest.raises(SegmentError, match="refer to each other at most 20 deep"):
        grow(store, "segment:last")


@pytest.mark.parametrize("name", ["", "-x", "a b", "a,b", "a:b", "a(b)", 'a"b', ".x", "x" * 65])
def test_invalid_names_are_refused(store: Store, name: str) -> None:
    with pytest.raises(SavedSegmentError, match=r"is not a valid name\. Use at most 64 letters"):
        store.save(name, "tag:x")


@pytest.mark.parametrize("name", ["east-asia", "2021", "蒙古", "монгол", "a.b_c"])
def test_names_in_any_script_are_found(store: Store, name: str) -> None:
    store.save(name, "tag:x")
    assert store.parse(f"segment:{name.upper()}").text == "tag:x"


def test_all_and_invalid_segments_cannot_be_saved(store: Store) -> None:
    with pytest.raises(SavedSegmentError, match="already means everyone"):
        store.save("everyone", " ALL ")
    with pytest.raises(SegmentError, match="no sector"):
        store.save("wrong", "sector:eduction")
    assert list_saved_segments(store.connection) == []


def test_an_unknown_name_is_refused_with_a_suggestion(store: Store) -> None:
    with pytest.raises(SegmentError, match=r'saved as "east". None has been saved yet'):
        store.parse("segment:east")
    store.save("east-asia", "country:MN")
    with pytest.raises(SegmentError, match=r'saved as "eastasia". Did you mean east-asia. Choose from: east'):
        store.parse("segment:eastasia")
    with pytest.raises(SavedSegmentError, match=r'saved as "eastasia". Did you mean east-asia'):
        find_saved_segment(store.connection, "eastasia")


def test_a_saved_segment_that_no_longer_parses_is_named(store: Store, session: Session) -> None:
    store.save("teachers", "sector:education")
    renamed = SegmentLookups(sectors=("learning",), saved=SavedSegmentStore(session.connection()))
    reason = r'saved segment "teachers": There is no sector "education"'
    with pytest.raises(SegmentError, match=reason) as caught:
        parse_segment("tag:x segment:teachers", sectors=renamed.sectors, saved=renamed.saved)
    assert caught.value.text == "sector:education"


def test_a_segment_used_by_others_is_not_deleted(store: Store) -> None:
    store.save("a", "tag:x")
    store.save("b", "segment:a sector:education")
    for sectors in (SECTORS, ("learning",)):  # also when b cannot be read any more
        known = SegmentLookups(sectors=sectors, saved=store.known.saved)
        with pytest.raises(SavedSegmentError, match='"a" is used in b'):
            delete_segment(store.connection, "a", known)
    assert delete_segment(store.connection, "b", store.known).text == "segment:a sector:education"
    assert delete_segment(store.connection, "A", store.known).name == "a"
    assert list_saved_segments(store.connection) == []


class ConcurrentSaver(SavedSegmentStore):
    """Somebody who saves the same name while our text is being read."""

    def __init__(self, store: Store) -> None:
        super().__init__(store.connection)
        self.store = store

    def find(self, name: str) -> str | None:
        self.store.save("east", "country:JP")
        return super().find(name)


def test_saving_a_name_concurrently_overwrites_nothing(store: Store) -> None:
    store.save("a", "tag:x")
    known = SegmentLookups(sectors=SECTORS, saved=ConcurrentSaver(store))
    with pytest.raises(SavedSegmentError, match='Someone else has just saved "east"'):
        save_segment(store.connection, "east", "segment:a", known, now=store.now)


def test_a_renamed_segment_is_renamed_where_others_use_it(store: Store) -> None:
    store.save("a", "tag:x")
    store.save("b", "-segment:c,A  segment：“a”,c tag:a".replace("c", "a"))
    store.save("d", "tag:a org:segment")
    later = store.now + timedelta(days=1)
    before = store.parse("segment:b")
    renamed = rename_segment(store.connection, "A", "East", store.known, now=later)
    assert (renamed.name, renamed.text, renamed.created_at) == ("east", "tag:x", store.now)
    texts = {saved.name: saved.text for saved in list_saved_segments(store.connection)}
    assert texts == {
        "b": "-segment:east,east  segment：east,east tag:a",
        "d": "tag:a org:segment",
        "east": "tag:x",
    }
    assert store.parse("segment:b") == before


def test_a_segment_is_not_renamed_to_a_name_that_is_taken_or_invalid(store: Store) -> None:
    store.save("a", "tag:x")
    store.save("b", "segment:a")
    for name, message in (("b", "Another segment"), ("a b", "not a valid name"), ("query", "page in Studio")):
        with pytest.raises(SavedSegmentError, match=message):
            rename_segment(store.connection, "a", name, store.known, now=store.now)
    assert rename_segment(store.connection, "a", "A", store.known, now=store.now).name == "a"
    with pytest.raises(SavedSegmentError, match="No segment is saved"):
        rename_segment(store.connection, "c", "d", store.known, now=store.now)


def test_a_segment_is_not_renamed_while_one_that_may_use_it_cannot_be_read(store: Store) -> None:
    store.save("a", "tag:x")
    store.save("b", "segment:a sector:education")
    known = SegmentLookups(sectors=("learning",), saved=store.known.saved)
    with pytest.raises(SavedSegmentError, match="Correct or delete b first"):
        rename_segment(store.connection, "a", "c", known, now=store.now)
    assert [saved.name for saved in list_saved_segments(store.connection)] == ["a", "b"]
