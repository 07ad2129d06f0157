"""Which links of a mail are counted, what they say, and how their addresses are replaced."""

from collections.abc import Mapping
from html import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.rendering.body.counted_links import (
    TYPICAL_TOKEN,
    LinkKey,
    find_links,
    measure_growth,
    replace_links,
)
from mailer.rendering.body.fragments import (
    ANY_TAG,
    Part,
    Parts,
    mark_begin,
    mark_end,
    parse_fragments,
    walk_fragments,
)

BASE = "https://news.example.org"
STORY = f"{BASE}/e/2026-1/en/teachers@@version@@"


def _parse(markup: str) -> Parts[str]:
    return parse_fragments(markup, what="x", markup=True)


def _find(markup: str) -> list[tuple[LinkKey, str]]:
    return list(find_links(_parse(markup), BASE))


def _urls(markup: str) -> list[str]:
    return [key.url for key, _ in _find(markup)]


def _replace(markup: str, numbers: Mapping[LinkKey, int]) -> str:
    def write(parts: Parts[str]) -> str:
        return "".join(map(write_part, parts))

    def write_part(part: Part[str]) -> str:
        if isinstance(part, ANY_TAG):
            return part.placeholder
        return part if isinstance(part, str) else "".join(write(one.parts) for one in walk_fragments((part,)))

    return write(replace_links(_parse(markup), numbers))


def test_links_to_elsewhere_are_found_with_their_story_and_their_words() -> None:
    marked = (
        '<a href="https://a.example/x?a=1&amp;b=2">A <b>bold</b> word</a>'
        f'{mark_begin("story", "teachers")}<p><a class="l" href="http://b.example">More</a></p>{mark_end("story")}'
        '<a href="https://c.example"><img src="c.png" alt="The &quot;C&quot;"></a>'
    )
    assert _find(marked) == [
        (LinkKey("https://a.example/x?a=1&b=2", ""), "A bold word"),
        (LinkKey("http://b.example", "teachers"), "More"),
        (LinkKey("https://c.example", ""), 'The "C"'),
    ]


@pytest.mark.parametrize(
    "url",
    [
        *(
            "#culture",
            "mailto:desk@example.org",
            "tel:+86",
            "ftp://example.org/x",
            "",
            "https://",
            "//x.org/",
        ),
        *("@@unsubscribe_url@@", "@@preferences_url@@", "@@archive_url@@"),
        *(BASE, f"{BASE}/", f"{BASE}/subscribe", f"{BASE}?lang=mn", f"{BASE}#top", f"{BASE}/media/x.png"),
    ],
)
def test_anchors_mail_addresses_and_our_own_pages_are_left_alone(url: str) -> None:
    assert not _urls(f'<a href="{url}">words</a>')


def test_the_stories_of_a_digest_are_counted_though_their_pages_are_ours() -> None:
    assert _urls(f'<a href="{STORY}">Read it</a>') == [STORY]


def test_a_host_that_only_begins_like_ours_is_elsewhere() -> None:
    assert _urls('<a href="https://news.example.org.evil.example/">x</a>')


@pytest.mark.parametrize(
    "words",
    [
        *("https://www.unesco.org/beijing", "www.unesco.org", "unesco.org", "unesco.org/beijing?x=1"),
        *("Read on at https://unesco.org", "un<b>esco</b>.org", " unesco.org → ", "HTTPS://UNESCO.ORG"),
    ],
)
def test_a_link_whose_words_are_an_address_is_left_alone(words: str) -> None:
    assert not _urls(f'<a href="https://en.unesco.org/x">{words}</a>')


@pytest.mark.parametrize(
    "words", ["Read more", "UNESCO", "1.5 million readers", "联合国", "etc. and so on", "v. 2"]
)
def test_a_link_with_other_words_is_counted(words: str) -> None:
    assert _urls(f'<a href="https://en.unesco.org/x">{words}</a>')


def test_a_button_of_outlook_in_a_conditional_comment_is_counted_too() -> None:
    button = '<!--[if mso]><v:roundrect style="height:40px" href="https://a.example/go">Go</v:roundrect><![endif]-->'
    assert _urls(button) == ["https://a.example/go"]
    assert "@@click_url@@/4" in _replace(button, {LinkKey("https://a.example/go", ""): 4})


def test_an_attribute_that_looks_like_an_address_is_not_one() -> None:
    assert not _urls('<a title=\' href="https://a.example/"\' name="x">words</a>')
    assert not _urls('<link rel="stylesheet" href="https://a.example/style.css">')
    assert _urls('<a title="a > b" href="https://a.example/">words</a>') == ["https://a.example/"]


def test_only_numbered_links_are_replaced_and_all_else_stays() -> None:
    marked = (
        f'<p>@@greeting@@</p><a href="https://a.example/">A</a>{mark_begin("story", "s")}'
        f'<a href="https://a.example/" style="x">A</a><a href="{STORY}">S</a>{mark_end("story")}'
        '<a href="@@unsubscribe_url@@">leave</a>'
    )
    numbers = {LinkKey("https://a.example/", "s"): 2, LinkKey(STORY, "s"): 31}
    assert _replace(marked, numbers) == (
        '<p>@@greeting@@</p><a href="https://a.example/">A</a>'
        '<a href="@@click_url@@/2" style="x">A</a><a href="@@click_url@@/31">S</a>'
        '<a href="@@unsubscribe_url@@">leave</a>'
    )


PIECES = (
    *('<a href="https://a.example/">A</a>', '<a href="https://b.example/?q=&quot;">B</a>', "@@greeting@@"),
    *("text", '<a href="', '">', "<a ", "'", "<!--[if mso]>", "<![endif]-->"),
    mark_begin("greeting") + '<a href="https://a.example/">A</a>' + mark_end("greeting"),
)


@given(st.lists(st.sampled_from(PIECES), max_size=12))
def test_putting_the_addresses_back_gives_the_same_markup(pieces: list[str]) -> None:
    marked = "".join(pieces)
    bare = marked.replace(mark_begin("greeting"), "").replace(mark_end("greeting"), "")
    links = dict.fromkeys(key for key, _ in find_links(_parse(marked), BASE))
    written = _replace(marked, {key: number for number, key in enumerate(links, 1)})
    for number, key in enumerate(links, 1):
        written = written.replace(f"@@click_url@@/{number}", escape(key.url))
    assert written == bare


@given(st.lists(st.sampled_from(PIECES), max_size=12))
def test_the_growth_that_is_checked_is_that_of_the_message(pieces: list[str]) -> None:
    html = "".join(pieces).replace(mark_begin("greeting"), "").replace(mark_end("greeting"), "")
    links = dict.fromkeys(key for key, _ in find_links(_parse(html), BASE))
    numbered = _replace(html, {key: 10 + number for number, key in enumerate(links)})
    counted = numbered.replace("@@click_url@@", f"{BASE}/c/{'x' * TYPICAL_TOKEN}")
    assert len(counted.encode()) - len(html.encode()) == measure_growth(html, BASE)
