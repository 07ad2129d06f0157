"""What a compiled mail is judged by."""

from dataclasses import replace

import pytest

from editions.problem import Level
from mailer.rendering.compiled import CompiledEdition
from mailer.rendering.judging import LARGE, LARGEST, check_compiled

BODY = (
    '<h1>News</h1><h2 id="culture">Culture</h2><h3>Story</h3>'
    '<img src="https://e.org/a.png" alt="Bands" width="200">'
    '<a href="#culture">Culture</a><a href="https://e.org/">Read more: bands</a>'
    '<a href="mailto:a@e.org">Write</a>'
    '<a href="@@unsubscribe_url@@">Leave</a><a href="@@preferences_url@@">Choose</a>'
)
HTML = (
    '<!DOCTYPE html>\n<html lang="en" dir="ltr"><head><title>News</title></head><body>'
    f'<div role="article" lang="en" dir="ltr">{BODY}</div></body></html>'
)
GOOD = CompiledEdition(
    slug="2021-2",
    language="en",
    title="News",
    subject="News",
    preheader="",
    sender_name="Us",
    greeting="Dear {name},",
    html=HTML,
    text="News\n\n@@greeting@@\n\n@@unsubscribe_url@@\n@@preferences_url@@\n",
    stories=(),
    digest="",
)


def _codes(compiled: CompiledEdition) -> list[str]:
    return [problem.code for problem in check_compiled(compiled)]


def _padded(size: int) -> CompiledEdition:
    return replace(GOOD, html=HTML.replace("<h3>", "x" * (size - len(HTML)) + "<h3>"))


def test_a_good_mail_has_no_problems() -> None:
    assert check_compiled(GOOD) == []


def test_size_is_judged_in_bytes_by_what_gmail_shows() -> None:
    assert _codes(_padded(LARGE)) == []
    (warning,) = check_compiled(_padded(LARGE + 1))
    assert (warning.code, warning.level) == ("mail-large", Level.warning)
    assert _codes(_padded(LARGEST)) == ["mail-large"]
    (error,) = check_compiled(_padded(LARGEST + 1))
    assert (error.code, error.level) == ("mail-too-large", Level.error)
    assert "100,001 bytes" in error.message
    chinese = replace(GOOD, html=HTML.replace("<h3>", "看" * (LARGEST // 3) + "<h3>"))
    assert _codes(chinese) == ["mail-too-large"]


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("<h3>Story", "<h3>{{ story.title }}", "jinja-left"),
        ("<h3>Story", "<h3>{% if x %}", "jinja-left"),
        ('href="https://e.org/"', 'href="https://e.org/%7B%7Bx%7D%7D"', "jinja-left"),
        ("<h3>", "<mj-text>x</mj-text><h3>", "mjml-left"),
        ('alt="Bands"', r'alt="Ba\u{a0}nds"', "escape-left"),
        ('alt="Bands"', r'alt="Ba\nnds"', "escape-left"),
        ("<h3>Story", "<h3>@@shoe_size@@", "unknown-hole"),
        ("<h3>Story", "<h3>@@", "unknown-hole"),
        ("<!DOCTYPE html>\n", "", "no-doctype"),
        ("<!DOCTYPE html>", "\ufeff<!DOCTYPE html>", "no-doctype"),
        ('<html lang="en"', "<html", "no-language"),
        ('role="article" lang="en" dir="ltr"', 'role="article" lang="en"', "no-language"),
        (' role="article"', "", "no-article"),
        ("<h1>News</h1>", "", "headings"),
        ("<h1>News</h1>", "<h1>News</h1><h1>More</h1>", "headings"),
        ("<h2 id", "<h4>x</h4><h2 id", "headings"),
        ("<h3>Story</h3>", "<h3> </h3>", "headings"),
        (' alt="Bands"', "", "no-alt"),
        ('src="https://e.org/a.png"', 'src="/a.png"', "relative-picture"),
        ('src="https://e.org/a.png"', 'src="data:image/png;base64,x"', "relative-picture"),
        ('width="200"', 'width="100%"', "picture-width"),
        (' width="200"', "", "picture-width"),
        ('href="#culture"', 'href="#nature"', "dead-anchor"),
        ('href="https://e.org/"', 'href="/page"', "relative-link"),
        ('href="https://e.org/"', 'href="javascript:alert(1)"', "relative-link"),
        ('href="https://e.org/"', 'href="https://[bad"', "relative-link"),
        ('href="https://e.org/"', 'href="http:///x"', "relative-link"),
        (">Read more: bands<", "> <", "empty-link"),
        ("@@unsubscribe_url@@", "https://e.org/", "no-unsubscribe"),
        ("@@preferences_url@@", "https://e.org/", "no-unsubscribe"),
    ],
)
def test_a_fault_in_the_html_is_found(old: str, new: str, code: str) -> None:
    assert old in HTML
    broken = replace(GOOD, html=HTML.replace(old, new))
    assert code in _codes(broken)
    assert all(problem.path == "edition.md" for problem in check_compiled(broken))


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "no-text"),
        ("@@unsubscribe_url@@", "no-unsubscribe"),
        ("@@preferences_url@@", "no-unsubscribe"),
        (GOOD.text + "{{ name }}", "jinja-left"),
        (GOOD.text + "@@name@@", "unknown-hole"),
    ],
)
def test_a_fault_in_the_text_is_found(text: str, code: str) -> None:
    assert code in _codes(replace(GOOD, text=text))


def test_a_linked_picture_may_say_where_it_leads() -> None:
    linked = '<a href="https://e.org/"><img src="https://e.org/a.png" alt="Our office" width="120"></a>'
    assert _codes(replace(GOOD, html=HTML.replace("<h3>", f"{linked}<h3>"))) == []
    dumb = linked.replace("Our office", "")
    assert "empty-link" in _codes(replace(GOOD, html=HTML.replace("<h3>", f"{dumb}<h3>")))


def test_a_problem_says_in_which_language_it_was_found() -> None:
    (problem,) = check_compiled(replace(_padded(LARGE + 1), language="zh-Hans"))
    assert problem.message.startswith("zh-Hans: ")
