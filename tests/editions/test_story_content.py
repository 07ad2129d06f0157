"""What a story can hold besides its text and its picture: read from the front matter, and what is wrong
with it."""

from pathlib import Path

import pytest
from PIL import Image

from editions.images.prepared_images import make_xmp
from editions.model import AiOrigin, Edition, ImageText, ReadMore
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


MORE = """\
button:
  what: Register for the forum
  url: https://example.org/register
video:
  file: market.jpg
  alt: A speaker
  what: the opening
  url: https://example.org/video
  duration: "3:20"
ai: edited
"""


def test_a_story_has_a_button_a_video_and_what_ai_did(draft: Draft) -> None:
    draft.change(STORY, "read_more:\n", f"{MORE}read_more:\n")
    draft.change(STORY, "credit: Illustration", "credit: Illustration\n  ai: generated")
    assert draft.problems() == ()
    story = read(draft).stories[0]
    text = story.texts["en"]
    assert text.button == ReadMore(what="Register for the forum", url="https://example.org/register")
    assert text.video == ReadMore(what="the opening", url="https://example.org/video")
    assert story.video is not None
    assert (story.video.image.path.name, story.video.duration) == ("market.jpg", "3:20")
    assert story.image is not None
    assert (story.ai, story.image.ai) == (AiOrigin.edited, AiOrigin.generated)


def test_what_is_not_translated_is_the_original_s_address_included(draft: Draft) -> None:
    draft.change(STORY, "read_more:\n", f"{MORE}read_more:\n")
    draft.translate()
    draft.change(STORY_ZH, "\n  url: https://example.org/zh/forum", "\nbutton:\n  what: 报名")
    text = read(draft).stories[0].texts["zh"]
    assert text.read_more == (ReadMore(what="西安论坛介绍", url="https://example.org/forum"),)
    assert text.button == ReadMore(what="报名", url="https://example.org/register")
    assert text.video == ReadMore(what="the opening", url="https://example.org/video")


def test_a_translated_link_needs_an_address_where_the_original_has_no_link(draft: Draft) -> None:
    draft.translate()
    draft.change(STORY_ZH, "read_more:\n", "read_more:\n  - what: 一\n  - what: 二\nold:\n")
    text = (draft.folder / STORY_ZH).read_text(encoding="utf-8")
    draft.write(
        STORY_ZH, text.replace("old:\n  what: 西安论坛介绍\n  url: https://example.org/zh/forum\n", "")
    )
    problem = next(problem for problem in draft.problems() if problem.code == "missing-key")
    assert (problem.path, problem.line) == (STORY_ZH, 8)
    assert "“二” has no address" in problem.message


def test_the_signature_of_a_letter_is_translated(draft: Draft) -> None:
    draft.translate()
    draft.change(
        "edition.zh.md", "  title: 主任寄语", "  title: 主任寄语\n  name: 沙赫巴兹·汗\n  titles: [主任, 代表]"
    )
    letter = read(draft).letter
    assert letter is not None
    assert (letter.signatures["zh"].name, letter.signatures["zh"].titles) == ("沙赫巴兹·汗", ("主任", "代表"))
    assert letter.signatures["en"].name == "Shahbaz Khan"


@pytest.mark.parametrize(
    ("key", "code", "line"), [("", "ai-unsaid", 6), ("ai: edited", "ai-differs", 7), ("ai: generated", "", 0)]
)
def test_the_label_of_a_picture_wins_and_a_difference_is_told(
    draft: Draft, key: str, code: str, line: int
) -> None:
    path = draft.folder / "images/forum.jpg"
    with Image.open(path) as image:
        image.save(path, xmp=make_xmp(AiOrigin.generated))
    draft.change(STORY, "file: forum.jpg", f"file: forum.jpg\n  {key}".rstrip())
    problems = draft.problems()
    assert [(problem.code, problem.line) for problem in problems] == ([(code, line)] if code else [])
    story = read(draft).stories[0]
    assert story.image is not None
    assert story.image.ai is AiOrigin.generated


def test_another_word_for_what_ai_did_is_an_error(draft: Draft) -> None:
    draft.change(STORY, "credit: Illustration", "credit: Illustration\n  ai: genrated")
    (problem,) = draft.problems()
    assert (problem.code, problem.line) == ("unknown-ai", 10)
    assert "Did you mean `generated`?" in problem.message
