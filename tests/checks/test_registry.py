"""The registry has exactly the checks that can be reported, each with a complete description."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from editions.checks.registry import SOURCE_CHECKS, Check
from editions.errors import ProblemLevel
from mailer.checks.registry import CHECKS, MAIL_CHECKS, Use, describe_check, known_features, list_pages
from tests.paths import ROOT

CODE = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
# The functions that make a problem, an error or a finding; one of their arguments is the code.
REPORTERS = {
    "_error", "_problem", "_warning", "fault", "finding", "found", "LinkFault", "Problem", "refuse", "report"
}  # fmt: skip


def list_modules() -> Iterator[Path]:
    for folder in ("editions", "mailer/checks", "mailer/campaigns", "mailer/web"):
        yield from sorted((ROOT / folder).rglob("*.py"))


def read_reported(path: Path) -> set[str]:
    """The codes that a module reports, known or not; a code has a hyphen, or it could be any word.
    "step-1" is the name of a field."""
    reported: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            if name in REPORTERS or name.endswith("Error"):
                reported |= read_texts(
                    *node.args, *(word.value for word in node.keywords if word.arg == "code")
                )
    return {code for code in reported if "-" in code and CODE.fullmatch(code)} - {"utf-8", "step-1"}


def read_texts(*nodes: ast.AST) -> set[str]:
    """Every string constant in ``nodes``."""
    return {
        node.value
        for root in nodes
        for node in ast.walk(root)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def test_every_code_that_can_be_emitted_is_in_the_registry() -> None:
    reported = set().union(*(read_reported(path) for path in list_modules()))
    assert reported - set(CHECKS) == set()
    # Otherwise the test would prove nothing.
    assert len(reported) > 100


def test_every_code_in_the_registry_can_be_emitted() -> None:
    written = set().union(*(read_texts(ast.parse(path.read_text("utf-8"))) for path in list_modules()))
    put_together = {f"untranslated-{key}" for key in ("alt", "caption")}
    assert set(CHECKS) - written - put_together == set()


def test_a_code_that_is_not_in_the_registry_is_found(tmp_path: Path) -> None:
    module = tmp_path / "planted.py"
    module.write_text('def check():\n    yield _error(document, 1, "planted-fault", "Oh.")\n')
    assert read_reported(module) == {"planted-fault"}


def test_no_code_checks_both_the_files_and_the_mail() -> None:
    assert set(SOURCE_CHECKS) & set(MAIL_CHECKS) == set()


def test_every_one_of_the_39_questions_has_a_check() -> None:
    assert {check.number for check in CHECKS.values()} - {None} == set(range(1, 40))


@pytest.mark.parametrize("check", CHECKS.values(), ids=lambda check: check.code)
def test_a_check_has_a_title_a_reason_and_advice_in_whole_sentences(check: Check) -> None:
    assert CODE.fullmatch(check.code)
    for words in (check.title, check.why, check.advice):
        assert len(words) >= 9
        assert words[0].isupper() or words[0] in "`!"
        assert words.rstrip("`*")[-1] in ".;?" or words.endswith(("`.", "`"))
    for source in check.sources:
        assert source.startswith("https://")
    # A number comes from somewhere, and so does a duty that cannot be switched off.
    assert check.sources or check.number is None or check.code in {"reserved-sign", "long-subject"}


def test_a_page_has_the_reason_the_advice_the_sources_and_how_to_switch_it_off() -> None:
    page = describe_check(CHECKS["low-contrast"])
    for part in (
        CHECKS["low-contrast"].why,
        CHECKS["low-contrast"].advice,
        "number 9 of 39",
        "checks:\n  low-contrast:",
    ):
        assert part in page
    assert all(f"<{source}>" in page for source in CHECKS["low-contrast"].sources)
    assert "It cannot be switched off" in describe_check(CHECKS["no-unsubscribe"])


def test_every_check_has_a_page_and_a_row() -> None:
    pages = list_pages()
    assert set(pages) == {"README.md", "support.md", *(f"{code}.md" for code in CHECKS)}
    assert all(f"[{code}]({code}.md)" in pages["README.md"] for code in CHECKS)


@pytest.mark.parametrize(
    "code", ["no-unsubscribe", "mail-too-large", "no-text", "jinja-left", "no-postal-address"]
)
def test_checks_that_protect_readers_are_essential_errors(code: str) -> None:
    assert CHECKS[code].essential
    assert CHECKS[code].level is ProblemLevel.error


def test_a_forbidden_feature_says_what_to_use_instead() -> None:
    silent = [
        feature.name for feature in known_features().values() if feature.use is Use.never and not feature.note
    ]
    assert silent == []
    assert {feature.kind for feature in known_features().values()} == {
        "element",
        "property",
        "value",
        "at-rule",
        "pseudo",
    }
