"""Each rule of how servers write their bounces is proven by the sample that made it."""

import pytest

from mailer.database.feedback_models import FeedbackKind
from mailer.feedback.bounces.server_rules import ServerRule, load_server_rules, read_server_text
from mailer.feedback.intake import read_message

RULES = load_server_rules()
IDS = [f"{rule.server}: {number}" for number, rule in enumerate(RULES)]


@pytest.mark.parametrize("rule", RULES, ids=IDS)
def test_a_rule_reads_its_sample(rule: ServerRule) -> None:
    head = "failure notice\n"
    assert rule.applies((head + rule.sample).lower())
    assert tuple(report.address for report in rule.read(rule.sample)) == rule.finds
    assert tuple(report.address for report in read_server_text(rule.sample, head)) == rule.finds
    assert all(address.rpartition("@")[2].startswith("example.") for address in rule.finds)


@pytest.mark.parametrize("rule", RULES, ids=IDS)
def test_a_sample_is_read_within_a_whole_message(rule: ServerRule) -> None:
    source = (
        "Return-Path: <>\nFrom: MAILER-DAEMON@mail.example.com\nTo: bounce@news.example.com\n"
        f"Subject: failure notice\n\n{rule.sample}\n\n--- Original message follows.\n"
        "Received: by news.example.com; Mon, 3 Mar 2025 10:00:00 +0100\nMessage-ID: <1@news.example.com>\n"
        "From: news@news.example.com\nTo: somebody-else@example.net\nSubject: Newsletter\n\nHello\n"
    )
    for ending in ("\n", "\r\n", "\r"):
        message = read_message(source.replace("\n", ending).encode())
        assert message.kind is FeedbackKind.bounce
        assert tuple(recipient.address for recipient in message.recipients) == rule.finds
        assert message.original.message_id == "<1@news.example.com>"


def test_the_words_of_each_recipient_are_its_own() -> None:
    (qmail,) = (rule for rule in RULES if rule.server == "qmail")
    first, second = qmail.read(qmail.sample)
    assert "no mailbox here by that name" in first.words
    assert (first.code, second.words) == ("550", "Sorry, that mailbox is over its quota.")


def test_an_expanded_address_keeps_the_one_that_was_written_to() -> None:
    (postfix,) = (rule for rule in RULES if rule.server == "Postfix")
    (report,) = postfix.read(postfix.sample)
    assert (report.original_address, report.status) == ("team@example.org", "5.1.1")


def test_an_address_far_from_any_known_words_is_nobodys() -> None:
    assert read_server_text("Dear colleagues, please write to person@example.org. Thank you!", "Hello") == ()
