"""Which texts go on below their picture: those that are longer than it, whatever they are written in."""

import pytest
from markupsafe import Markup

from mailer.rendering.template_context.page import PictureView
from mailer.rendering.template_context.page_layout import is_longer_than_picture
from mailer.rendering.themes.theme_files import load_theme

THEME = load_theme("periodical")


def picture(*, width: int = 400, height: int = 300, caption: str = "") -> PictureView:
    """A picture of 200 by 150 pixels on a desk, unless told otherwise."""
    texts = {name: Markup() for name in ("caption_html", "credit_html")}
    return PictureView(url="", width=width, height=height, alt="", caption=caption, credit="", **texts)


@pytest.mark.parametrize(
    ("text", "wraps"),
    [
        ("", False),
        ("A line beside it. " * 15, False),
        ("Many lines beside it. " * 30, True),
        # Each character counts for two.
        ("一行文字在图片旁边而已" * 14, False),
        ("许多行文字在图片旁边而且还在继续" * 25, True),
        ("One.\n" * 4, False),
        ("One.\n" * 8, True),
    ],
)
def test_a_text_that_ends_well_below_its_picture_goes_on_below_it(text: str, wraps: bool) -> None:
    assert is_longer_than_picture(text, (), picture(), THEME) is wraps


def test_the_links_count_as_text_and_the_caption_as_picture() -> None:
    text = "A line beside it. " * 15
    assert not is_longer_than_picture(text, (), picture(), THEME)
    assert is_longer_than_picture(text, ("Read more: it",) * 3, picture(), THEME)
    caption = "What can be seen, and where. " * 8
    assert not is_longer_than_picture(text, ("Read more: it",) * 3, picture(caption=caption), THEME)


def test_a_high_picture_has_room_for_more_text() -> None:
    text = "Many lines beside it. " * 30
    assert is_longer_than_picture(text, (), picture(), THEME)
    assert not is_longer_than_picture(text, (), picture(height=1200), THEME)
