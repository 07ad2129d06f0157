"""The envelope that a pipe or an LMTP connection hands over, written on top of the message."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.feedback.lmtp_server import add_envelope

MESSAGE = b"From: a@example.com\r\nSubject: hello\r\n\r\nWords.\r\n"


def test_the_envelope_stands_on_top_and_nothing_below_it_changes() -> None:
    written = add_envelope(
        MESSAGE,
        sender="",
        recipients=["b+1@example.org", "b+2@example.org"],
        original_recipients=["x@example.org"],
    )
    assert written == (
        b"Return-Path: <>\r\nX-Original-To: x@example.org\r\n"
        b"Delivered-To: b+1@example.org\r\nDelivered-To: b+2@example.org\r\n" + MESSAGE
    )


def test_what_the_mail_server_has_written_itself_is_not_repeated() -> None:
    message = b"Return-Path: <>\nDelivered-To: b@example.org\n" + MESSAGE.replace(b"\r\n", b"\n")
    assert add_envelope(message, sender="", recipients=["b@example.org"]) == message
    # Further down, anybody may have written it.
    forged = b"Subject: x\nDelivered-To: b@example.org\n\n"
    assert add_envelope(forged, sender=None, recipients=["b@example.org"]).startswith(b"Delivered-To: b@")


@pytest.mark.parametrize(
    ("message", "rest"),
    [
        (b"From a@example.com Thu Jan  1 00:00:00 2026\n" + MESSAGE, MESSAGE),
        (b"From a@example.com\rSubject: x\r\rWords.", b"From a@example.com\rSubject: x\r\rWords."),
    ],
)
def test_a_first_line_as_in_an_mbox_file_is_left_out(message: bytes, rest: bytes) -> None:
    assert add_envelope(message, sender=None, recipients=[]) == rest


@given(st.binary(max_size=300), st.text(max_size=50), st.lists(st.text(max_size=50), max_size=3))
def test_no_address_adds_a_line_of_its_own_and_no_byte_of_the_message_is_lost(
    content: bytes, sender: str, recipients: list[str]
) -> None:
    written = add_envelope(content, sender=sender, recipients=recipients)
    assert written.endswith(content) or content.startswith(b"From ")
    added = written.removesuffix(content)
    assert len(added.splitlines()) <= 1 + len(recipients) or content.startswith(b"From ")
