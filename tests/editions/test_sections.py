"""Stories stand together by kind and sector, in the configured order."""

from pathlib import Path

import pytest

from editions.model import Edition, Story, StoryKind, arrange_sections
from editions.reader import read_edition
from tests.factories.draft_edition import SECTORS, STORY, Draft

STORIES = [
    ("campaign", "culture"),
    ("notice", "education"),
    ("chair", "culture"),
    ("story", "natural-sciences"),
    ("story", "culture"),
    ("feature", "culture"),
    ("list", "education"),
    ("story", ""),
    ("centre", ""),
    ("story", "culture"),
]


@pytest.fixture
def edition(tmp_path: Path) -> Edition:
    draft = Draft(tmp_path / "x")
    (draft.folder / "stories/010-youth-forum.md").unlink()
    for number, (kind, sector) in enumerate(STORIES):
        front = STORY.replace("sector: culture", f"kind: {kind}\nsector: {sector}")
        draft.write(f"stories/{number:03}-s{number}.md", front)
    return read_edition(draft.folder, sectors=SECTORS)


def slugs(stories: list[Story]) -> list[str]:
    return [story.slug for story in stories]


def test_sections_follow_the_configured_order(edition: Edition) -> None:
    sections = arrange_sections(edition, sectors=("natural-sciences", "culture", "education"))
    assert [(key, slugs(stories)) for key, stories in sections.items()] == [
        ("feature", ["s5"]),
        ("natural-sciences", ["s3"]),
        ("culture", ["s4", "s9"]),
        ("education", ["s6"]),
        ("centres-and-chairs", ["s2", "s8"]),
        ("campaigns", ["s0"]),
        ("office", ["s1", "s7"]),
    ]


def test_a_section_without_stories_is_left_out(edition: Edition) -> None:
    sections = arrange_sections(edition, sectors=("social-and-human-sciences", *SECTORS))
    assert "social-and-human-sciences" not in sections


def test_no_story_is_lost_or_doubled_when_a_sector_is_not_configured(edition: Edition) -> None:
    sections = arrange_sections(edition, sectors=("education",))
    assert list(sections)[:4] == [
        "feature",
        "education",
        "natural-sciences",
        "culture",
    ]
    found = [slug for stories in sections.values() for slug in slugs(stories)]
    assert sorted(found) == sorted(slugs(edition.stories))


def test_every_kind_has_a_section(edition: Edition) -> None:
    assert {story.kind for story in edition.stories} == set(StoryKind) - {StoryKind.letter}
