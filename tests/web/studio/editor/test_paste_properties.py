"""Whatever is pasted, no word is lost, and the server takes what comes of it."""

import re
from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st
from playwright.sync_api import Browser

from editions.rich_text.nodes import UnwritableError
from tests.web.studio.editor.story_form import StoryForm

TAGS = (
    *(
        "p",
        "div",
        "span",
        "b",
        "i",
        "s",
        "code",
        "sup",
        "font",
        "h1",
        "h3",
        "h6",
        "ul",
        "ol",
        "li",
        "blockquote",
    ),
    *("pre", "table", "tr", "td", "th", "caption", "section", "dl", "dd", "center", "o:p", "x-y", "article"),
)
ATTRIBUTES = (
    *("", " style='font-weight:700'", ' style="font-style:italic;x:y"', " style=mso-list:l0\\ level2"),
    *(
        " style='mso-list:l1 level1 lfo2'",
        " class=MsoListParagraph",
        " role=presentation",
        " onclick=hacked=1",
    ),
    *(
        " aria-level=3 role=heading",
        " data-aria-level=2",
        " start=7",
        " href='javascript:hacked=1'",
        " data-why=x",
    ),
)
words = st.integers(100, 999).map(" w{} ".format)
others = st.sampled_from(
    ["<br>", "<hr>", "<img src=x>", "\u00a0", "• ", "\n", "<!-- x -->", "&amp;", "<", "**", "1. "]
)


def write_element(tag: str, attributes: str, children: Sequence[str]) -> str:
    return f"<{tag}{attributes}>{''.join(children)}</{tag}>"


html = st.recursive(
    words | others,
    lambda inner: st.builds(
        write_element, st.sampled_from(TAGS), st.sampled_from(ATTRIBUTES), st.lists(inner, max_size=5)
    ),
    max_leaves=25,
)


def test_no_word_of_any_html_is_lost(story: StoryForm, browser: Browser) -> None:
    with story.edit(browser) as at:

        @settings(max_examples=40, deadline=None)
        @given(st.lists(html, min_size=1, max_size=4).map("".join))
        def paste(source: str) -> None:
            at.begin()
            at.paste(source)
            pasted = re.findall(r"w\d{3}", at.text.inner_text())
            assert sorted(pasted) == sorted(re.findall(r"w\d{3}", source))
            try:
                written = at.markdown
            except UnwritableError:
                return
            assert sorted(re.findall(r"w\d{3}", written)) == sorted(pasted)

        paste()
        assert at.page.evaluate("window.hacked") is None
