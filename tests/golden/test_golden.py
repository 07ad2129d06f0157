"""The editions kept to torment the rendering: they are what they say, and their text is what it was."""

from pathlib import Path

import pytest

from editions.errors import ProblemLevel
from editions.model import StoryKind
from editions.reader import inspect_edition, read_edition
from tests.judges.golden import EXPECTED, list_golden, load_sample_settings, render_texts

FOLDERS = {folder.name: folder for folder in list_golden()}
SETTINGS = load_sample_settings()


@pytest.mark.parametrize("folder", FOLDERS.values(), ids=FOLDERS)
def test_an_edition_kept_here_has_no_errors(folder: Path) -> None:
    problems = inspect_edition(folder, sectors=SETTINGS.sectors).problems
    assert [problem for problem in problems if problem.level is ProblemLevel.error] == []


def test_one_has_every_kind_at_once() -> None:
    edition = read_edition(FOLDERS["all-kinds"], sectors=SETTINGS.sectors)
    assert {story.kind for story in edition.stories} == set(StoryKind)
    assert edition.letter is not None


def test_one_is_read_from_right_to_left_and_in_five_other_languages() -> None:
    edition = read_edition(FOLDERS["right-to-left"], sectors=SETTINGS.sectors)
    assert edition.languages == ("ar", "he", "ja", "ko", "mn", "zh")


def test_one_has_a_hundred_and_twenty_stories() -> None:
    edition = read_edition(FOLDERS["many-stories"], sectors=SETTINGS.sectors)
    assert len(edition.stories) == 120


@pytest.mark.parametrize("folder", FOLDERS.values(), ids=FOLDERS)
def test_its_text_is_what_it_was(folder: Path) -> None:
    for path, text in render_texts(folder):
        assert text == path.read_text("utf-8"), f"{path.name} has changed. If that is meant: make golden"


def test_no_expected_text_is_left_of_an_edition_that_is_gone() -> None:
    kept = {path for folder in FOLDERS.values() for path, _ in render_texts(folder)}
    assert set(EXPECTED.iterdir()) == kept
