"""A segment as filters, and filters as a segment: both mean the same."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from subscribers.errors import SegmentError
from subscribers.segments.parser import parse_expression
from subscribers.segments.segment import SegmentFilters, read_filters, write_filters
from subscribers.segments.terms import Expression, SegmentLookups, conjuncts
from tests.subscribers.segments.oracle import EDITIONS, SECTORS, spelt


class Editions:
    def editions(self) -> tuple[str, ...]:
        return EDITIONS

    def stories(self, _: str) -> tuple[str, ...]:
        return ()

    def has_got(self, editions: object) -> None:
        raise NotImplementedError


class Saved:
    """Two saved segments, one of which means a single filter."""

    _TEXTS = {"east": "country:MN,CN", "press": "tag:press or org:press"}  # noqa: RUF012

    def find(self, name: str) -> str | None:
        return self._TEXTS.get(name)

    def names(self) -> list[str]:
        return [*self._TEXTS]


LOOKUPS = SegmentLookups(sectors=SECTORS, deliveries=Editions(), saved=Saved())  # type: ignore[arg-type]


def mean(text: str) -> frozenset[Expression]:
    return frozenset(conjuncts(parse_expression(text, LOOKUPS).tree))


@settings(deadline=None, max_examples=300)
@given(spelt())
def test_a_segment_read_into_filters_and_written_again_means_the_same(
    written: tuple[Expression, str],
) -> None:
    _, text = written
    again = write_filters(read_filters(text, LOOKUPS), LOOKUPS)
    assert mean(again) == mean(text)
    assert read_filters(again, LOOKUPS) == read_filters(text, LOOKUPS)


@settings(deadline=None, max_examples=100)
@given(spelt(), spelt())
def test_what_is_added_to_the_other_conditions_is_joined_by_and(
    first: tuple[Expression, str], second: tuple[Expression, str]
) -> None:
    filters = SegmentFilters(countries=("MN",), others=first[1])
    assert mean(write_filters(filters, LOOKUPS)) == mean(f"country:MN ({first[1]})")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", SegmentFilters()),
        ("all", SegmentFilters()),
        (
            'country:MN,CN sector:education status:active language:zh tag:press org:"the ministry"',
            SegmentFilters(
                countries=("MN", "CN"),
                sectors=("education",),
                statuses=("active",),
                languages=("zh",),
                tags=("press",),
                organisations=("the ministry",),
            ),
        ),
        # The second of a key, and what is negated, has no place in the form.
        (
            "tag:press  tag:ministry -country:JP joined:>2024",
            SegmentFilters(tags=("press",), others="tag:ministry -country:JP joined:>2024"),
        ),
        ("segment:east sector:education", SegmentFilters(sectors=("education",), others="segment:east")),
        ("country:MN or tag:press", SegmentFilters(others="(country:MN or tag:press)")),
        (
            "country:MN (tag:press or -sector:culture)",
            SegmentFilters(countries=("MN",), others="(tag:press or -sector:culture)"),
        ),
    ],
)
def test_filters_are_what_a_form_can_show_and_the_rest_stays_as_written(
    text: str, expected: SegmentFilters
) -> None:
    assert read_filters(text, LOOKUPS) == expected


def test_an_invalid_segment_has_no_filters() -> None:
    with pytest.raises(SegmentError, match="no key"):
        read_filters("contry:MN", LOOKUPS)


def test_values_that_need_quotation_marks_get_them() -> None:
    assert (
        write_filters(SegmentFilters(tags=("ulaan baatar", "press")), LOOKUPS) == 'tag:"ulaan baatar",press'
    )


def test_no_filter_means_everyone() -> None:
    assert write_filters(SegmentFilters(), LOOKUPS) == ""


@given(st.text(max_size=30))
def test_whatever_stands_in_the_other_conditions_is_found_when_it_is_parsed(others: str) -> None:
    text = write_filters(SegmentFilters(countries=("MN",), others=others), LOOKUPS)
    assert others.strip() in text
