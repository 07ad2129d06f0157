"""The tables of words: each pattern matches its own sample, in every language."""

import re

import pytest

from mailer.feedback.auto_replies.phrases import (
    PhraseKind,
    ReplyPhrase,
    find_kinds,
    has_prefix,
    load_phrases,
    normalise,
    normalise_letters,
)


def matches(phrase: ReplyPhrase) -> bool:
    sample = normalise(phrase.sample)
    if phrase.kind is PhraseKind.subject_prefix:
        return has_prefix(sample)
    found = re.search(normalise_letters(phrase.pattern), sample)
    if phrase.kind is PhraseKind.courtesy:
        return found is not None
    return found is not None and phrase.kind in find_kinds(sample)


def test_every_pattern_matches_its_sample() -> None:
    assert [(phrase.language, phrase.sample) for phrase in load_phrases() if not matches(phrase)] == []


def test_every_language_says_the_same_things() -> None:
    needed = {
        PhraseKind.subject_prefix,
        PhraseKind.courtesy,
        PhraseKind.automation,
        PhraseKind.absence,
        PhraseKind.return_,
        PhraseKind.alternate,
        PhraseKind.departure,
        PhraseKind.successor,
        PhraseKind.receipt,
    }
    for language in ("en", "fr", "zh-hans", "zh-hant", "ja", "ko", "mn", "ru", "es", "de", "ar", "it", "pt"):
        assert needed <= {phrase.kind for phrase in load_phrases() if phrase.language == language}, language


@pytest.mark.parametrize(
    "subject",
    [
        "Automobile: what is new",
        "Auto - Neuigkeiten",
        "Re: Automatic reply: News",
        "Autonomy: a report",
        "Out of office",
    ],
)
def test_a_subject_of_people_has_no_prefix(subject: str) -> None:
    assert not has_prefix(normalise(subject))


def test_a_full_stop_in_a_date_or_an_address_ends_no_sentence() -> None:
    text = normalise("Ich bin vom 4.5. bis zum 15. Mai bei Dr. Berg (anna.berg@example.org) nicht im Büro.")
    assert text.count(".") == 1
    assert PhraseKind.absence in find_kinds(normalise("Ich bin bis zum 15. Mai nicht im Büro."))
