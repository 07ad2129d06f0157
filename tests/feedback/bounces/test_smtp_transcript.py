"""Which SMTP command a server refused, as a bounce shows it."""

import pytest

from mailer.feedback.bounces.server_rules import find_refused_command, find_transcript

_POSTFIX = """\
<anna@example.org>: host mx.example.org[192.0.2.7] said: 550 5.2.1
    <anna@example.org>... User unknown (in reply to RCPT TO command)

<berta@example.org>: host mx.example.org[192.0.2.7] said: 550 Unknown user
    (in reply to end of DATA command)
"""
_SENDMAIL = """\
   ----- Transcript of session follows -----
... while talking to mx.example.org.:
>>> RCPT To:<anna@example.org>
<<< 550 <anna@example.org>... User unknown
550 <anna@example.org>... User unknown
>>> DATA
<<< 554 Message refused
"""
_PIPELINED = """\
>>> DATA
<<< 550 <anna@example.org>: User unknown
550 5.1.1 <anna@example.org>... User unknown
<<< 503 5.0.0 Need RCPT (recipient)
"""


def test_postfix_says_it_of_each_recipient():
    assert find_refused_command(_POSTFIX, "anna@example.org", is_only=False) == "RCPT"
    assert find_refused_command(_POSTFIX, "Berta@example.org", is_only=False) == "DATA"
    assert find_refused_command(_POSTFIX, "carla@example.org", is_only=False) == ""


def test_a_transcript_shows_it_for_the_address_that_rcpt_names():
    assert find_refused_command(_SENDMAIL, "anna@example.org", is_only=False) == "RCPT"
    # Another recipient of the same notice is not who was refused at DATA.
    assert find_refused_command(_SENDMAIL, "berta@example.org", is_only=False) == ""


@pytest.mark.parametrize(
    ("text", "command"),
    [
        (">>> DATA\n<<< 550 Unknown user anna@example.org\n", "DATA"),
        (">>> .\n<<< 550 5.7.1 refused\n", "DATA"),
        (">>> MAIL From:<news@example.net>\n<<< 550 5.1.8 no such domain\n", "MAIL"),
        ("<anna@example.org>:\n192.0.2.7 does not like recipient.\n", "RCPT"),
        ("anna@example.org could not be reached", ""),
    ],
)
def test_of_one_recipient_every_command_counts(text, command):
    assert find_refused_command(text, "anna@example.org", is_only=True) == command


def test_what_a_local_program_says_stands_in_the_transcript():
    words = "mail.local: unknown user: anna\n554 <anna@example.org>... Service unavailable"
    text = f"   ----- Transcript of session follows -----\n{words}\n\nReporting-MTA: dns; mx.example.org\n"
    assert find_transcript(text) == words
    assert find_transcript("The message was not delivered.") == ""


@pytest.mark.parametrize(
    "words", ["550 User unknown", "550 Host unknown", "550 5.1.1 <a@example.org>... User unknown"]
)
def test_what_sendmail_says_of_addresses_alone_answers_rcpt(words: str) -> None:
    text = f"   ----- Transcript of session follows -----\n{words}\n\n   ----- Unsent message follows -----\n"
    assert find_refused_command(text, "a@example.org", is_only=True) == "RCPT"
    assert find_refused_command(text, "a@example.org", is_only=False) == ""
