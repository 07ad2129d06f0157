"""Who sees what: stories chosen and put in order by what a reader follows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from editions.model import Personalisation
from mailer.rendering.body.variants import NO_INTERESTS, Interests, StoryFacts, Variant, choose_stories

ORDER, FILTER, OFF = Personalisation.order, Personalisation.filter, Personalisation.off


def _story(
    slug: str, section: str, *countries: str, sector: str | None = None, everyone: bool = False
) -> StoryFacts:
    return StoryFacts(
        slug=slug,
        section=section,
        sector=section if sector is None else sector,
        countries=countries,
        everyone=everyone,
    )


STORIES = (
    _story("forum", "feature", "CN", sector="culture", everyone=True),
    _story("school", "education", "CN"),
    _story("teachers", "education", "MN"),
    _story("museum", "culture", "KR"),
    _story("ger", "culture", "MN"),
    _story("rivers", "natural-sciences", "CN", "KR"),
    _story("chair", "centres-and-chairs", "JP", sector="education"),
    _story("moving", "office", sector=""),
)


def _choose(mode: Personalisation, *, sectors: str = "", countries: str = "") -> list[str]:
    interests = Interests(sectors=frozenset(sectors.split()), countries=frozenset(countries.split()))
    return list(choose_stories(STORIES, interests, mode))


def test_off_gives_everybody_the_unchanged_edition() -> None:
    assert _choose(OFF, sectors="culture", countries="MN") == [story.slug for story in STORIES]


@pytest.mark.parametrize("mode", Personalisation)
def test_a_reader_who_follows_nothing_gets_the_unchanged_edition(mode: Personalisation) -> None:
    assert list(choose_stories(STORIES, NO_INTERESTS, mode)) == [story.slug for story in STORIES]


def test_order_puts_followed_sectors_first_after_the_feature() -> None:
    assert _choose(ORDER, sectors="culture") == [
        "forum", "museum", "ger", "school", "teachers", "rivers", "chair", "moving",
    ]  # fmt: skip


def test_order_puts_the_readers_country_first_within_each_section() -> None:
    assert _choose(ORDER, countries="MN") == [
        "forum", "teachers", "school", "ger", "museum", "rivers", "chair", "moving",
    ]  # fmt: skip


def test_filter_keeps_followed_sectors_and_stories_for_everyone() -> None:
    assert _choose(FILTER, sectors="natural-sciences") == ["forum", "rivers", "moving"]


def test_filter_keeps_a_followed_country_in_any_section() -> None:
    assert _choose(FILTER, countries="MN") == ["forum", "teachers", "ger", "moving"]


def test_filter_keeps_stories_about_the_sector_or_the_country() -> None:
    assert _choose(FILTER, sectors="education", countries="KR") == [
        "forum", "school", "teachers", "museum", "rivers", "chair", "moving",
    ]  # fmt: skip


def test_a_story_in_another_section_is_matched_by_its_sector() -> None:
    assert "chair" in _choose(FILTER, sectors="education")


def test_a_reader_left_with_no_story_gets_the_whole_edition() -> None:
    stories = (_story("a", "education", "CN"), _story("b", "culture", "MN"))
    chosen = choose_stories(stories, Interests(countries=frozenset({"FR"})), FILTER)
    assert chosen == ("a", "b")


SLUGS = [story.slug for story in STORIES]
SECTORS, COUNTRIES = {story.section for story in STORIES}, {"CN", "MN", "KR", "JP", "KP"}


@given(st.sets(st.sampled_from(sorted(SECTORS))), st.sets(st.sampled_from(sorted(COUNTRIES))))
def test_order_loses_no_story_and_keeps_sections_whole(sectors: set[str], countries: set[str]) -> None:
    interests = Interests(sectors=frozenset(sectors), countries=frozenset(countries))
    chosen = choose_stories(STORIES, interests, ORDER)
    assert sorted(chosen) == sorted(SLUGS)
    sections = [next(story.section for story in STORIES if story.slug == slug) for slug in chosen]
    runs = [one for one, before in zip(sections, [None, *sections], strict=False) if one != before]
    assert len(runs) == len(set(runs))


@given(st.sets(st.sampled_from(sorted(SECTORS))), st.sets(st.sampled_from(sorted(COUNTRIES))))
def test_filter_is_order_with_some_stories_left_out(sectors: set[str], countries: set[str]) -> None:
    interests = Interests(sectors=frozenset(sectors), countries=frozenset(countries))
    kept = choose_stories(STORIES, interests, FILTER)
    assert kept == tuple(slug for slug in choose_stories(STORIES, interests, ORDER) if slug in kept)
    for story in STORIES:
        if story.slug not in kept:
            assert interests
            assert not story.everyone
            assert not story.concerns(interests)


def test_variants_with_the_same_stories_in_another_order_differ() -> None:
    one = Variant(language="en", stories=("a", "b"))
    assert one == Variant(language="en", stories=("a", "b"))
    assert hash(one) == hash(Variant(language="en", stories=("a", "b")))
    others = {Variant(language="en", stories=("b", "a")), Variant(language="zh", stories=("a", "b"))}
    others.add(Variant(language="en", stories=("a", "b"), named=False))
    assert len({one, *others}) == 4
