"""The figures on a corpus of real bounces, which stands beside the project, and how they are counted."""

import subprocess
import sys
from pathlib import Path

import pytest

from scripts.score_bounces import CORPUS, Reading, Score, list_not_bounces, load_mails, read_ours, score

MAILS = {"a.eml": b"one", "b.eml": b"two", "c.eml": b"three"}
EXPECTED: dict[str, list[dict[str, object]]] = {
    "a.eml": [{"recipient": "Dead@example.org", "dead": True}],
    "b.eml": [{"recipient": "full@example.org", "dead": False}],
    "c.eml": [{"recipient": "hidden@example.invalid", "dead": False}],
}


def test_a_score_counts_files_and_addresses() -> None:
    said = {
        b"one": Reading(is_bounce=True, dead={"dead@example.org": True}),
        b"two": Reading(is_bounce=True, dead={"full@example.org": True, "wrong@example.org": True}),
        b"three": Reading(is_bounce=True, dead={}),
    }
    result = score(said.__getitem__, MAILS, EXPECTED, [b"three"])
    assert (result.files, result.right, result.false_bounces) == (3, 2, 1)
    assert (result.precision, result.recall) == (0.5, 1.0)
    assert result.wrong == [
        "b.eml: ['full@example.org', 'wrong@example.org'] instead of ['full@example.org']"
    ]
    assert Score().precision == 0.0


def test_without_a_corpus_the_score_says_what_to_give_it(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "scripts.score_bounces", str(tmp_path)]
    result = subprocess.run(
        command, capture_output=True, text=True, cwd=Path(__file__).parents[2], check=False
    )
    assert result.returncode == 2
    assert f"There is no corpus of bounces in {tmp_path}" in result.stdout


@pytest.mark.skipif(not (CORPUS / "expected.json").is_file(), reason=f"there is no corpus in {CORPUS}")
def test_real_bounces_are_read_as_well_as_we_say() -> None:
    mails, expected = load_mails(CORPUS)
    result = score(read_ours, mails, expected, list_not_bounces(CORPUS, mails, expected))
    assert result.right / result.files >= 0.97, "\n".join(result.wrong)
    assert result.precision >= 0.98
    assert result.recall >= 0.90
    assert result.false_bounces == 0
