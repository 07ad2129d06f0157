"""Segments: what they mean, that nothing of them becomes SQL, and how they complain."""

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, col, select

from subscribers.errors import SegmentError
from subscribers.models import Status, Subscriber, SubscriberSector, SubscriberTag
from subscribers.segment import Segment, eligible, parse_segment
from subscribers.terms import Key

SECTORS = ("education", "sciences", "culture")
COUNTRIES = (None, "MN", "CN", "KR", "JP")
LANGUAGES = (None, "zh", "zh-Hans", "ZH-hant", "zhx", "z%", "en", "en-GB", "mn")
TAGS = ("press", "50% off", "a_b", "o'neil", "ulaan baatar", "日本", "axb")


@dataclass(frozen=True, kw_only=True)
class Person:
    """What the oracle knows of a subscriber."""

    id: int
    country: str | None
    language: str | None
    status: Status
    sectors: frozenset[str]
    tags: frozenset[str]


def fill(session: Session, now: datetime, number: int = 60) -> list[Person]:
    """A small list of every kind of subscriber, the same each time."""
    chance = random.Random(7)
    people = []
    for index in range(number):
        subscriber = Subscriber(
            email=f"p{index}@example.org",
            envelope=f"p{index}@example.org",
            country=chance.choice(COUNTRIES),
            language=chance.choice(LANGUAGES),
            status=chance.choice(list(Status)),
            created_at=now,
            updated_at=now,
        )
        session.add(subscriber)
        session.flush()
        assert subscriber.id is not None
        sectors = chance.sample(SECTORS, chance.randint(0, 3))
        tags = chance.sample(TAGS, chance.randint(0, 2))
        session.add_all(SubscriberSector(subscriber_id=subscriber.id, sector=sector) for sector in sectors)
        session.add_all(SubscriberTag(subscriber_id=subscriber.id, tag=tag) for tag in tags)
        people.append(
            Person(
                id=subscriber.id,
                country=subscriber.country,
                language=subscriber.language,
                status=subscriber.status,
                sectors=frozenset(sectors),
                tags=frozenset(tags),
            )
        )
    session.flush()
    return people


def find(session: Session, query: str) -> set[int]:
    wanted = select(Subscriber.id).where(parse_segment(query, sectors=SECTORS).where())
    return {id_ for id_ in session.exec(wanted) if id_ is not None}


# --- an oracle that knows no SQL ----------------------------------------------------------------------------

Condition = tuple[bool, str, Sequence[str]]


def holds(person: Person, condition: Condition) -> bool:
    negated, key, values = condition
    found = {
        "country": lambda: person.country in values,
        "language": lambda: any(
            (person.language or "").lower() == value.lower()
            or (person.language or "").lower().startswith(value.lower() + "-")
            for value in values
        ),
        "status": lambda: person.status in values,
        "sector": lambda: bool(person.sectors & set(values)),
        "tag": lambda: bool(person.tags & set(values)),
    }[key]()
    return found is not negated


def write(condition: Condition, chance: random.Random) -> str:
    negated, key, values = condition
    shown = [
        f'"{value}"' if re.search(r"[\s,]", value) or chance.random() < 0.2 else value for value in values
    ]
    return (
        f"{'-' if negated else ''}{key}{chance.choice([':', '：'])}{chance.choice([',', '，']).join(shown)}"
    )


def make_condition(chance: random.Random) -> Condition:
    key = chance.choice(list(Key))
    known: dict[Key, Sequence[str]] = {
        Key.country: ("MN", "CN", "KR", "JP", "NO"),
        Key.language: ("zh", "zh-Hans", "ZH-HANT", "en", "mn", "fr"),
        Key.status: list(Status),
        Key.sector: SECTORS,
        Key.tag: (*TAGS, "%", "_", "x'); DROP TABLE subscriber; --"),
    }
    values = [value for value in known[key] if ";" not in value]
    return chance.random() < 0.4, key, chance.sample(values, chance.randint(1, 3))


def test_a_thousand_queries_agree_with_plain_python(session: Session, now: datetime) -> None:
    people = fill(session, now)
    chance = random.Random(11)
    sizes = set()
    for _ in range(1200):
        conditions = [make_condition(chance) for _ in range(chance.randint(0, 3))]
        query = " ".join(write(condition, chance) for condition in conditions)
        expected = {person.id for person in people if all(holds(person, c) for c in conditions)}
        assert find(session, query) == expected, query
        sizes.add(len(expected))
    assert len(sizes) > 20  # the queries were not all about nobody or everybody


def test_no_value_ever_becomes_part_of_the_sql() -> None:
    chance = random.Random(13)
    for number in range(1000):
        conditions = [make_condition(chance) for _ in range(chance.randint(1, 4))]
        marker = f"canary{number}"
        query = " ".join([*(write(condition, chance) for condition in conditions), f'tag:"{marker}"'])
        wanted = select(Subscriber.id).where(parse_segment(query, sectors=SECTORS).where())
        for dialect in (sqlite.dialect(), postgresql.dialect()):  # type: ignore[no-untyped-call]
            compiled = wanted.compile(dialect=dialect, compile_kwargs={"render_postcompile": True})
            assert marker in compiled.params.values()
            # Nothing but names, operators and placeholders; the only literals are ours, around LIKE.
            literals = set(re.findall(r"'[^']*'", str(compiled)))
            assert literals <= {"'%'", "'/'", "'%%'"}, str(compiled)
            assert marker not in str(compiled)


@given(st.text(max_size=60) | st.text("countryseolagtu:,-\"MN 中，：%_\\'", max_size=60))
def test_any_text_is_understood_or_refused_with_a_caret(text: str) -> None:
    understood = try_parse(text)
    if isinstance(understood, SegmentError):
        _, query, caret, reason = str(understood).splitlines()
        assert reason.endswith((".", "?"))
        assert query.startswith("  ")
        assert caret.strip() == "^"
        assert 0 <= understood.position <= len(understood.text)
    else:
        assert parse_segment(understood.text, sectors=SECTORS).terms == understood.terms
        str(understood.where().compile(dialect=sqlite.dialect()))


def try_parse(text: str) -> Segment | SegmentError:
    try:
        return parse_segment(text, sectors=SECTORS)
    except SegmentError as error:
        return error


# --- what it means ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("query", ["", "  ", "all", " ALL\n"])
def test_nothing_and_all_mean_everybody(session: Session, now: datetime, query: str) -> None:
    people = fill(session, now, 5)
    assert find(session, query) == {person.id for person in people}
    assert parse_segment(query).text == "all"


def test_leaving_countries_out_keeps_those_whose_country_is_unknown(session: Session, now: datetime) -> None:
    people = fill(session, now)
    unknown = {person.id for person in people if person.country is None}
    assert unknown
    assert unknown <= find(session, "-country:MN,CN")
    assert not unknown & find(session, "country:MN,CN,KR,JP")
    silent = {person.id for person in people if person.language is None}
    assert silent <= find(session, "-language:zh")


def test_a_language_includes_its_scripts_and_regions_and_nothing_that_only_begins_alike(
    session: Session, now: datetime
) -> None:
    people = {person.id: person.language for person in fill(session, now)}
    assert {people[id_] for id_ in find(session, "language:zh")} == {"zh", "zh-Hans", "ZH-hant"}
    assert {people[id_] for id_ in find(session, "language:ZH-hans")} == {"zh-Hans"}


def test_keys_given_twice_both_hold(session: Session, now: datetime) -> None:
    people = fill(session, now)
    both = {person.id for person in people if {"education", "culture"} <= person.sectors}
    assert find(session, "sector:education sector:culture") == both


def test_sectors_are_not_checked_when_none_are_given() -> None:
    assert parse_segment("sector:anything").terms[0].values == ("anything",)


def test_values_are_kept_as_they_are_stored() -> None:
    segment = parse_segment('country:mn STATUS:Active tag:"Ulaan  Baatar",PRESS', sectors=SECTORS)
    assert [term.values for term in segment.terms] == [("MN",), ("active",), ("ulaan baatar", "press")]
    assert segment.asks_about(Key.status)
    assert not segment.asks_about(Key.sector)


def test_those_who_get_mail_are_active_or_paused_until_a_day_that_has_come(
    session: Session, now: datetime
) -> None:
    today = date(2026, 3, 1)
    kinds: list[tuple[Status, date | None]] = [(status, None) for status in Status]
    kinds += [(Status.paused, today + timedelta(days=days)) for days in (-1, 0, 1)]
    for number, (status, until) in enumerate(kinds):
        session.add(
            Subscriber(
                email=f"{number}@example.org",
                envelope=f"{number}@example.org",
                status=status,
                paused_until=until,
                created_at=now,
                updated_at=now,
            )
        )
    session.flush()
    found = session.exec(select(Subscriber).where(eligible(today)).order_by(col(Subscriber.id)))
    assert [(person.status, person.paused_until) for person in found] == [
        (Status.active, None),
        (Status.paused, date(2026, 2, 28)),
        (Status.paused, today),
    ]


# --- how it complains ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "place", "reason"),
    [
        ("mongolia", "^", '"mongolia" has no key and colon. Write it as in country:MN,CN'),
        ("county:MN", "^", 'no key "county". Did you mean country. There are: country, sector'),
        ("country:Mongolia", "        ^", r'"Mongolia" write MN'),
        ("country:Korea", "        ^", "could be South Korea .KR. or North Korea .KP."),
        ("country:MN,XX", "           ^", "no country we know"),
        (
            "sector:eduction",
            "       ^",
            'no sector "eduction". Did you mean education. There are: education, sc',
        ),
        ("status:activ", "       ^", 'no status "activ". Did you mean active. There are: pending, active'),
        ("language:chinese!", "         ^", "no language code"),
        ("tag:-x", "    ^", "cannot be a tag"),
        ("country:", "        ^", "A value is missing here, as in country:MN,CN"),
        ("country: MN", "        ^", "A value is missing here.*no spaces around"),
        ("country:MN, CN", "           ^", "A value is missing here"),
        ("country:MN,,CN", "           ^", "A value is missing here"),
        ('tag:""', "    ^", "A value is missing here"),
        ('tag:"press', "    ^", "opened and never closed"),
        ('tag:pr"ess', "      ^", "only stand around a whole value"),
        ('tag:"press"country:MN', "           ^", "A space is missing here"),
        ("country=MN", "^", "has no key and colon"),
        ("country:MN and tag:press", "           ^", 'joined by "and" without a word for it'),
        ("country:MN OR country:CN", "           ^", 'write country:MN,CN for "or"'),
        ("country:MN all", "           ^", "means everybody and stands alone"),
        ("!tag:press", "^", "is no term"),
        ("--tag:press", " ^", "is no term"),
        ("tag:a\u200bb", "     ^", r"invisible character here \(U\+200B\)"),
        ("tag:中国 x", "         ^", "has no key and colon"),
    ],
)
def test_a_complaint_points_at_the_place_and_says_what_to_try(query: str, place: str, reason: str) -> None:
    with pytest.raises(SegmentError, match=reason) as caught:
        parse_segment(query, sectors=SECTORS)
    _, shown, caret, _ = str(caught.value).splitlines()
    assert shown.strip() == query.replace("\u200b", " ")
    # East Asian characters before the place take two columns each.
    assert caret == f"  {place}"
    assert caught.value.text == query


def test_a_segment_as_long_as_a_book_is_refused_shortly() -> None:
    with pytest.raises(SegmentError, match="room for 4000 characters") as caught:
        parse_segment("tag:x " * 1000)
    assert len(str(caught.value)) < 300


def test_many_terms_do_not_exhaust_anything(session: Session, now: datetime) -> None:
    fill(session, now, 3)
    assert find(session, "-tag:x " * 500) == find(session, "all")
