"""What `mailer doctor` prints: the bad first, records to copy, and a page for each finding."""

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from mailer.cli.rich_tables import print_findings
from mailer.doctor import Diagnosis
from mailer.doctor.diagnosis import find_bad, find_doubtful, find_good
from tests.cli.test_commands import run

LONG = "v=DKIM1; k=rsa; p=" + "A" * 392
FINDINGS = (
    find_good("keys", "only you can read the keys"),
    find_doubtful("dmarc", "dmarc-policy-none", "the DMARC record says p=none"),
    find_good("dkim", "the signing key works"),
    find_bad(
        "dkim",
        "dkim-record-missing",
        "there is no key at n1._domainkey.ministry.int, so receivers cannot check your signatures.",
        record=f'n1._domainkey.ministry.int. IN TXT ( "{LONG[:255]}" "{LONG[255:]}" )',
    ),
    find_bad("ptr", "ptr-unconfirmed", "[smtp] is no markup", record="mx.ministry.int. IN A 192.0.2.1"),
)


def print_all(*findings: Diagnosis, show_good: bool = False, width: int = 80, terminal: bool = False) -> str:
    file = io.StringIO()
    console = Console(file=file, width=width, force_terminal=terminal, highlight=False)
    print_findings(findings, show_good=show_good, console=console)
    return file.getvalue()


def test_the_bad_stands_before_the_doubtful_and_the_good_takes_one_line() -> None:
    text = print_all(*FINDINGS)
    places = [text.index(word) for word in ("Bad:", "There is no key", "Doubtful:", "p=none", "Good: keys")]
    assert places == sorted(places)
    assert "only you can read the keys" not in text.lower()
    assert "--explain dkim-record-missing" in text
    assert "Only you can read the keys" in print_all(*FINDINGS, show_good=True)


@pytest.mark.parametrize("width", [40, 80, 200])
def test_each_part_of_a_record_is_one_line_whatever_the_width(width: int) -> None:
    lines = [line.strip() for line in print_all(*FINDINGS, width=width, terminal=True).splitlines()]
    plain = [line.replace("\x1b[0m", "") for line in lines]
    assert any(LONG in line for line in plain)
    assert any("n1._domainkey.ministry.int" in line and "name" in line for line in plain)
    assert any(line.endswith(("192.0.2.1", "192.0.2.1\x1b[0m")) for line in lines)


def test_square_brackets_are_no_markup_and_no_line_ends_in_blanks() -> None:
    text = print_all(*FINDINGS)
    assert "[smtp] is no markup" in text
    assert [line for line in text.splitlines() if line != line.rstrip()] == []


def test_without_a_fault_there_is_nothing_to_explain() -> None:
    text = print_all(find_good("keys", "only you can read the keys"))
    assert "Nothing stands in the way of your mail." in text
    assert "--explain" not in text


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "workspace"
    assert run(tmp_path, "init", str(root), "--sample").exit_code == 0
    return root


def test_one_subject_is_shown_and_counts_alone(root: Path) -> None:
    result = run(root, "doctor", "keys", MAILER_SMTP__URL="smtp://127.0.0.1:9")
    assert result.exit_code == 0
    assert "Only you can read the keys" in result.stdout
    assert "relay" not in result.stdout
    assert run(root, "doctor", "relay", MAILER_SMTP__URL="smtp://127.0.0.1:9").exit_code == 1
    unknown = run(root, "doctor", "weather", MAILER_SMTP__URL="maildir:received")
    assert unknown.exit_code == 2
    assert "`mailer doctor --all` shows every subject" in unknown.stderr


def test_each_finding_in_json_has_its_five_parts(root: Path) -> None:
    result = run(root, "doctor", "--json", MAILER_SMTP__URL="smtp://127.0.0.1:9")
    findings = json.loads(result.stdout)
    assert {frozenset(finding) for finding in findings} == {
        frozenset({"subject", "verdict", "message", "record", "code"})
    }
    assert all(finding["code"] for finding in findings if finding["verdict"] != "good")


def test_a_finding_is_explained_and_a_misspelt_one_is_guessed(root: Path) -> None:
    assert "anybody may" in run(root, "doctor", "--explain", "spf-missing").stdout
    wrong = run(root, "doctor", "--explain", "spf-mising")
    assert wrong.exit_code == 2
    assert "Did you mean spf-missing?" in wrong.stderr
