"""Sentences in English, found again among the messages that they were made of."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locales.phrase import Phrase
from locales.phrase_book import PhraseBook

MESSAGES = {
    "Nobody confirmed it within an hour.": "Personne ne l’a confirmé dans l’heure.",
    "Paused by hand, %(time)s.": "Mise en pause à la main, %(time)s.",
    "The mail server refuses the login: %(reason)s": "Le serveur refuse la connexion : %(reason)s",
    "The canary of %(number)s is complete: %(counts)s.": "Les %(number)s premiers : %(counts)s.",
    "More than %(share)s were rejected.": "Plus de %(share)s refusés.",
    "Send %(edition)s, then check %(edition)s once more.": "Envoyez %(edition)s, vérifiez %(edition)s.",
    "%(number)s sent": "%(number)s envoyés",
    "%(number)s rejected": "%(number)s refusés",
    "%(first)s or %(last)s": "%(first)s ou %(last)s",
    "%(first)s, %(next)s": "%(first)s, %(next)s",
    "%(place)s: %(words)s": "%(place)s : %(words)s",
    "the connection was lost": "la connexion a été perdue",
    "of them 50%% or more %(what)s": "dont 50 %% ou plus %(what)s",
}
BOOK = PhraseBook(MESSAGES)


def translate(text: str) -> str | None:
    found = BOOK.find(text)
    return None if found is None else found.render(lambda message: MESSAGES.get(message, message))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Nobody confirmed it within an hour.", "Personne ne l’a confirmé dans l’heure."),
        ("Paused by hand, 1 March 2027.", "Mise en pause à la main, 1 March 2027."),
        (
            "The mail server refuses the login: the connection was lost",
            "Le serveur refuse la connexion : la connexion a été perdue",
        ),
        (
            "The mail server refuses the login: mx.example.org:25: the connection was lost",
            "Le serveur refuse la connexion : mx.example.org:25 : la connexion a été perdue",
        ),
        (
            "The mail server refuses the login: 535 5.7.8 no",
            "Le serveur refuse la connexion : 535 5.7.8 no",
        ),
        (
            "The canary of 1,500 is complete: 1,400 sent, 100 rejected. More than 5% were rejected.",
            "Les 1,500 premiers : 1,400 envoyés, 100 refusés. Plus de 5% refusés.",
        ),
        ("Send 2021-2, then check 2021-2 once more.", "Envoyez 2021-2, vérifiez 2021-2."),
        ("of them 50% or more left early", "dont 50 % ou plus left early"),
        ("12 sent", "12 envoyés"),
        # Not ours, or not certainly so.
        ("They were sent", None),
        ("partners in Mongolia or China", None),
        ("Send 2021-2, then check 2021-3 once more.", None),
        ("Paused by hand, 1 March 2027. And so on.", "Mise en pause à la main, 1 March 2027. And so on."),
        ("550 5.1.1 user unknown", None),
        ("", None),
    ],
)
def test_a_sentence_is_read_in_another_language(text: str, said: str | None) -> None:
    assert translate(text) == said


def test_a_long_text_is_no_phrase() -> None:
    assert translate("Paused by hand, " + "x" * 5000 + ".") is None


_VALUES = st.text(st.characters(categories=["L", "N", "P", "Zs"]), max_size=40)


@given(st.sampled_from(sorted(MESSAGES)), _VALUES, _VALUES)
def test_what_was_found_says_in_english_what_was_written(message: str, one: str, other: str) -> None:
    text = Phrase(message, **fill(message, lambda place: one if place % 2 else other))
    found = BOOK.find(str(text))
    assert found is None or found == str(text)


@given(st.text(max_size=200))
def test_any_text_stays_as_it_is_in_english(text: str) -> None:
    found = BOOK.find(text)
    assert found is None or found == text


def fill(message: str, choose: Callable[[int], str]) -> dict[str, str]:
    """Values for the fields of a message; a message without any takes none."""
    names = [part.partition(")s")[0] for part in message.split("%(")[1:]]
    return {name: choose(place) for place, name in enumerate(dict.fromkeys(names))}
