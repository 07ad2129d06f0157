"""The page about segments: its commands run and print what it shows, its words are the program's own."""

import re
from pathlib import Path

import pytest

from subscribers.segments.description import Vocabulary, describe_segment
from subscribers.segments.segment import parse_segment
from tests.docs.test_documents import ROOT, read_console_blocks, run_shell
from tests.subscribers.segments.oracle import SENT

PAGE = ROOT / "docs" / "segments.md"
WORDS = Vocabulary(sectors={"education": "Education", "culture": "Culture"})
EXAMPLES = re.findall(r"^\| `(.+?)` \| (.+?) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)


def squeeze(line: str) -> str:
    """How wide a column is depends on what else is in it."""
    return " ".join(line.split())


@pytest.mark.spare
def test_the_commands_of_the_page_run_in_the_order_they_stand_and_print_what_it_shows(tmp_path: Path) -> None:
    assert run_shell("mailer init my-newsletter --sample", tmp_path).returncode == 0
    shown = read_console_blocks(PAGE)
    assert len(shown) >= 8
    for line, output in shown:
        done = run_shell(line, tmp_path)
        assert done.returncode == (1 if any("Error" in words for words in output) else 0), done.stdout
        printed = [squeeze(words) for words in done.stdout.splitlines()]
        missing = [words for words in output if squeeze(words) not in printed]
        assert missing == [], f"$ {line}\n{done.stdout}"


def test_the_page_has_examples_of_every_key() -> None:
    asked = {query.lstrip("-(").split(":")[0] for query, _ in EXAMPLES}
    keys = {"country", "sector", "language", "tag", "org", "joined", "got", "status", "consent"}
    assert asked >= {*keys, "all"}


@pytest.mark.parametrize(("query", "words"), EXAMPLES)
def test_an_example_means_what_the_page_says(query: str, words: str) -> None:
    assert describe_segment(parse_segment(query, deliveries=SENT), WORDS) == words
