"""A mail made fit for a browser's window."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.rendering.body.fragments import MergeTag
from mailer.rendering.compiled_edition import CompiledEdition
from mailer.settings import SenderSettings, Settings
from mailer.web.mail_html import (
    force_colour_scheme,
    force_paper,
    mark_heading,
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
def test_dark_mode_can_be_forced_on_or_off(query: str) -> None:
    html = f"<style>@media {query}{{p{{color:white}}}}</style>"
    assert force_colour_scheme(html, dark=True) == "<style>@media (min-width:0){p{color:white}}</style>"
    assert force_colour_scheme(html, dark=False) == "<style>@media (max-width:-1px){p{color:white}}</style>"


def test_a_query_of_several_conditions_keeps_the_others() -> None:
    html = "@media screen and (max-width:480px) and (prefers-color-scheme:dark){}"
    assert force_colour_scheme(html, dark=True) == "@media screen and (max-width:480px) and (min-width:0){}"


def test_light_mode_rules_are_disabled_in_dark_mode() -> None:
    html = "@media (prefers-color-scheme:light){}"
    assert force_colour_scheme(html, dark=True) == "@media (max-width:-1px){}"


def test_the_color_scheme_declarations_follow() -> None:
    html = ':root{color-scheme:light dark;supported-color-schemes: light dark}<meta content="light dark">'
    assert force_colour_scheme(html, dark=True) == (
        ':root{color-scheme:dark;supported-color-schemes: dark}<meta content="dark">'
    )


def test_without_images_their_alt_text_stays() -> None:
    html = '<img alt="A forum" width="600" src="/media/a.jpg" style="x"><p title="src=1">src="b"</p>'
    assert remove_images(html) == '<img alt="A forum" width="600" style="x"><p title="src=1">src="b"</p>'


def test_image_urls_are_rewritten_to_the_server_of_the_page() -> None:
    html = '<img src="https://news.example.org/media/a.jpg"><a href="https://news.example.org/u/x">'
    assert rewrite_media_urls(html, "https://news.example.org", "/letters") == (
        '<img src="/letters/media/a.jpg"><a href="https://news.example.org/u/x">'
    )


def test_external_links_open_in_a_new_tab() -> None:
    html = '<a style="x" href="https://example.org/"><a href="#culture"><a target="_top" href="https://example.org/">'
    assert open_links_in_new_tab(html) == (
        '<a target="_blank" rel="noopener noreferrer" style="x" href="https://example.org/">'
        '<a href="#culture"><a target="_top" href="https://example.org/">'
    )


def test_a_mail_without_a_reader_has_no_greeting_and_no_personal_link() -> None:
    links = "&#160;·&#160; ".join(
        f'<a class="x" href="{hole.placeholder}" style="y"><b>Words</b></a>'
        for hole in (MergeTag.preferences_url, MergeTag.unsubscribe_url, MergeTag.archive_url)
    )
    html = render_without_reader(
        replace(MAIL, html=f"<p>{MergeTag.greeting.placeholder}</p><p>{links}</p>"), SETTINGS
    )
    assert html == "<p></p><p></p>"


@given(st.text())
def test_no_text_crashes_the_rewriting(html: str) -> None:
    open_links_in_new_tab(remove_images(force_colour_scheme(html, dark=True)))


def test_paper_can_be_shown_on_a_screen() -> None:
    html = '<style>@media print{p{margin:0}}</style><style media="screen">p{margin:9px}</style>'
    assert (
        force_paper(html)
        == '<style>@media all{p{margin:0}}</style><style media="not all">p{margin:9px}</style>'
    )
    assert force_paper("<p>@media print @media printer{}</p>") == "<p>@media print @media printer{}</p>"


def test_a_heading_is_marked_where_a_story_begins() -> None:
    source = "<p>@@greeting@@</p><h2>One</h2><div><p>.</p><h3 class='a'>Two</h3></div>"
    html = source.replace("@@greeting@@", "Dear Ann &lt;Li&gt; of a long name,")
    marked = mark_heading(html, source, source.index("<div>"), "story-two")
    assert marked == html.replace("<h3 class", '<h3 id="story-two" class')
    assert mark_heading(html, source, len(source), "story-two") == html
