"""What flufl.bounce finds, and how much of a message it is asked about."""

import pytest

from mailer.feedback.bounces.server_rules import read_with_flufl
from mailer.feedback.mime_part import parse_message

FIELDS = b"From: MAILER-DAEMON@mail.example.com\nTo: bounce@example.com\nSubject: failure notice\n\n"
NOTICE = b"""Hi. This is the qmail-send program at mail.example.com.
I'm afraid I wasn't able to deliver your message to the following addresses.
This is a permanent error; I've given up. Sorry it didn't work out.

<anna@example.org>:
Sorry, no mailbox here by that name.
"""


@pytest.mark.parametrize(("empty_lines", "found"), [(2_000, ["anna@example.org"]), (4_000, [])])
def test_flufl_is_not_asked_about_thousands_of_lines(empty_lines: int, found: list[str]) -> None:
    message = parse_message(FIELDS + b"\n" * empty_lines + NOTICE)
    assert [report.address for report in read_with_flufl(message)] == found
