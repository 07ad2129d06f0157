"""What stands in an email is found on the line it was written on."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.checks.mail.parsed_mail import Place
from mailer.checks.runner import UNKNOWN_LINE, SourceLines

STORY = """\
---
title: A *forum* for youth
image: {file: a.jpg, alt: "Young people, around a table"}
---

The forum met in **October and
November**, at [the old
library](https://example.org/about). See [all](https://example.org/a) of it.
It is 5&nbsp;% of all.
"""
CHINESE = """\
---
title: 青年论坛
---

论坛于**十月**举行。
"""


@pytest.fixture
def source(tmp_path: Path) -> SourceLines:
    (tmp_path / "stories").mkdir()
    (tmp_path / "edition.md").write_text("---\ntitle: Our newsletter\n---\n\nDear colleagues,\n", "utf-8")
    (tmp_path / "edition.zh-hans.md").write_text("---\ntitle: 我们的通讯\n---\n", "utf-8")
    (tmp_path / "stories" / "010-forum.md").write_text(STORY, "utf-8")
    (tmp_path / "stories" / "010-forum.zh-hans.md").write_text(CHINESE, "utf-8")
    (tmp_path / "stories" / "notes.txt").write_text("Dear colleagues,\n", "utf-8")
    return SourceLines(tmp_path)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("A *forum* for youth", 2),
        ("Young people, around a table", 3),
        ("The forum met in", 6),
        ("October and November", 6),
        ("the old library", 7),
        ("not to be found", 1),
        ("It", 1),
        ("5&nbsp;%", 9),
        ("**,", 7),
    ],
)
def test_a_text_of_a_story_is_found_in_its_file(source: SourceLines, text: str, line: int) -> None:
    assert source.locate(Place(story="forum", texts=(text,)), "en") == ("stories/010-forum.md", line)


def test_a_translation_comes_before_its_original(source: SourceLines) -> None:
    chinese = "stories/010-forum.zh-hans.md"
    assert source.locate(Place(story="forum", texts=("十月",)), "zh-Hans") == (chinese, 5)
    assert source.locate(Place(story="forum", texts=("nowhere at all",)), "zh-Hans") == (chinese, 1)
    # A picture's alt text that is not translated is the original's.
    shown = Place(story="forum", texts=("Young people, around a table",))
    assert source.locate(shown, "zh-Hans") == ("stories/010-forum.md", 3)
    assert source.locate(Place(texts=("我们的通讯",)), "zh-Hans") == ("edition.zh-hans.md", 2)


@pytest.mark.parametrize(("link", "line"), [("https://example.org/a", 8), ("https://example.org/about", 8)])
def test_a_link_is_found_before_its_words(source: SourceLines, link: str, line: int) -> None:
    place = Place(story="forum", texts=("A forum for youth",), link=link)
    assert source.locate(place, "en") == ("stories/010-forum.md", line)
    assert source.locate_link(link) == ("stories/010-forum.md", line)


def test_a_text_outside_the_stories_is_not_looked_for_in_them(source: SourceLines) -> None:
    assert source.locate(Place(texts=("Dear colleagues",)), "en") == ("edition.md", 5)
    assert source.locate(Place(texts=("The forum met in",)), "en") == UNKNOWN_LINE
    assert source.locate(Place(story="gone", texts=("The forum met in",)), "en") == UNKNOWN_LINE
    assert source.locate_link("https://example.org/elsewhere") == UNKNOWN_LINE


def test_a_file_that_cannot_be_decoded_hides_no_other(tmp_path: Path) -> None:
    (tmp_path / "stories").mkdir()
    (tmp_path / "stories" / "010-a.md").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "stories" / "020-b.md").write_text("one\ntwo words here\n", "utf-8")
    found = SourceLines(tmp_path).locate(Place(story="b", texts=("two words here",)), "en")
    assert found == ("stories/020-b.md", 2)


@given(st.lists(st.text("ab é中ß*_\n", min_size=1, max_size=20), min_size=1, max_size=6))
def test_no_text_makes_the_search_fail(words: list[str]) -> None:
    source = SourceLines(Path(__file__).parent / "nowhere")
    assert source.locate(Place(texts=tuple(words), link=words[0]), "en") == UNKNOWN_LINE
