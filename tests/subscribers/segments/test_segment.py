"""Segments: their meaning, their errors, and that their text never becomes SQL."""

import random
import re
from datetime import date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, col, select

from subscribers.errors import SegmentError
from subscribers.models import Status, Subscriber, SubscriberSector, SubscriberTag
from subscribers.segments.segment import Segment, eligible, parse_segment
from subscribers.segments.terms import Expression, TermKey
from tests.subscribers.segments.oracle import SENT, spelt

SECTORS = ("education", "sciences", "culture")
COUNTRIES = (None, "MN", "CN", "KR", "JP")
LANGUAGES = (None, "zh", "zh-Hans", "ZH-hant", "zhx", "z%", "en", "en-GB", "mn")
TAGS = ("press", "50% off", "a_b", "o'neil", "ulaan baatar", "日本", "axb")


def fill(session: Session, now: datetime, number: int = 60) -> list[Subscriber]:
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
        people.append(subscriber)
    session.flush()
    return people


def followed(session: Session) -> dict[int, set[str]]:
    followed: dict[int, set[str]] = {}
    for row in session.exec(select(SubscriberSector)):
        followed.setdefault(row.subscriber_id, set()).add(row.sector)
    return followed


def find(session: Session, query: str) -> set[int]:
    wanted = select(Subscriber.id).where(parse_segment(query, sectors=SECTORS).where())
    return {id_ for id_ in session.exec(wanted) if id_ is not None}


@settings(deadline=None, max_examples=300)
@given(spelt(), st.integers())
def test_no_value_ever_becomes_part_of_the_sql(asked: tuple[Expression, str], number: int) -> None:
    marker = f"canary{number}"
    query = f'({asked[1]}) tag:"{marker}" or org:"{marker}"'
    wanted = select(Subscriber.id).where(parse_segment(query, sectors=SECTORS, deliveries=SENT).where())
    for dialect in (sqlite.dialect(), postgresql.dialect()):  # type: ignore[no-untyped-call]
        compiled = wanted.compile(dialect=dialect, compile_kwargs={"render_postcompile": True})
        assert marker in compiled.params.values()
        # Nothing but names, operators and placeholders; the only literals are ours, around LIKE.
        literals = set(re.findall(r"'[^']*'", str(compiled)))
        assert literals <= {"'%'", "'/'", "'%%'"}, str(compiled)
        assert "canary" not in str(compiled)


@settings(deadline=None, max_examples=500)
@given(
    st.text(max_size=60)
    | st.text("countryseolagtu:,-\"MN 中，：%_\\'()（）", max_size=60)
    | st.lists(
        st.sampled_from([*'()-,:"', " or ", " ", "tag:x", "got:2021-1", "joined:", ">2024", "org:a"])
    ).map("".join)
)
def test_any_text_is_parsed_or_refused_with_a_caret(text: str) -> None:
    understood = try_parse(text)
    if isinstance(understood, SegmentError):
        _, query, caret, reason = str(understood).splitlines()
        assert reason.endswith((".", "?"))
        assert query.startswith("  ")
        assert caret.strip() == "^"
        assert 0 <= understood.position <= len(understood.text)
    else:
        assert parse_segment(understood.text, sectors=SECTORS, deliveries=SENT) == understood
        assert parse_segment(understood.canonical, sectors=SECTORS, deliveries=SENT).terms == understood.terms
        str(understood.where().compile(dialect=sqlite.dialect()))


def try_parse(text: str) -> Segment | SegmentError:
    try:
        return parse_segment(text, sectors=SECTORS, deliveries=SENT)
    except SegmentError as error:
        return error


# --- what it means ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "canonical"),
    [
        # What the list understood before it knew "or" is read as it was.
        ("country:MN,CN sector:education -tag:press language:zh",) * 2,
        ("country:mn，cn", "country:MN,CN"),
        ("tag:un(beijing)", 'tag:"un(beijing)"'),
        ("tag:or", "tag:or"),
        ("-tag:a-b", "-tag:a-b"),
        # "or" binds weaker than standing side by side.
        ("tag:a tag:b or tag:c", "tag:a tag:b or tag:c"),
        ("(tag:a tag:b) or tag:c", "tag:a tag:b or tag:c"),
        ("tag:a (tag:b or tag:c)", "tag:a (tag:b or tag:c)"),
        ("tag:a (tag:b (tag:c))", "tag:a tag:b tag:c"),
        ("-(tag:a tag:b)", "-(tag:a tag:b)"),
        ("-(-tag:a)", "tag:a"),
        ("-(-(tag:a or tag:b))", "tag:a or tag:b"),
        ("（tag：a　ｏｒ　－tag：“x y”） country:MN、CN", '(tag:a or -tag:"x y") country:MN,CN'),
        ("joined:＞２０２４-1-2", "joined:>2024-01-02"),
        ("joined:=>2024 joined:=2024", "joined:>=2024 joined:2024"),
        ("consent:Command_Line", "consent:command-line"),
        ("ORG:「ministry of」,x", 'org:"ministry of",x'),
    ],
)
def test_a_text_is_parsed_and_printed_in_one_form(query: str, canonical: str) -> None:
    segment = parse_segment(query, sectors=SECTORS, deliveries=SENT)
    assert segment.text == query
    assert segment.canonical == canonical


@pytest.mark.parametrize("query", ["", "  ", "all", " ALL\n"])
def test_empty_text_and_all_mean_everyone(session: Session, now: datetime, query: str) -> None:
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


def test_a_key_given_twice_must_match_both_times(session: Session, now: datetime) -> None:
    fill(session, now)
    both = {id_ for id_, sectors in followed(session).items() if {"education", "culture"} <= sectors}
    assert both
    assert find(session, "sector:education sector:culture") == both


def test_sectors_are_not_checked_when_none_are_given() -> None:
    assert parse_segment("sector:anything").terms[0].values == ("anything",)


def test_values_are_kept_as_they_are_stored() -> None:
    segment = parse_segment('country:mn STATUS:Active tag:"Ulaan  Baatar",PRESS', sectors=SECTORS)
    assert [term.values for term in segment.terms] == [("MN",), ("active",), ("ulaan baatar", "press")]
    assert segment.asks_about(TermKey.status)
    assert not segment.asks_about(TermKey.sector)


@pytest.mark.parametrize(
    ("text", "asks"),
    [
        ("status:pending or status:bounced country:MN", True),
        ("status:pending or country:MN", False),
        ("(status:pending or country:MN) status:active", True),
        ("-(country:MN or status:pending)", True),
        ("-(country:MN status:pending)", False),
    ],
)
def test_a_segment_asks_about_status_if_it_constrains_everyone(text: str, asks: bool) -> None:
    assert parse_segment(text).asks_about(TermKey.status) is asks


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
        ("county:MN", "^", 'no key "county". Did you mean country. Choose from: country, sector'),
        ("country:Mongolia", "        ^", r'"Mongolia", use MN'),
        ("country:Korea", "        ^", "could be South Korea .KR. or North Korea .KP."),
        ("country:MN,XX", "           ^", "not a country we know"),
        (
            "sector:eduction",
            "       ^",
            'no sector "eduction". Did you mean education. Choose from: education, sc',
        ),
        ("status:activ", "       ^", 'no status "activ". Did you mean active. Choose from: pending, active'),
        ("language:chinese!", "         ^", "not a language code"),
        ("tag:-x", "    ^", "is not a valid tag"),
        ("country:", "        ^", "A value is missing here. Write it as in country:MN,CN"),
        ("country: MN", "        ^", "A value is missing here.*no spaces around"),
        ("country:MN, CN", "           ^", "A value is missing here"),
        ("country:MN,,CN", "           ^", "A value is missing here"),
        ('tag:""', "    ^", "A value is missing here"),
        ('tag:"press', "    ^", "is never closed"),
        ('tag:pr"ess', "      ^", "must enclose a whole value"),
        ('tag:"press"country:MN', "           ^", "Put a space here"),
        ("country=MN", "^", "has no key and colon"),
        ("country:MN and tag:press", "           ^", 'side by side already mean "and"'),
        ("country:MN && tag:press", "           ^", '"&&" is not a term'),
        ("country:MN not tag:press", "           ^", 'a hyphen for "not", as in -tag:press'),
        ("or country:MN", "^", 'A term is missing before this "or"'),
        ("country:MN or or tag:x", "              ^", 'A term is missing before this "or"'),
        ("country:MN or", "             ^", "A term is missing here, such as country:MN,CN"),
        ("country:MN (tag:x or", "                    ^", "A term is missing here"),
        ("(country:MN tag:x", "^", "is never closed"),
        ("country:MN (tag:x", "           ^", "is never closed"),
        ("country:MN)", "          ^", "has no opening one"),
        ("country:MN ()", "            ^", "These parentheses are empty"),
        ("(tag:x)country:MN", "       ^", "Put a space here"),
        ("country:(MN or CN)", "        ^", "Separate alternatives with commas, as in country:MN,CN"),
        ("- tag:x", " ^", "A hyphen alone is not a term"),
        ("-(tag:x", " ^", "is never closed"),
        ("tag:“press", "    ^", "is never closed"),
        ("ctry:MN or tga:x", "^", 'no key "ctry". Did you mean country'),
        ("joined:yesterday", "       ^", "is not a date. Write a day, a month or a year"),
        ("joined:>2024-02-30", "       ^", "2024-02-30 is not a date in the calendar"),
        ("joined:2024-13", "       ^", "2024-13 is not a date in the calendar"),
        ("joined:2024..2023", "       ^", "ends before it begins"),
        ("joined:>2023..2024", "       ^", "has both a sign and an end date"),
        ("joined:0001", "       ^", "is out of range"),
        ("got:2021-3", "    ^", 'sent the edition "2021-3". Did you mean 2021-'),
        ("consent:importd", "        ^", "Did you mean imported"),
        ("consent:!", "        ^", "is not a consent event or method"),
        ("segment:east", "        ^", "cannot be used here"),
        ('org:“a"b”', "    ^", "cannot search for a quotation mark"),
        ("country:MN all", "           ^", "means everyone and cannot be combined"),
        ("!tag:press", "^", "is not a term"),
        ("--tag:press", " ^", "is not a term"),
        ("tag:a\u200bb", "     ^", r"invisible character here \(U\+200B\)"),
        ("tag:中国 x", "         ^", "has no key and colon"),
    ],
)
def test_an_error_marks_its_place_and_says_what_to_try(query: str, place: str, reason: str) -> None:
    with pytest.raises(SegmentError, match=reason) as caught:
        parse_segment(query, sectors=SECTORS, deliveries=SENT)
    _, shown, caret, _ = str(caught.value).splitlines()
    assert shown.strip() == query.replace("\u200b", " ")
    # East Asian characters before the place take two columns each.
    assert caret == f"  {place}"
    assert caught.value.text == query


def test_a_very_long_segment_is_refused_with_a_short_message() -> None:
    with pytest.raises(SegmentError, match="at most 4000 characters") as caught:
        parse_segment("tag:x " * 1000)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("(" * 21 + "tag:x" + ")" * 21, "20 deep"),
        ("-(" * 2000, "20 deep"),
        ("tag:" + "a," * 900 + "a", None),
        ("tag:" + ",".join(f"{n:x}" for n in range(700)), "600 values in all"),
        (" or ".join(f"tag:{n:x}" for n in range(340)), None),
        ("language:" + ",".join(f"a{chr(97 + n // 26 % 26)}{chr(97 + n % 26)}" for n in range(600)), None),
    ],
)
def test_a_hostile_text_is_refused_or_run_safely(session: Session, query: str, reason: str | None) -> None:
    if reason is None:
        assert find(session, query) == set()
    else:
        with pytest.raises(SegmentError, match=reason):
            parse_segment(query)


def test_many_terms_do_not_exceed_any_limit(session: Session, now: datetime) -> None:
    fill(session, now, 3)
    assert find(session, "-tag:x " * 500) == find(session, "all")
