"""Why a message came back, from a server's words and codes."""

from itertools import chain
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.reasons import reason_classifier
from mailer.reasons.reason import USUAL_FAULTS, Fault, Reason
from mailer.reasons.reason_classifier import classify_reason, classify_refusal, tidy_words
from mailer.reasons.rule_table import PHRASE_PARTS, RulePhrase, RuleTable, load_rules

_RULES = load_rules().rules
_REFUSALS = [
    line
    for line in (Path(__file__).parent / "provider_refusals.txt").read_text(encoding="utf-8").splitlines()
    if not line.startswith("#")
]
_SAMPLES = [(rule, sample) for rule in _RULES for sample in rule.samples]


@pytest.mark.parametrize(("rule", "sample"), _SAMPLES, ids=lambda one: getattr(one, "family", None))
def test_each_rule_understands_the_samples_that_made_it(rule, sample):
    assert classify_reason(**sample) is rule.reason


def test_refusals_of_forty_providers_are_understood_and_whose_fault_they_are(figure):
    lines = [line.split(" | ", 4) for line in _REFUSALS]
    collected = [line for line in lines if line[2] != "ours"]
    missed = []
    for reason, fault, source, command, words in lines:
        found = classify_refusal(words, command=command.strip("-"))
        if found != (Reason(reason), Fault(fault)):
            assert source != "ours", words
            missed.append(f"{reason}, {fault}: {found[0]}, {found[1]}: {words}")
    right = 1 - len(missed) / len(collected)
    figure(f"{len(collected)} refusals of providers: reason and fault right in {right:.1%} (bar: 97 %)")
    assert len(collected) >= 200
    assert right >= 0.97, "\n".join(missed)


def test_every_refusal_names_a_source_that_has_an_address():
    sources = {
        line[2:].split(": ", 1)[0]
        for line in (Path(__file__).parent / "provider_refusals.txt").read_text(encoding="utf-8").splitlines()
        if line.startswith("# ") and ": http" in line
    }
    assert {line.split(" | ")[2] for line in _REFUSALS} == sources | {"ours"}


def has_whole_words(phrase: str) -> bool:
    """Whether no word is put together of two parts of the phrase, as it could not be found then."""
    open_ends: set[bool] = set()
    for alternatives, repeated, gap, plain in PHRASE_PARTS.findall(phrase):
        options = [gap or plain] if gap or plain else alternatives.split("|")
        for some in [["", *options]] * 2 if repeated else [options]:
            if True in open_ends and any(one[:1].isalnum() for one in some):
                return False
            ends = {one[-1:].isalnum() for one in some if one}
            open_ends = ends | open_ends if "" in some else ends
    return True


def test_every_rule_has_a_sample_and_every_phrase_is_of_whole_words_in_small_letters():
    assert all(rule.samples for rule in _RULES)
    for phrase in chain.from_iterable(rule.words for rule in _RULES):
        assert phrase.text == phrase.text.lower()
        assert not phrase.text.isascii() or has_whole_words(phrase.text), phrase.text


@pytest.mark.parametrize(
    ("words", "status", "reason"),
    [
        ("550 5.1.1 <anna@example.org> mailbox is full", "5.1.1", Reason.full),
        ("550 user unknown", "5.5.0", Reason.unconfirmed),
        ("550 5.1.1 rejected: your IP address is blocked", "5.1.1", Reason.blocked),
        ("550 5.7.1 Relaying denied", "5.7.1", Reason.policy),
        ("550 Access denied", "5.1.1", Reason.policy),
        ("550 5.2.1 This account has been disabled", "5.2.1", Reason.suspended),
        ("", "5.1.1", Reason.no_such_user),
        ("", "5.7.515", Reason.authentication),
        ("", "5.7.26", Reason.authentication),
        ("", "5.7.606", Reason.blocked),
        ("", "5.2.2", Reason.full),
        ("", "", Reason.other),
    ],
)
def test_words_come_first_and_codes_are_evidence(words, status, reason):
    assert classify_reason(words, status=status) is reason


def test_user_unknown_is_certain_with_a_code_of_the_address_or_in_answer_to_rcpt():
    words = "550 Unknown user anna@example.org"
    assert classify_reason(words) is Reason.unconfirmed
    assert classify_reason(words, command="DATA") is Reason.unconfirmed
    assert classify_reason(words, command="RCPT") is Reason.no_such_user
    assert classify_reason(words, status="5.1.1") is Reason.no_such_user
    assert classify_reason(f"SMTP error after RCPT TO:<anna@example.org>: {words}") is Reason.no_such_user


def test_a_rule_for_a_host_holds_for_the_hosts_below_it_and_for_no_other():
    words = "550 <anna@example.org>: User unknown"
    assert classify_reason(words, host="lsean.ezweb.ne.jp") is Reason.no_such_user
    assert classify_reason(words, host="mx.bureau.com") is Reason.unconfirmed
    assert classify_reason(words, host="au.com.example.org") is Reason.unconfirmed


def test_a_refusal_of_the_sender_is_not_about_the_recipient():
    words = "550 5.1.1 User unknown"
    assert classify_reason(words, command="MAIL") is Reason.policy
    assert classify_reason(f"SMTP error after MAIL FROM:<news@example.net>: {words}") is Reason.policy


def test_a_temporary_refusal_or_a_delay_is_never_dead():
    assert classify_reason("450 4.1.1 User unknown") is Reason.unconfirmed
    assert classify_reason("User unknown", code="450", command="RCPT") is Reason.unconfirmed
    assert classify_reason("550 5.1.1 User unknown", action="delayed") is Reason.unconfirmed


def test_an_address_is_not_read_as_words():
    assert (
        classify_reason("550 5.7.1 <no-such-user@full.mailbox.example.org> relaying denied") is Reason.policy
    )
    assert (
        classify_reason("550 <mailbox-full@example.org> ... User unknown", command="RCPT")
        is Reason.no_such_user
    )


@pytest.mark.parametrize(
    "words",
    [
        "550-5.1.1 The email account that you tried\r\n550-5.1.1 to reach does not exist.\r\n550 5.1.1 gsmtp",
        "550 5.1.1 The&nbsp;email <b>account</b> <br/>does not exist",
        "550%205.1.1%20User%20unknown",
        "550 5.1.1 The account doesn’t exist",
        "550 5.1.1 User “anna” unknown",
    ],
)
def test_words_are_read_through_folds_markup_quotes_and_percent_signs(words):
    assert classify_reason(words) is Reason.no_such_user


def test_the_order_of_the_providers_does_not_matter(monkeypatch):
    families = list(dict.fromkeys(rule.family for rule in _RULES))
    providers = families[: families.index("chinese")]
    turned = [*reversed(providers), *families[len(providers) :]]
    table = RuleTable([rule for family in turned for rule in _RULES if rule.family == family])
    monkeypatch.setattr(reason_classifier, "load_rules", lambda: table)
    assert [sample for rule, sample in _SAMPLES if classify_reason(**sample) is not rule.reason] == []


@pytest.mark.parametrize(
    ("words", "command", "fault"),
    [
        ("550 5.1.1 User unknown", "RCPT", Fault.reader),
        ("550 5.1.1 User unknown", "MAIL", Fault.sender),
        ("550 5.7.1 Access denied", "MAIL", Fault.sender),
        ("550 5.7.1 Domain not found", "RCPT", Fault.sender),
        ("550 5.1.2 Domain not found", "RCPT", Fault.reader),
        ("554 5.7.1 Relay access denied", "RCPT", Fault.provider),
        ("550 5.7.26 unauthenticated", "DATA", Fault.sender),
        ("451 4.3.0 Temporary server error", "RCPT", Fault.provider),
        ("", "", Fault.nobody),
    ],
)
def test_a_refusal_says_whose_fault_it_is(words, command, fault):
    assert classify_refusal(words, command=command)[1] is fault


def test_every_reason_has_a_usual_fault_and_every_fault_a_label():
    assert USUAL_FAULTS.keys() == set(Reason)
    assert len({fault.label for fault in Fault}) == len(Fault)


@given(st.text(max_size=300), st.text(max_size=12), st.text(max_size=6), st.text(max_size=8))
def test_no_words_make_it_fail(words, status, code, action):
    assert classify_reason(words, status=status, code=code, action=action, host=words) in Reason


@pytest.mark.parametrize(
    "words", ["a@" * 5000, "<" * 5000, "(no such user " * 900, "5.1.1 " * 3000, "%e4%bd" * 3000]
)
def test_long_words_do_not_take_long(words):
    assert classify_reason(words) in Reason
    assert len(tidy_words(words)) <= 40000


def test_a_gap_of_a_phrase_ends_with_the_sentence():
    phrase = RulePhrase("mailbox * full")
    assert phrase.is_in(" mailbox is full")
    assert phrase.is_in(" mailbox full")
    assert not phrase.is_in(" no such mailbox. the disk is full")
