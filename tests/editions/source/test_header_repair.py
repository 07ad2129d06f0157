"""Front matter with errors becomes valid by leaving the errors out, and only them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from editions.source.front_matter import repair_header
from editions.source.schema import EditionHeader, StoryHeader

SECTORS = ("culture", "education")
STORY: dict[str, Any] = {
    "title": "A forum",
    "sector": "culture",
    "countries": ["CN", "XX", "MN", "yy"],
    "image": {"file": "a.jpg", "alt": "A table", "widht": "5"},
    "read_more": [{"what": "one"}, {"what": "two", "url": "https://example.org"}, {"url": "no"}],
}
EDITION = {
    "title": "News",
    "number": "1",
    "period": "March",
    "date": "2026-03-01",
    "language": "en",
    "subject": "News of March",
    "preheader": "What partners did",
}


def test_items_keys_and_pictures_are_left_out_one_by_one() -> None:
    header = repair_header(StoryHeader, STORY, sectors=SECTORS)
    assert header is not None
    assert (header.title, header.sector, header.countries) == ("A forum", "culture", ["CN", "MN"])
    assert header.image is not None
    assert header.image.file == "a.jpg"
    assert [link.what for link in header.read_more] == ["two"]
    # What was written is not changed.
    assert STORY["countries"] == ["CN", "XX", "MN", "yy"]


@pytest.mark.parametrize("values", [None, {}, {"title": ["a", "list"]}, {"image": {"file": "a.jpg"}}])
def test_a_story_without_a_title_gets_a_sign_without_letters(values: dict[str, Any] | None) -> None:
    header = repair_header(StoryHeader, values, sectors=SECTORS)
    assert header is not None
    assert header.title == "…"
    assert header.image is None


def test_the_letter_keeps_its_place_and_an_edition_needs_its_language() -> None:
    header = repair_header(EditionHeader, {**EDITION, "letter": {"name": "A. N."}}, sectors=SECTORS)
    assert header is not None
    assert header.letter is not None
    assert (header.letter.title, header.letter.name) == ("…", "A. N.")
    for language in ("english", ""):
        assert repair_header(EditionHeader, {**EDITION, "language": language}, sectors=SECTORS) is None


VALUES = st.recursive(
    st.sampled_from(["", "x", "CN", "https://example.org", "2026-02-31", "en"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["what", "url", "x"]), inner),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from([*StoryHeader.model_fields, "x"]), VALUES))
def test_whatever_is_written_for_a_story_becomes_valid(values: dict[str, Any]) -> None:
    assert repair_header(StoryHeader, values, sectors=SECTORS) is not None
