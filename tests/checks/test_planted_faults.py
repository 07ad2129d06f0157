"""Each of the 39 questions: a planted fault turns exactly its own check red; the mail without it is clean."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from editions.errors import ProblemLevel
from editions.images.prepared_images import PreparedImage
from mailer.campaigns.preflight import run_preflight
from mailer.checks.mail.parsed_mail import Mail
from mailer.checks.registry import CHECKS
from mailer.checks.runner import check_mails
from mailer.i18n import LANGUAGES, SOURCE_LANGUAGE, load_translator
from mailer.workspace import Workspace
from tests.checks.sample_mail import GOOD, PICTURE, plant
from tests.factories.draft_edition import Draft
from tests.factories.small_edition import SLUG, write_edition
from tests.paths import ROOT

WORDS = "Young people of five countries met"
LINK = 'href="https://example.org/forum"'
LOOM = f'<img src="https://news.example.org/media/{PICTURE}" alt="Young people around a loom"'
IMAGE = 'alt="Young people around a loom" width="200"'

WHY = "You receive this because you are a partner of the office, or asked for it on our pages. " * 3
WHY_HTML = f'<p>{WHY[:180]} <a href="@@preferences_url@@">Choose what you receive</a></p>' * 2
WHY_TEXT = f"{WHY}\nChoose what you receive: @@preferences_url@@"

# Code, text in the good mail, text that replaces it, and in which part.
PLANTED = [
    ("no-language", '<html lang="en"', "<html", "html"),
    ("no-language", 'class="pg" lang="en"', 'class="pg"', "html"),
    ("bad-language", '<html lang="en"', '<html lang="english"', "html"),
    ("no-direction", 'lang="en" dir="ltr" xmlns', 'lang="en" xmlns', "html"),
    ("no-direction", 'class="pg" lang="en" dir="ltr"', 'class="pg" lang="en"', "html"),
    ("wrong-direction", 'class="pg" lang="en" dir="ltr"', 'class="pg" lang="en" dir="rtl"', "html"),
    ("no-title", "<title>News, autumn 2021</title>", "<title> </title>", "html"),
    ("no-article", ' role="article"', "", "html"),
    ("title-differs", 'aria-label="News, autumn 2021"', 'aria-label="News"', "html"),
    ("layout-table", '<table role="presentation" class="sheet"', '<table class="sheet"', "html"),
    ("layout-table", '<table role="presentation" width="600">', '<table width="600">', "html"),
    ("data-table", '<th scope="col">Country', "<th>Country", "html"),
    ("data-table", '<table style="width:100%">', '<table role="presentation" style="width:100%">', "html"),
    ("no-alt", 'alt="Young people around a loom" ', "", "html"),
    (
        "linked-picture",
        LOOM,
        f'<a href="https://example.org/loom">{LOOM.replace("Young people around", "Photo of")}',
        "html",
    ),
    ("one-heading", '<h2 id="culture">Culture</h2>', '<h1 id="culture">Culture</h1>', "html"),
    ("heading-leap", '<h2 id="culture">Culture</h2>', '<h3 id="culture">Culture</h3>', "html"),
    ("silent-heading", '<h2 id="culture">', '<h2> </h2><h2 id="culture">', "html"),
    ("silent-link", f"<a {LINK}>", f'<a {LINK}></a><a href="https://example.org/a">', "html"),
    (
        "vague-link",
        "Read more: the forum in the old town</a>",
        "read more</a>: the forum in the old town",
        "html",
    ),
    (
        "low-contrast",
        ';font-size:16px;line-height:26px;color:#1d2733">',
        ';font-size:16px;line-height:26px;color:#949494">',
        "html",
    ),
    ("low-contrast", "color:#e9eef3 !important", "color:#4a5560 !important", "html"),
    ("low-contrast", '<p class="first">', '<p class="first" style="color:#999">', "html"),
    ("small-text", '<p class="first">', '<p class="first" style="font-size:13px">', "html"),
    ("small-text", '<p><a href="#culture">', '<p style="font-size:11px"><a href="#culture">', "html"),
    ("tight-lines", '<p class="first">', '<p class="first" style="line-height:20px">', "html"),
    ("plain-link", "text-decoration:underline", "text-decoration:none", "html"),
    ("centred-text", '<p class="first">', '<p class="first" style="text-align:justify">', "html"),
    ("unmarked-language", WORDS, f"Улаанбаатар: {WORDS}", "html"),
    ("unmarked-language", '<span lang="zh-Hans">', '<span style="font-family:SimSun">', "html"),
    ("no-east-asian-font", "'PingFang SC','Microsoft YaHei',sans-serif", "Arial,sans-serif", "html"),
    (
        "web-font-first",
        "<style>a{",
        "<style>@font-face{font-family:Lato}h1{font-family:Lato,Arial}a{",
        "html",
    ),
    ("mail-large", '<p class="first">', f"<!--{'x' * 82_000}--><p>", "html"),
    ("mail-too-large", '<p class="first">', f"<!--{'x' * 98_000}--><p>", "html"),
    ("large-sheet", "<style>a{", f"<style>/*{'x' * 16_000}*/a{{", "html"),
    ("no-doctype", "<!DOCTYPE html>", "<!doctype html>", "html"),
    ("no-doctype", "<!DOCTYPE html>", "\ufeff<!DOCTYPE html>", "html"),
    ("missing-meta", '<meta name="viewport" content="width=device-width, initial-scale=1">', "", "html"),
    ("missing-meta", '<meta http-equiv="Content-Type" content="text/html; charset=UTF-8">', "", "html"),
    ("missing-meta", '<meta name="supported-color-schemes" content="light dark">', "", "html"),
    ("no-dark-mode", "@media (prefers-color-scheme:dark)", "@media (prefers-contrast:more)", "html"),
    ("weak-dark-rule", ".pg a{color:#86c1ff !important}", ".pg a{color:#86c1ff}", "html"),
    ("important-spelling", ".pg a{color:#86c1ff !important}", ".pg a{color:#86c1ff!important}", "html"),
    ("important-spelling", ".pg a{color:#86c1ff !important}", ".pg a{color:#86c1ff !IMPORTANT}", "html"),
    ("bright-ground", "body,.pg,.sheet{background", "body,.pg{background", "html"),
    ("bright-ground", "body,.pg,.sheet{background", ".pg,.sheet{background", "html"),
    ("picture-width", f"{IMAGE}", 'alt="Young people around a loom" width="100%"', "html"),
    ("picture-width", f"{IMAGE}", 'alt="Young people around a loom"', "html"),
    ("picture-height", f"{IMAGE}", f'{IMAGE} height="auto"', "html"),
    ("picture-format", PICTURE, "0123456789abcdef.webp", "html"),
    (
        "picture-format",
        f"https://news.example.org/media/{PICTURE}",
        "data:image/png;base64,iVBORw0KGgo=",
        "html",
    ),
    (
        "bare-background",
        '<p class="first">',
        '<p class="first" style="background:url(https://e.org/a.png)">',
        "html",
    ),
    ("url-in-sheet", "<style>a{", "<style>.x{background:url(https://e.org/a.png)}a{", "html"),
    ("cramped-button", ";padding:12px 24px;", ";", "html"),
    (
        "vml-content",
        "<!--[if mso]><a name",
        '<!--[if mso]><v:rect alt="x"><h2>x</h2></v:rect><a name',
        "html",
    ),
    ("vml-content", "<!--[if mso]><a name", "<!--[if mso]><v:rect>x</v:rect><a name", "html"),
    ("outlook-resolution", "<o:PixelsPerInch>96</o:PixelsPerInch>", "", "html"),
    ("outlook-resolution", ' xmlns:v="urn:schemas-microsoft-com:vml"', "", "html"),
    ("outlook-conditional", '<h2 id="culture">', '<![if !mso]><h2 id="culture">', "html"),
    ("outlook-conditional", '<h2 id="culture">', '<![endif]--><h2 id="culture">', "html"),
    ("outlook-conditional", "</body>", "<!--[if mso]></body>", "html"),
    ("unbalanced", "<!--[if mso]></td></tr></table><![endif]-->", "", "html"),
    ("unbalanced", "</td></tr></table>\n<!--[if mso]>", "</td></tr>\n<!--[if mso]>", "html"),
    ("dead-element", '<h2 id="culture">', '<form action="https://e.org/"></form><h2 id="culture">', "html"),
    ("dead-element", '<h2 id="culture">', '<script>x()</script><h2 id="culture">', "html"),
    ("unsupported-style", '<p class="first">', '<p class="first" style="display:flex">', "html"),
    ("unsupported-style", '<p class="first">', '<p class="first" style="width:calc(100% - 4px)">', "html"),
    ("unsupported-style", '<p class="first">', '<p class="first" style="--ink:#000">', "html"),
    ("fragile-feature", '<p class="first">', '<p class="first" style="box-shadow:0 0 2px #000">', "html"),
    ("unlisted-feature", '<p class="first">', '<p class="first" style="scroll-snap-align:start">', "html"),
    ("unlisted-feature", '<h2 id="culture">', '<ruby>x</ruby><h2 id="culture">', "html"),
    ("unlisted-feature", "<style>a{", "<style>a::selection{color:#000000}a{", "html"),
    ("dead-anchor", 'href="#culture"', 'href="#nature"', "html"),
    ("anchor-without-name", '<!--[if mso]><a name="culture"></a><![endif]-->', "", "html"),
    ("no-preheader", '<div style="display:none', '<p>Welcome</p><div style="display:none', "html"),
    ("late-content", "<h1 style", f"{WHY_HTML}<h1 style", "html"),
    ("late-content", "News, autumn 2021\n\n", f"News, autumn 2021\n\n{WHY_TEXT}\n\n", "text"),
    ("no-description", '<meta name="description"', '<meta name="other"', "html"),
    ("no-text", GOOD.text, "  \n", "text"),
    (
        "text-differs",
        WORDS,
        "Eleven quite unlike sentences stand here, wholly otherwise, instead, unseen elsewhere",
        "text",
    ),
    ("no-unsubscribe", 'href="@@unsubscribe_url@@"', 'href="https://example.org/stay"', "html"),
    (
        "no-unsubscribe",
        '<a href="@@unsubscribe_url@@">',
        '<a style="display:none" href="@@unsubscribe_url@@">',
        "html",
    ),
    ("no-unsubscribe", "@@unsubscribe_url@@", "on request", "text"),
    ("no-preferences", "@@preferences_url@@", "on request", "text"),
    ("no-postal-address", "5-15-3 Waijiaogongyu, ", "", "html"),
    ("no-postal-address", "5-15-3 Waijiaogongyu, ", "", "text"),
    ("no-list-unsubscribe", "List-Unsubscribe: <https://news.example.org/u/token>\r\n", "", "message"),
    ("no-list-unsubscribe", "https://news.example.org/u/token", "http://news.example.org/u/token", "message"),
    ("no-list-unsubscribe", "<https", "<mailto:leave@example.org>, <https", "message"),
    ("no-one-click", "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n", "", "message"),
    ("no-list-id", "List-Id: <newsletter.example.org>\r\n", "", "message"),
    ("dkim-gap", "From: ", "DKIM-Signature: v=1; h=from:subject; b=x\r\nFrom: ", "message"),
    ("message-header", "Date: Sun, 01 Mar 2026 09:00:00 +0000\r\n", "", "message"),
    ("message-header", "Date: Sun, 01 Mar 2026", "Date: someday", "message"),
    ("message-header", "MIME-Version", "From: Mallory <m@example.org>\r\nMIME-Version", "message"),
    ("foreign-message-id", "0123456789ab@example.org", "0123456789ab@example.com", "message"),
    ("long-line", "Hello.", "x" * 999, "message"),
    ("link-to-nowhere", LINK, 'href="#"', "html"),
    ("link-to-nowhere", LINK, 'href=""', "html"),
    ("relative-link", LINK, 'href="/forum"', "html"),
    ("link-scheme", LINK, 'href="javascript:alert(1)"', "html"),
    ("broken-link", LINK, 'href="https://"', "html"),
    ("numeric-link", LINK, 'href="http://192.0.2.7/"', "html"),
    ("private-link", LINK, 'href="http://localhost:8025/"', "html"),
    ("short-link", LINK, 'href="https://bit.ly/3abc"', "html"),
    ("plain-http", LINK, 'href="http://example.org/forum"', "html"),
    ("relative-picture", f"https://news.example.org/media/{PICTURE}", PICTURE, "html"),
    ("uneven-tags", LINK, 'href="https://example.org/forum?utm_source=mail"', "html"),
    ("escaped-twice", LINK, 'href="https://example.org/forum?a=1&amp;amp;b=2"', "html"),
    ("tagged-personal-link", LINK, 'href="mailto:news@example.org?utm_source=mail"', "html"),
    ("jinja-left", WORDS, f"{{{{ name }}}} {WORDS}", "html"),
    ("jinja-left", LINK, 'href="https://example.org/%7B%7Bforum%7D%7D"', "html"),
    ("jinja-left", "Culture\n\n", "Culture {% if x %}\n\n", "text"),
    ("merge-left", WORDS, f"%%NAME%% {WORDS}", "html"),
    ("merge-left", "Culture\n\n", "Culture *|FNAME|*\n\n", "text"),
    ("mjml-left", "<!--[if mso]><a name", "<!--<mj-text>--><!--[if mso]><a name", "html"),
    ("escape-left", 'alt="Young people', 'alt="\\u{3000}Young people', "html"),
    ("escape-left", 'alt="Young people', 'alt="Young\\npeople', "html"),
    ("unknown-hole", WORDS, f"@@shoe_size@@ {WORDS}", "html"),
    ("unknown-hole", "Culture\n\n", "Culture @@stories@@\n\n", "text"),
    ("mark-left", '<h2 id="culture">', '<!--@begin story x--><h2 id="culture">', "html"),
    ("mark-left", "Culture\n\n", "\x1ebegin story x\x1fCulture\n\n", "text"),
]


def codes(mail: Mail) -> set[str]:
    return {problem.code for problem in check_mails([mail])}


def test_the_good_mail_is_clean() -> None:
    assert check_mails([GOOD]) == []


@pytest.mark.parametrize(("code", "old", "new", "part"), PLANTED)
def test_a_planted_fault_is_reported_by_its_own_check_and_no_other(
    code: str, old: str, new: str, part: str
) -> None:
    problems = check_mails([plant(old, new, part)])
    assert {problem.code for problem in problems} == {code}, "\n".join(map(str, problems))
    assert {problem.level for problem in problems} == {CHECKS[code].level}


_QUOTED = {"dead-element", "unsupported-style"}
"""Findings that quote a note of the table of what email programs support."""


@pytest.mark.parametrize("tag", [tag for tag in LANGUAGES if tag != SOURCE_LANGUAGE])
def test_what_is_wrong_is_said_in_every_language(tag: str) -> None:
    translator = load_translator(tag)
    for code, old, new, part in PLANTED:
        if code in _QUOTED:
            continue
        for problem in check_mails([plant(old, new, part)]):
            said = translator.find_words(problem.message)
            assert said not in {None, problem.message}, problem.message
            for word in (" the ", " is ", " has ", " Give ", " Add ", " Use ", " Set ", "Write "):
                assert word not in _leave_quoted(said or ""), (word, said)


def _leave_quoted(said: str) -> str:
    return re.sub(r"“.*?”|«.*?»|「.*?」", "", said)


# --- faults that need more than one replacement -------------------------------------------------------------


def mail_with_image(width: int, size: int = 20_000) -> Mail:
    image = PreparedImage(name=PICTURE, data=b"x" * size, width=width, height=width)
    return replace(GOOD, images={PICTURE: image})


@pytest.mark.parametrize("width", [200, 1400])
def test_an_image_with_too_few_or_too_many_pixels_is_a_warning_with_its_ratio(width: int) -> None:
    (problem,) = check_mails([mail_with_image(width)])
    assert problem.code == "picture-density"
    assert f"{width / 200:.1f} for each" in problem.message


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (200_001, {"heavy-picture"}),
        (600_000, {"heavy-picture", "mail-heavy"}),
        (1_000_000, {"heavy-picture", "mail-overweight"}),
    ],
)
def test_the_size_of_images_is_limited(size: int, expected: set[str]) -> None:
    assert codes(mail_with_image(400, size)) == expected


def test_many_small_images_are_too_large_together() -> None:
    tags = "".join(
        f'<img src="https://news.example.org/media/{n}.jpg" alt="Loom {n}" width="200" style="width:100%">'
        for n in range(4)
    )
    images = {
        f"{n}.jpg": PreparedImage(name=f"{n}.jpg", data=b"x" * 150_000, width=400, height=4) for n in range(4)
    }
    mail = replace(plant("<table style=", f"{tags}<table style="), images=images)
    assert codes(mail) == {"mail-heavy"}


def test_a_mail_of_images_alone_is_refused() -> None:
    start, end = GOOD.html.index('<p class="first">'), GOOD.html.index("<img src")
    image = PreparedImage(name=PICTURE, data=b"", width=400, height=2000)
    mail = replace(GOOD, html=GOOD.html[:start] + GOOD.html[end:], images={PICTURE: image})
    assert "image-only" in codes(mail)


def test_a_button_that_is_an_image_is_a_warning() -> None:
    button = (
        '<a href="https://example.org/r"><img src="https://e.org/b.png" alt="Register now" width="120"></a>'
    )
    assert codes(plant("<table style=", f"{button}<table style=")) == {"picture-button"}


@pytest.mark.parametrize("style", ["color:#f4f1ea", "font-size:1px"])
def test_a_preheader_hidden_by_its_colour_or_size_is_a_warning(style: str) -> None:
    hidden = plant('style="display:none;mso-hide:all"', f'style="{style}"')
    assert "coloured-preheader" in codes(hidden)


def test_personal_links_are_recognised_by_the_values_of_their_merge_tags() -> None:
    filled = {
        tag: f"https://news.example.org/{letter}/token"
        for tag, letter in (("unsubscribe_url", "u"), ("preferences_url", "p"))
    }
    html, text = GOOD.html, GOOD.text
    for tag, value in filled.items():
        html, text = html.replace(f"@@{tag}@@", value), text.replace(f"@@{tag}@@", value)
    mail = replace(GOOD, html=html, text=text, **filled)
    assert check_mails([mail]) == []
    tagged = replace(mail, html=html.replace('/u/token"', '/u/token?utm_source=x"'))
    assert codes(tagged) == {"no-unsubscribe", "tagged-personal-link"}


def test_our_own_pages_may_be_on_this_machine_if_the_base_url_is() -> None:
    local = "http://127.0.0.1:8025"
    html = GOOD.html.replace("https://news.example.org", local).replace(LINK, f'href="{local}/e/x"')
    message = (GOOD.message or b"").replace(b"https://news.example.org", local.encode())
    assert check_mails([replace(GOOD, html=html, message=message, base_url=local)]) == []
    assert codes(replace(GOOD, html=html)) == {"numeric-link"}


def test_a_mail_without_a_message_is_not_judged_by_its_headers() -> None:
    assert check_mails([replace(GOOD, message=None)]) == []


@pytest.mark.parametrize("given", ["", "en", "en-GB"])
def test_phrases_in_the_language_of_the_mail_are_no_problem(given: str) -> None:
    assert check_mails([replace(GOOD, words_language=given)]) == []


def test_phrases_in_another_language_are_one_warning_per_language() -> None:
    arabic, other = replace(GOOD, language="ar", words_language="en"), replace(GOOD, variant="another")
    found = [problem for problem in check_mails([other, arabic, arabic]) if problem.code == "no-words"]
    (problem,) = found
    assert problem.level is ProblemLevel.warning
    assert problem.message.startswith(
        "ar: phrases such as “Read more” and “Unsubscribe” are not available in Arabic"
    )
    assert "they appear in English" in problem.message
    assert "templates/email/words/ar.toml" in problem.message


def test_a_language_without_phrases_is_a_problem_until_they_are_written(
    workspace: Workspace,
) -> None:
    folder = write_edition(workspace.editions)
    for path in folder.rglob("*.zh.md"):
        path.rename(path.with_name(path.name.replace(".zh.", ".sw.")))
    (problem,) = (
        problem for problem in run_preflight(workspace, SLUG).problems if problem.code == "no-words"
    )
    assert problem.message.startswith(
        "sw: phrases such as “Read more” and “Unsubscribe” are not available in Swahili"
    )
    words = workspace.root / "templates" / "email" / "words"
    words.mkdir(parents=True)
    ours = ROOT / "templates" / "email" / "words" / "en.toml"
    (words / "sw.toml").write_text(ours.read_text(encoding="utf-8"), encoding="utf-8")
    assert "no-words" not in {problem.code for problem in run_preflight(workspace, SLUG).problems}


# --- checks of other files ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("subject", "code"),
    [
        ("W" * 71, "long-subject"),
        ("WHAT WE DID", "shouting-subject"),
        ("What we did!!!", "loud-subject"),
        ("100% guaranteed news", "loud-subject"),
    ],
)
def test_problems_of_the_subject_are_reported_in_its_file(tmp_path: Path, subject: str, code: str) -> None:
    draft = Draft(tmp_path / "2021-2")
    draft.change("edition.md", "What we did this autumn", f'"{subject}"')
    found = {problem.code for problem in draft.problems()}
    assert code in found
    assert {CHECKS[each].number for each in found} == {30}


def errors(workspace: Workspace) -> set[str]:
    problems = run_preflight(workspace, SLUG).problems
    return {problem.code for problem in problems if problem.level is ProblemLevel.error}


@pytest.mark.parametrize(
    ("old", "new"),
    [("<mj-body ", '<mj-body font-szie="1px" '), ("<mj-head>", "<mj-head><mj-preview>x</mj-preview>")],
)
def test_invalid_mjml_has_its_own_code(workspace: Workspace, old: str, new: str) -> None:
    write_edition(workspace.editions)
    template = Path("templates/email/periodical.mjml.j2")
    own = workspace.root / template
    own.parent.mkdir(parents=True)
    source = (ROOT / template).read_text(encoding="utf-8")
    assert old in source
    own.write_text(source.replace(old, new, 1), encoding="utf-8")
    assert errors(workspace) == {"mjml"}


def test_other_errors_in_a_template_are_not_taken_for_mjml(workspace: Workspace) -> None:
    write_edition(workspace.editions)
    own = workspace.root / "templates" / "email" / "periodical.mjml.j2"
    own.parent.mkdir(parents=True)
    own.write_text("{% if %}", encoding="utf-8")
    assert errors(workspace) == {"template"}


def test_every_question_has_a_planted_fault() -> None:
    planted = {CHECKS[code].number for code, _, _, _ in PLANTED}
    # 20, 22, 23: pictures of other sizes; 30: edition.md; 38: a template; 39: test_link_checker.py.
    assert planted | {20, 22, 23, 30, 38, 39} >= set(range(1, 40))
