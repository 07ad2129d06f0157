"""One problem for what several mails have in common, which names those mails."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from editions.errors import ProblemLevel
from mailer.checks.mail.parsed_mail import Mail, excerpt
from mailer.checks.registry import CHECKS
from mailer.checks.rules.mime import MAX_HTML_BYTES, WARN_HTML_BYTES
from mailer.checks.runner import check_mails
from tests.checks.sample_mail import GOOD, PICTURE, plant

FIRST = '<p class="first">'


def padded(size: int, variant: str = "the whole edition") -> Mail:
    padding = "x" * (size - len(GOOD.html.encode()) - len("<!---->"))
    return replace(GOOD, html=GOOD.html.replace(FIRST, f"<!--{padding}-->{FIRST}"), variant=variant)


def test_size_is_measured_in_bytes_against_gmails_limit() -> None:
    assert check_mails([padded(WARN_HTML_BYTES)]) == []
    (warning,) = check_mails([padded(WARN_HTML_BYTES + 1)])
    assert (warning.code, warning.level) == ("mail-large", ProblemLevel.warning)
    assert [problem.code for problem in check_mails([padded(MAX_HTML_BYTES)])] == ["mail-large"]
    (error,) = check_mails([padded(MAX_HTML_BYTES + 1)])
    assert (error.code, error.level) == ("mail-too-large", ProblemLevel.error)
    assert "100,001 bytes" in error.message


def test_a_problem_of_one_mail_names_its_language() -> None:
    (problem,) = check_mails([replace(padded(WARN_HTML_BYTES + 1), language="zh-Hans")])
    assert (problem.path, problem.line) == ("edition.md", 1)
    assert problem.message.startswith("zh-Hans: the email has 85,001 bytes")


def test_a_problem_of_all_mails_in_a_language_is_reported_once() -> None:
    broken = plant(f'{PICTURE}"', f'{PICTURE}" data-x="\\u{{3000}}"')
    mails = [replace(broken, variant=name) for name in ("a", "b", "c")]
    (problem,) = check_mails([*mails, replace(GOOD, language="fr")])
    assert problem.message.startswith("en: the HTML part contains")


def test_a_problem_of_some_variants_counts_them_and_names_the_worst() -> None:
    mails = [
        padded(WARN_HTML_BYTES + 5, "a"),
        padded(WARN_HTML_BYTES + 9, "the version with 7 stories"),
        GOOD,
        replace(GOOD, language="fr"),
    ]
    (problem,) = check_mails(mails)
    assert problem.message.startswith(
        "en, 2 of 3 variants, such as the version with 7 stories: the email has 85,009 bytes"
    )


def test_a_problem_of_one_variant_names_it() -> None:
    (problem,) = check_mails([GOOD, padded(WARN_HTML_BYTES + 9, "the version with 7 stories")])
    assert problem.message.startswith("en, 1 of 2 variants (the version with 7 stories): ")


def test_a_problem_of_every_mail_names_no_variant() -> None:
    mails = [padded(WARN_HTML_BYTES + 9), replace(padded(WARN_HTML_BYTES + 9), language="fr")]
    (problem,) = check_mails(mails)
    assert problem.message.startswith("the email has 85,009 bytes")


def test_a_repeated_fault_is_reported_once() -> None:
    mail = plant('<p class="first">', '<p style="display:flex"></p><p style="display:flex"></p><p>')
    assert [problem.code for problem in check_mails([mail])] == ["unsupported-style"]


@pytest.mark.parametrize(("text", "short"), [("a  b\nc", "a b c"), ("x" * 50, "x" * 39 + "…")])
def test_an_excerpt_is_one_short_line(text: str, short: str) -> None:
    assert excerpt(text) == short


@given(place=st.integers(0, len(GOOD.html)), length=st.integers(1, 3000), text=st.text(max_size=30))
@settings(max_examples=60, deadline=None)
def test_no_broken_mail_crashes_the_checks(place: int, length: int, text: str) -> None:
    broken = GOOD.html[:place] + text + GOOD.html[place + length :]
    for problem in check_mails([replace(GOOD, html=broken)]):
        assert problem.code in CHECKS
        assert "\n" not in problem.message


@pytest.mark.parametrize("html", ["", " ", "<!DOCTYPE html>", "<!-- x -->", "x"])
def test_an_empty_mail_has_problems_and_crashes_no_check(html: str) -> None:
    assert {"no-language", "no-unsubscribe"} <= {
        problem.code for problem in check_mails([replace(GOOD, html=html)])
    }
