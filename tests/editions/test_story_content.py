"""What a story can hold besides its text and its picture: read from the front matter, and what is wrong
with it."""

from pathlib import Path

import pytest

from editions.model import Edition, ImageText
from tests.factories.draft_edition import Draft

STORY = "stories/010-youth-forum.md"
STORY_ZH = "stories/010-youth-forum.zh.md"
IMAGES = """\
images:
  - file: workshop.jpg
    alt: Two people drawing
    caption: The workshop
    credit: Photo by A. N. Other
  - file: market.jpg
    alt: A market hall from above
"""


@pytest.fixture
def draft(tmp_path: Path) -> Draft:
    draft = Draft(tmp_path / "2021-2")
    draft.add_image("workshop.jpg")
    draft.add_image("market.jpg")
    draft.change(STORY, "read_more:\n", f"{IMAGES}read_more:\n")
    return draft


def read(draft: Draft) -> Edition:
    inspection = draft.inspect()
    assert inspection.edition is not None, inspection.problems
    return inspection.edition


def test_a_story_has_further_pictures_measured_like_the_first(draft: Draft) -> None:
    assert draft.problems() == ()
    first, second = read(draft).stories[0].images
    assert (first.path.name, first.alt, first.caption, first.credit) == (
        "workshop.jpg", "Two people drawing", "The workshop", "Photo by A. N. Other",
    )  # fmt: skip
    assert (second.path.name, second.caption, second.width, second.height) == ("market.jpg", "", 1184, 700)


def test_a_single_further_picture_need_not_be_a_list(draft: Draft) -> None:
    draft.write(
        STORY, "---\ntitle: A\nsector: culture\nimages:\n  file: market.jpg\n  alt: A hall\n---\n\nB\n"
    )
    assert [image.path.name for image in read(draft).stories[0].images] == ["market.jpg"]


def test_a_further_picture_is_checked_like_the_first(draft: Draft) -> None:
    draft.add_image("workshop.jpg", width=300, height=200)
    draft.change(STORY, "alt: A market hall from above", "alt: market.jpg")
    draft.change(STORY, "file: market.jpg", "file: markt.jpg")
    found = {(problem.code, problem.line) for problem in draft.problems() if problem.path == STORY}
    assert found == {("narrow-image", 11), ("missing-image", 15), ("alt-is-file-name", 16)}


def test_further_pictures_are_translated_in_their_order(draft: Draft) -> None:
    draft.translate()
    draft.change(
        STORY_ZH,
        "read_more:",
        "images:\n  - alt: 两个人在画画\n    caption: 工作坊\n    credit: 摄影：某人\nread_more:",
    )
    (problem,) = draft.problems()
    assert (problem.path, problem.code) == (STORY_ZH, "untranslated-alt")
    assert "market.jpg's alt text is not translated" in problem.message
    assert read(draft).stories[0].texts["zh"].images == (
        ImageText(alt="两个人在画画", caption="工作坊", credit="摄影：某人"),
        ImageText(alt="A market hall from above", caption="", credit=""),
    )


def test_a_text_for_a_picture_that_is_not_there_is_an_error(draft: Draft) -> None:
    draft.translate()
    items = "".join(f"  - alt: 图{number}\n    caption: 说明\n" for number in "一二三")
    draft.change(STORY_ZH, "read_more:", f"images:\n{items}read_more:")
    (problem,) = draft.problems()
    assert (problem.path, problem.code, problem.line) == (STORY_ZH, "image-without-original", 11)
    assert "has no further picture, so this text would not be used" in problem.message


def test_the_credit_of_a_picture_is_translated_or_the_original_s(draft: Draft) -> None:
    draft.translate()
    assert read(draft).stories[0].texts["zh"].credit == "Illustration"
    draft.change(STORY_ZH, "caption: 西安论坛", "caption: 西安论坛\n  credit: 插图")
    assert read(draft).stories[0].texts["zh"].credit == "插图"
