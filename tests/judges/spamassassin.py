"""SpamAssassin without the network (``-L``): no mail scores above nought, and no rule counts against it."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tests.judges.complaint import Complaint, JudgeError, run_judge
from tests.judges.mails import Mail

_FIRST_LINE = re.compile(r"^(?=X-Spam-Checker-Version: )", re.MULTILINE)
_MESSAGE_ID = re.compile(r"^Message-ID: (\S+)$", re.MULTILINE | re.IGNORECASE)
_SCORE = re.compile(r"^X-Spam-Status: \w+, score=(-?\d+\.\d+) ", re.MULTILINE)
_RULE = re.compile(r"^ ?(-?\d+\.\d+) ([A-Z][A-Z0-9_]+) +(.*)$", re.MULTILINE)
_MOST = 0.0
# Rules made for English that count letters. They may fire as long as the mail's score stays where it must.
_EXCUSED = {
    # Arabic, Hebrew and Chinese know no capitals, so that "UNESCO" alone makes a subject all capitals.
    "SUBJ_ALL_CAPS",
    # Mongolian beside an office's English name and its links: Cyrillic and Latin "e" in one mail.
    "MIXED_ES",
}


def judge_spam(mails: Sequence[Mail]) -> Iterator[Complaint]:
    """Judge the messages of ``mails`` in one run, which prints them one after the other with its report."""
    files = {_message_id(mail.eml.read_text("utf-8")): mail.eml for mail in mails}
    if len(files) < len(mails):
        raise JudgeError("two messages have one Message-ID, so their verdicts could not be told apart.")
    # -x and -p: no settings of whoever runs this, and none left in their home.
    said = run_judge(["spamassassin", "-L", "-t", "-x", "-p", "/dev/null", *files.values()])
    reports = _FIRST_LINE.split(said)[1:]
    if len(reports) != len(files):
        raise JudgeError(f"spamassassin was given {len(files)} messages and judged {len(reports)}.")
    for report in reports:
        yield from read_report(report, files)


def read_report(report: str, files: Mapping[str, Path]) -> Iterator[Complaint]:
    """Every rule that counts against the message of ``report``, and its score if that is too high."""
    file = files[_message_id(report)]
    score = _SCORE.search(report)
    if score is None:
        raise JudgeError(f"spamassassin gave {file.name} no score.")
    if float(score[1]) > _MOST:
        yield Complaint(file, 1, f"scores {score[1]}, and {_MOST} is the most")
    # A list's headers earn a point, which would pay for a fault.
    for points, rule, words in _RULE.findall(report):
        if float(points) > 0 and rule not in _EXCUSED:
            yield Complaint(file, 1, f"{rule} ({points}): {words.strip()}")


def _message_id(message: str) -> str:
    found = _MESSAGE_ID.search(message)
    if found is None:
        raise JudgeError("a message has no Message-ID, so its verdict would be nobody's.")
    return found[1]
