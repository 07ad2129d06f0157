"""Pages of the list are its slices, whatever is asked for and in either direction, on both databases."""

import re
from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, text
from sqlmodel import Session, select

from subscribers import directory
from subscribers.directory import Cursor, ListPage, clean_search, read_cursor, read_list_page
from subscribers.models import Status, Subscriber, SubscriberTag
from subscribers.segments.segment import parse_segment
from tests.factories.deliveries import START, add_subscribers

_NAMES = st.sampled_from(
    ["", "Mei Lin", "mei lin", "MEI", "Lin Mei", "Бат", "бат", "Öz", "a%", "A_b", "100%"]
)


def fill(engine: Engine, names: Sequence[tuple[str, str, bool]]) -> None:
    with Session(engine) as session:
        for number, (name, organisation, tagged) in enumerate(names):
            address = f"{'mei' if number % 3 else 'a'}{number}@example.org"
            person = Subscriber(
                email=address, envelope=address, name=name, organisation=organisation, created_at=START,
                updated_at=START, country="MN" if number % 2 else None,
                status=Status.erased if number % 11 == 10 else Status.active,
            )  # fmt: skip
            session.add(person)
            session.flush()
            if tagged:
                session.add(SubscriberTag(subscriber_id=person.id or 0, tag="press"))
        session.commit()


def walk(session: Session, **asked: object) -> list[ListPage[Subscriber]]:
    """All pages from the first to the last."""
    segment = parse_segment(str(asked.pop("query", "all")))
    pages = [read_list_page(session, segment, **asked)]  # type: ignore[arg-type]
    while (after := pages[-1].next) is not None:
        pages.append(read_list_page(session, segment, after=after, **asked))  # type: ignore[arg-type]
        assert len(pages) < 500
    return pages


def expect(session: Session, query: str, search: str) -> set[str]:
    wanted = select(Subscriber).where(parse_segment(query).where(), Subscriber.status == Status.active)
    low = search.lower()
    return {
        one.email
        for one in session.exec(wanted)
        if any(low in field.lower() for field in (one.email, one.name, one.organisation))
    }


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    max_examples=12,
    deadline=None,
    derandomize=True,
)
@given(
    names=st.lists(st.tuples(_NAMES, _NAMES, st.booleans()), max_size=24),
    search=st.sampled_from(["", "mei", "Mei L", "lin", "бат", "a", "%", "100%", "_b", "öz", "nobody"]),
    query=st.sampled_from(["all", "country:MN", "tag:press", "-tag:press"]),
    length=st.integers(1, 7),
    looked_at=st.integers(2, 9),
    few=st.sampled_from([0, 3, 2000]),
)
def test_all_pages_together_are_everybody_once_and_back_again(
    engine: Engine,
    names: list[tuple[str, str, bool]],
    search: str,
    query: str,
    length: int,
    looked_at: int,
    few: int,
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(directory, "PAGE_LENGTH", length)
        patch.setattr(directory, "LOOKED_AT", looked_at)
        patch.setattr(directory, "FIRST_LOOKED_AT", max(1, looked_at // 2))
        patch.setattr(directory, "_FEW", few)
        with engine.begin() as connection:
            for table in ("subscriber_tag", "subscriber"):
                connection.execute(text(f"DELETE FROM {table}"))
        fill(engine, names)
        with Session(engine) as session:
            pages = walk(session, search=search, query=query)
            seen = [row.email for page in pages for row in page.rows]
            assert len(seen) == len(set(seen))
            assert set(seen) == expect(session, query, search)
            assert all(len(page.rows) <= length for page in pages)
            check_way_back(session, pages, seen, search, query)


def check_way_back(
    session: Session, pages: list[ListPage[Subscriber]], seen: list[str], search: str, query: str
) -> None:
    """From the last page with rows, everything before it is read backwards, once each."""
    filled = [page for page in pages if page.rows]
    if not filled:
        return
    page, before = filled[-1], [row.email for row in filled[-1].rows]
    for _ in range(500):
        if page.previous is None:
            break
        page = read_list_page(session, parse_segment(query), search=search, before=page.previous)
        before = [*(row.email for row in page.rows), *before]
    assert before == seen


def test_a_row_that_is_gone_begins_the_list_anew(engine: Engine) -> None:
    add_subscribers(engine, [f"mei{number}@example.org" for number in range(3)])
    with Session(engine) as session:
        for after in (Cursor(part=0, subscriber_id=99), Cursor(part=7, subscriber_id=1)):
            assert len(read_list_page(session, parse_segment("all"), after=after).rows) == 3


def test_a_place_is_read_only_as_it_was_written() -> None:
    place = Cursor(part=3, subscriber_id=12)
    assert read_cursor(str(place)) == place
    for wrong in ("", "3", "3-", "-1-2", "3-12 ", "３-12", "3-" + "9" * 30):
        assert read_cursor(wrong) is None, wrong


def test_what_is_typed_is_one_clean_line() -> None:
    assert clean_search(" Mei\t\0 Lin\u0007 ") == "Mei Lin"
    assert clean_search("e\u0301") == "é"
    assert len(clean_search("a" * 9000)) == 200


def test_each_part_of_the_list_is_read_in_the_order_of_an_index(
    sqlite_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without its index a page of a million people would read and sort them all."""
    monkeypatch.setattr(directory, "_FEW", -1)
    with Session(sqlite_engine) as session:
        statements: list[str] = []
        connection = session.connection()
        raw = connection.connection.driver_connection
        raw.set_trace_callback(statements.append)  # type: ignore[union-attr]
        read_list_page(session, parse_segment("country:MN"), search="mei")
        raw.set_trace_callback(None)  # type: ignore[union-attr]
        read = [one for one in statements if re.search(r"FROM subscriber\s", one)]
        assert len(read) > 6
        for statement in read:
            plan = " ".join(str(row[3]) for row in raw.execute(f"EXPLAIN QUERY PLAN {statement}"))  # type: ignore[union-attr]
            assert "USE TEMP B-TREE" not in plan, statement
            assert "INDEX" in plan, statement


@pytest.mark.parametrize("length", [1, 2, 50])
def test_organisations_are_found_once_each_in_any_spelling(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, length: int
) -> None:
    monkeypatch.setattr(directory, "PAGE_LENGTH", length)
    names = [
        "Ministry of Culture",
        "ministry of sports",
        "The Ministry",
        "Музей",
        "A/B Office",
        "A/B Office",
        "",
    ]
    add_subscribers(engine, [f"p{number}@example.org" for number in range(len(names))])
    with Session(engine) as session:
        for number, name in enumerate(names, start=1):
            session.get_one(Subscriber, number).organisation = name
        session.get_one(Subscriber, 4).status = Status.unsubscribed
        session.commit()
        for search, found in (
            ("", {*names} - {""}),
            ("ministry", {"Ministry of Culture", "ministry of sports", "The Ministry"}),
            ("музей", {"Музей"}),
            ("b off", {"A/B Office"}),
        ):
            seen, after = [], None
            for _ in range(20):
                page = directory.read_organisation_page(session, search, after=after)
                seen += [row.name for row in page.rows]
                if (after := page.next) is None:
                    break
            assert sorted(seen) == sorted(found), search
        office = directory.find_organisation(session, "A/B Office")
        museum = directory.find_organisation(session, "Музей")
        assert office is not None
        assert museum is not None
        assert (office.people, office.has_reader, museum.has_reader) == (2, True, False)
        assert directory.find_organisation(session, "Nobody") is None
