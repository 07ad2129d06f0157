"""Each finding has a page, and each page is that of a finding."""

import ast
from collections.abc import Iterator
from pathlib import Path

import mailer.doctor
from mailer.doctor.diagnosis import describe_finding, read_explanations

FOLDER = Path(mailer.doctor.__file__).parent


def list_words(folder: Path) -> Iterator[str]:
    """Every string constant of the package."""
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value


def list_codes(folder: Path) -> Iterator[str]:
    """The codes that the package gives to findings: second of ``find_bad``, or named ``code``."""
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                given = [keyword.value for keyword in node.keywords if keyword.arg == "code"]
                if node.func.id in {"find_bad", "find_doubtful"}:
                    given += node.args[1:2]
                yield from (str(each.value) for each in given if isinstance(each, ast.Constant))


def test_every_code_has_a_page_and_every_page_a_finding() -> None:
    pages = set(read_explanations())
    assert set(list_codes(FOLDER)) - {""} <= pages
    assert pages <= set(list_words(FOLDER))


def test_every_page_says_what_is_wrong_what_it_means_and_what_to_do() -> None:
    for page in read_explanations().values():
        for sentence in (page.title, page.why, page.advice):
            assert sentence.endswith((".", ":")), (page.code, sentence)
            assert sentence[0].isupper() or sentence[0] in "`[", (page.code, sentence)
        assert page.why in describe_finding(page)
