"""The reply policy: whose fault it is, reply by reply."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.smtp import reply_classifier
from mailer.smtp.reply_classifier import (
    Outcome,
    Stage,
    Verdict,
    classify_reply,
    clean_reply_text,
    find_enhanced_code,
    find_retry_delay,
    is_dead_address,
)

SLOW = {"slow_down": True}
CLOSED = {"reconnect": True}

TABLE = [
    # stage, reply, verdict, what it does to the connection and the pace
    ("connect", "421 4.3.2 Try later", "give_back", CLOSED),
    ("connect", "450 busy", "give_back", CLOSED),
    ("connect", "554 5.7.1 Go away", "give_back", CLOSED),
    ("connect", "554 No service", "give_back", CLOSED),
    ("tls", "454 4.7.0 TLS not available", "give_back", CLOSED),
    ("tls", "502 5.5.1 Not implemented", "stop", CLOSED),
    ("login", "454 4.7.0 Temporary failure", "give_back", CLOSED),
    ("login", "530 5.7.0 Must issue STARTTLS", "stop", CLOSED),
    ("login", "534 5.7.9 Too weak", "stop", CLOSED),
    ("login", "535 5.7.8 Wrong password", "stop", CLOSED),
    ("login", "538 5.7.11 Encryption required", "stop", CLOSED),
    ("mail", "421 4.4.5 Enough for one session", "give_back", CLOSED),
    ("mail", "451 4.3.0 Trouble", "give_back", SLOW | CLOSED),
    ("mail", "452 4.4.5 Too many messages, slow down", "give_back", SLOW | CLOSED),
    # A new connection is all that these ask for.
    ("mail", "452 4.4.5 Too many messages in this session", "give_back", CLOSED),
    ("mail", "452 4.4.5 Maximum number of messages per session exceeded.", "give_back", CLOSED),
    ("mail", "421 Maximum message count per session reached", "give_back", CLOSED),
    ("mail", "530 5.7.0 Authentication required", "stop", {}),
    ("mail", "550 Sender refused", "stop", {}),
    ("mail", "550 5.7.1 Sender not allowed", "stop", {}),
    ("mail", "552 5.3.4 Too big", "stop", {}),
    ("mail", "553 5.1.8 Sender's domain does not exist", "stop", {}),
    ("rcpt", "421 4.3.2 Shutting down", "give_back", CLOSED),
    ("rcpt", "421 Busy", "give_back", CLOSED),
    ("rcpt", "421 4.7.0 Not so many from you", "deferred", SLOW | CLOSED),
    ("rcpt", "450 4.2.0 Greylisted", "deferred", {}),
    ("rcpt", "451 4.7.1 Later", "deferred", {}),
    ("rcpt", "452 4.2.2 Mailbox full", "deferred", {}),
    ("rcpt", "450 Busy", "deferred", {}),
    ("rcpt", "552 5.2.2 Mailbox full", "deferred", {}),
    ("rcpt", "550 5.3.4 Too big for this system", "rejected", {}),
    ("rcpt", "550 5.5.1 What", "rejected", {}),
    ("rcpt", "554 No", "rejected", {}),
    ("rcpt", "530 5.7.0 Authentication required", "stop", {}),
    ("rcpt", "550 5.1.1 No such user", "rejected", {}),
    ("rcpt", "550 No such user", "rejected", {}),
    ("rcpt", "550 5.2.1 Disabled", "rejected", {}),
    ("rcpt", "550 5.2.2 Mailbox full", "deferred", {}),
    ("rcpt", "551 5.1.6 Moved", "rejected", {}),
    ("rcpt", "552 Mailbox full", "deferred", {}),
    ("rcpt", "553 5.1.3 Bad address", "rejected", {}),
    ("rcpt", "550 5.7.1 Blocked", "rejected", {}),
    ("rcpt", "550 5.7.515 Authentication level", "rejected", {}),
    ("rcpt", "554 5.7.1 Relay access denied", "rejected", {}),
    ("rcpt", "500 5.5.2 What", "rejected", {}),
    ("data", "421 4.3.2 Shutting down", "give_back", CLOSED),
    ("data", "451 4.7.1 Greylisted", "deferred", {}),
    ("data", "503 5.5.1 Not now", "stop", {}),
    ("data", "554 5.7.1 No", "stop", {}),
    ("dot", "250 2.0.0 queued as 4F2", "sent", {}),
    ("dot", "421 4.3.2 Shutting down", "deferred", SLOW | CLOSED),
    ("dot", "451 4.3.0 Trouble", "deferred", SLOW),
    ("dot", "454 Throttling failure: Maximum sending rate exceeded", "deferred", SLOW),
    ("dot", "421 Maximum message count per session reached", "deferred", CLOSED),
    ("dot", "452 4.3.1 Out of room", "deferred", SLOW),
    ("dot", "550 5.7.1 Looks like spam", "stop", {}),
    ("dot", "552 5.3.4 Too big", "stop", {}),
    ("dot", "554 5.6.0 Content rejected", "stop", {}),
    # No answer that means anything: nobody knows.
    ("dot", "354 Go on", "in_doubt", CLOSED),
    ("dot", "-1 gibberish", "in_doubt", CLOSED),
    ("mail", "-1 gibberish", "give_back", CLOSED),
    ("rcpt", "354 What", "give_back", CLOSED),
    ("data", "250 What", "give_back", CLOSED),
]


@pytest.mark.parametrize(("stage", "reply", "verdict", "effects"), TABLE)
def test_each_reply_has_one_meaning(stage: str, reply: str, verdict: str, effects: Any) -> None:
    code, _, words = reply.partition(" ")
    outcome = classify_reply(Stage(stage), int(code), words)
    assert outcome == Outcome(
        verdict=Verdict(verdict), stage=Stage(stage), code=int(code), text=words, **effects
    )


@given(st.sampled_from(sorted(set(Stage) - {Stage.build})), st.integers(-1, 999), st.text(max_size=60))
def test_every_reply_at_every_stage_has_a_meaning(stage: Stage, code: int, words: str) -> None:
    outcome = classify_reply(stage, code, words)
    if stage is Stage.dot:
        # After the dot nothing may be called untouched, and nothing but 2yz may be called sent.
        assert outcome.verdict is not Verdict.give_back
        assert (outcome.verdict is Verdict.sent) == (200 <= code <= 299)
        assert outcome.verdict is not Verdict.rejected
    else:
        assert outcome.verdict not in {Verdict.sent, Verdict.in_doubt}
    if outcome.verdict is Verdict.rejected:
        assert (stage, code // 100) == (Stage.rcpt, 5)


@pytest.mark.parametrize(
    ("reply", "is_dead"),
    [
        ("550 5.1.1 No such user", True),
        ("550 5.1.2 No such host", True),
        ("550 5.1.10 Null MX", True),
        ("550 5.2.1 Disabled", True),
        ("550 No such user here", True),
        ("553 5.1.3 Syntax", True),
        # The sender's address, not the reader's.
        ("550 5.1.7 Bad sender address syntax", False),
        ("553 5.1.8 Bad sender's system address", False),
        ("550 5.7.1 Blocked by policy", False),
        ("550 5.7.515 Your domain is not authenticated", False),
        ("550 Relaying denied", False),
        ("550 Message rejected as spam", False),
        ("554 5.7.1 Relay access denied", False),
        ("554 No such user", False),
        ("550 5.3.4 Too big for this system", False),
        ("550 5.5.1 What", False),
        ("550 5.2.2 Mailbox full", False),
        ("552 Mailbox full", False),
        ("530 5.7.0 Authentication required", False),
        ("550 4.1.1 A code of another class counts for nothing", True),
    ],
)
def test_only_a_refusal_of_the_address_is_a_dead_address(reply: str, is_dead: bool) -> None:
    code, _, words = reply.partition(" ")
    assert is_dead_address(int(code), words) is is_dead


def test_our_own_refusals_are_not_dead_addresses() -> None:
    assert not is_dead_address(None, "the address needs SMTPUTF8")


@pytest.mark.parametrize(
    ("words", "seconds"),
    [
        ("Greylisted, try again in 300 seconds", 300),
        ("Please retry in 5 minutes", 300),
        ("4.7.1 Greylisting in action, please come back in 00:05:00", 300),
        ("Come back in 99:59:59", 4 * 3600),
        ("Try again after 90 s", 90),
        ("Greylisted for 2 hours", 7200),
        ("retry in 99999 minutes", 4 * 3600),
        ("retry in 0 seconds", 1),
        ("Mailbox full since 3 minutes", None),
        ("You sent 20 messages in 10 seconds", None),
        ("", None),
    ],
)
def test_the_wait_a_server_asks_for_is_found(words: str, seconds: int | None) -> None:
    assert find_retry_delay(words) == (None if seconds is None else timedelta(seconds=seconds))


def test_the_requested_wait_is_part_of_the_outcome() -> None:
    outcome = classify_reply(Stage.rcpt, 450, "4.2.0 Greylisted, try again in 300 seconds")
    assert outcome.retry_after == timedelta(minutes=5)


def test_a_wait_requested_at_mail_is_part_of_the_outcome_too() -> None:
    assert classify_reply(Stage.mail, 451, "Try again in 2 minutes").retry_after == timedelta(minutes=2)


@pytest.mark.parametrize(
    ("stage", "reply", "is_attempt"),
    [
        (Stage.login, 454, False),
        (Stage.mail, 452, False),
        (Stage.rcpt, 450, True),
        (Stage.rcpt, 421, True),
        (Stage.dot, 250, True),
    ],
)
def test_an_attempt_counts_once_the_server_was_asked_about_the_reader(
    stage: Stage, reply: int, is_attempt: bool
) -> None:
    assert classify_reply(stage, reply, "").is_attempt is is_attempt


def test_the_ordinary_reply_is_classified_without_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reply_classifier, "RULES", ())
    assert classify_reply(Stage.dot, 250, "2.0.0 queued as 4F2").verdict is Verdict.sent


@pytest.mark.parametrize(
    ("code", "words", "enhanced"),
    [
        (550, "5.1.1 No", "5.1.1"),
        (550, "  5.1.1", "5.1.1"),
        (550, "No 5.1.1", ""),
        (550, "4.1.1 No", ""),
        (450, "4.7.1 No", "4.7.1"),
        (550, "5.1.1234 No", ""),
        (550, "5.1.1.2 No", ""),
    ],
)
def test_an_enhanced_code_counts_only_at_the_start_and_in_the_same_class(
    code: int, words: str, enhanced: str
) -> None:
    assert find_enhanced_code(code, words) == enhanced


@given(st.text(max_size=3000))
def test_reply_text_becomes_one_printable_line_of_bounded_length(text: str) -> None:
    words = clean_reply_text(text)
    assert words == "" or words.isprintable()
    assert len(words) <= 1000


def test_a_summary_says_what_was_refused_in_the_servers_words() -> None:
    outcome = classify_reply(Stage.mail, 550, "5.7.1 Sender not allowed")
    assert outcome.summary == "The mail server refuses the sender: 550 5.7.1 Sender not allowed"
