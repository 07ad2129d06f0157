"""The texts of the example edition are found wherever they are left, and nothing else is taken for them."""

from datetime import date
from pathlib import Path

import pytest

from editions.skeleton import create_skeleton
from editions.skeleton_examples import find_example_remains
from tests.factories.sample_edition import SAMPLE


@pytest.fixture
def example(tmp_path: Path) -> Path:
    return create_skeleton(
        tmp_path,
        "2026-1",
        organisation="Office",
        sectors={"water": "Water"},
        countries={"FR": "France"},
        today=date(2026, 3, 1),
    )


def list_remains(folder: Path) -> list[str]:
    return [f"{problem.path}:{problem.line}" for problem in find_example_remains(folder)]


def test_everything_that_the_example_leaves_to_its_writer_is_named(example: Path) -> None:
    remains = list(find_example_remains(example))
    assert [problem.path for problem in remains] == [
        *["edition.md"] * 4,
        "stories/010-how-a-story-is-written.md",
        "stories/020-in-brief.md",
        "stories/030-from-the-office.md",
    ]
    lines = (example / "edition.md").read_text(encoding="utf-8").splitlines()
    named = [lines[problem.line - 1].strip() for problem in remains[1:4]]
    assert [line.partition(":")[0] for line in named] == ["subject", "preheader", "name"]
    assert {problem.code for problem in remains} == {"example-text"}


def test_a_story_of_the_example_is_known_under_another_name_title_and_line_end(example: Path) -> None:
    story = example / "stories" / "010-how-a-story-is-written.md"
    text = story.read_text(encoding="utf-8").replace("title: How a story is written", "title: Our news")
    story.unlink()
    for path in (*example.glob("stories/*.md"), example / "edition.md"):
        path.unlink()
    (example / "stories" / "500-ours.md").write_bytes(text.replace("\n", "\r\n").encode())
    assert [place.partition(":")[0] for place in list_remains(example)] == ["stories/500-ours.md"]


def test_an_edition_of_ones_own_has_nothing_of_it(example: Path) -> None:
    for path in example.glob("stories/*.md"):
        path.write_text(path.read_text(encoding="utf-8") + "\nAnd this is ours.\n", encoding="utf-8")
    assert {place.partition(":")[0] for place in list_remains(example)} == {"edition.md"}
    assert list_remains(SAMPLE) == []
