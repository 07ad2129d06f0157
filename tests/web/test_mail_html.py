"""A mail made fit for a browser's window."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.rendering.body.merge_tags import MergeTag
from mailer.rendering.compiled_edition import CompiledEdition
from mailer.settings import SenderSettings, Settings
from mailer.web.mail_html import (
    force_colour_scheme,
    open_links_in_new_tab,
    remove_images,
    render_without_reader,
    rewrite_media_urls,
)

SETTINGS = Settings(
    sender=SenderSettings(
        name="Office", address="news@example.org", organisation="The Office", postal_address="1 Street"
    )
)
MAIL = CompiledEdition(
    slug="2021-2",
    language="en",
    title="News",
    subject="What we did",
    preheader="And more",
    sender_name="Office",
    greeting="Dear {name},",
    one_story="1 story",
    many_stories="{count} stories",
    html="",
    text="",
    stories=(),
    digest="0" * 64,
)


@pytest.mark.parametrize(
    "query",
    ["(prefers-color-scheme: dark)", "(prefers-color-scheme:dark)", "( Prefers-Color-Scheme : DARK )"],
)
def test_dark_can_be_forced_and_kept_away(query: str) -> None:
    html = f"<style>@media {query}{{p{{color:white}}}}</style>"
    assert force_colour_scheme(html, dark=True) == "<style>@media (min-width:0){p{color:white}}</style>"
    assert force_colour_scheme(html, dark=False) == "<style>@media (max-width:-1px){p{color:white}}</style>"


def test_a_query_of_several_conditions_keeps_the_others() -> None:
    html = "@media screen and (max-width:480px) and (prefers-color-scheme:dark){}"
    assert force_colour_scheme(html, dark=True) == "@media screen and (max-width:480px) and (min-width:0){}"


def test_rules_for_light_give_way_in_the_dark() -> None:
    html = "@media (prefers-color-scheme:light){}"
    assert force_colour_scheme(html, dark=True) == "@media (max-width:-1px){}"


def test_the_canvas_follows_the_scheme() -> None:
    html = ':root{color-scheme:light dark;supported-color-schemes: light dark}<meta content="light dark">'
    assert force_colour_scheme(html, dark=True) == (
        ':root{color-scheme:dark;supported-color-schemes: dark}<meta content="dark">'
    )


def test_without_pictures_their_words_stay() -> None:
    html = '<img alt="A forum" width="600" src="/media/a.jpg" style="x"><p title="src=1">src="b"</p>'
    assert remove_images(html) == '<img alt="A forum" width="600" style="x"><p title="src=1">src="b"</p>'


def test_pictures_come_from_wherever_the_page_does() -> None:
    html = '<img src="https://news.example.org/media/a.jpg"><a href="https://news.example.org/u/x">'
    assert rewrite_media_urls(html, "https://news.example.org", "/letters") == (
        '<img src="/letters/media/a.jpg"><a href="https://news.example.org/u/x">'
    )


def test_links_to_elsewhere_open_beside_the_mail_and_those_within_stay() -> None:
    html = '<a style="x" href="https://example.org/"><a href="#culture"><a target="_top" href="https://example.org/">'
    assert open_links_in_new_tab(html) == (
        '<a target="_blank" rel="noopener noreferrer" style="x" href="https://example.org/">'
        '<a href="#culture"><a target="_top" href="https://example.org/">'
    )


def test_nobodys_mail_has_no_name_and_no_link_of_a_reader() -> None:
    links = "&#160;·&#160; ".join(
        f'<a class="x" href="{hole.placeholder}" style="y"><b>Words</b></a>'
        for hole in (MergeTag.preferences_url, MergeTag.unsubscribe_url, MergeTag.archive_url)
    )
    html = render_without_reader(
        replace(MAIL, html=f"<p>{MergeTag.greeting.placeholder}</p><p>{links}</p>"), SETTINGS
    )
    assert html == "<p></p><p></p>"


@given(st.text())
def test_no_text_breaks_them(html: str) -> None:
    open_links_in_new_tab(remove_images(force_colour_scheme(html, dark=True)))
