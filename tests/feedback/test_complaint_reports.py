"""A complaint to the address that a message names (RFC 9477), from our message to the reader who leaves."""

import json
from base64 import b64encode
from collections.abc import Callable
from datetime import datetime
from email import message_from_bytes

import pytest
from sqlmodel import Session

from mailer.feedback.context import FeedbackContext
from mailer.feedback.intake import receive
from mailer.rendering.mail_merge import reader_for
from mailer.rendering.message import build_message
from subscribers.models import Subscriber
from tests.factories.feedback import read_statuses, set_feedback
from tests.rendering.test_message import COMPILED

PERSON = 3
COMPLAINTS = "complaints@news.example.org"


@pytest.fixture
def kept_header(context: FeedbackContext, campaign: int, now: datetime) -> str:
    """The one header that a report by RFC 9477 must keep of our message, as our message has it."""
    settings = set_feedback(context.workspace, complaint_address=COMPLAINTS).settings
    with Session(context.engine) as session:
        subscriber = session.get_one(Subscriber, PERSON)
        reader = reader_for(subscriber, campaign, settings, context.workspace.keys.tokens)
    message = message_from_bytes(build_message(COMPILED, reader, settings, now=now))
    assert message["CFBL-Address"].partition(";")[0] == COMPLAINTS
    return f"CFBL-Feedback-ID: {message['CFBL-Feedback-ID']}"


def write_arf(kept: str) -> str:
    return (
        f"From: <fbl@provider.example>\nTo: <{COMPLAINTS}>\nSubject: FW: complaint\nMIME-Version: 1.0\n"
        "Content-Type: multipart/report; report-type=feedback-report; boundary=b\n\n"
        "--b\nContent-Type: text/plain\n\nThis is a report.\n"
        "--b\nContent-Type: message/feedback-report\n\n"
        "Feedback-Type: abuse\nUser-Agent: FBL/0.1\nVersion: 1\nReported-Domain: example.org\n"
        f"--b\nContent-Type: text/rfc822-headers; charset=UTF-8\n\n{kept}\n--b--\n"
    )


def write_xarf(kept: str) -> str:
    sample = {"content_type": "message/rfc822", "payload": b64encode(f"{kept}\n\n".encode()).decode()}
    report = {"xarf_version": "4.0.0", "category": "messaging", "type": "spam", "evidence": [sample]}
    # Encoded, so that the token can only be found by reading the report.
    body = b64encode(json.dumps(report).encode()).decode()
    return (
        f"From: <fbl@provider.example>\nTo: <{COMPLAINTS}>\nSubject: XARF report\nMIME-Version: 1.0\n"
        "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain\n\nThis is a report.\n"
        f"--b\nContent-Type: application/json\nContent-Transfer-Encoding: base64\n\n{body}\n--b--\n"
    )


@pytest.mark.parametrize("write", [write_arf, write_xarf])
def test_a_report_that_keeps_one_header_takes_its_reader_off_the_list(
    context: FeedbackContext, kept_header: str, write: Callable[[str], str], now: datetime
) -> None:
    receive(context, write(kept_header).encode(), source="test", now=now)
    statuses = read_statuses(context.engine)
    assert statuses.pop(PERSON) == "complained"
    assert set(statuses.values()) == {"active"}


def test_a_report_with_a_token_that_is_not_ours_takes_nobody_off(
    context: FeedbackContext, kept_header: str, now: datetime
) -> None:
    digit = "0" if kept_header[-1] != "0" else "1"
    receive(context, write_arf(kept_header[:-1] + digit).encode(), source="test", now=now)
    assert set(read_statuses(context.engine).values()) == {"active"}
