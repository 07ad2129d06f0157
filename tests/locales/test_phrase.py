"""Phrases: strings in English that know what they were made of."""

import copy
import json
import pickle

from locales.phrase import AND, Phrase, join_phrases

FRENCH = {
    "partners in %(countries)s": "partenaires : %(countries)s",
    "%(first)s or %(last)s": "%(first)s ou %(last)s",
    "%(first)s, %(next)s": "%(first)s ; %(next)s",
}


def translate(phrase: Phrase) -> str:
    return phrase.render(lambda message: FRENCH.get(message, message))


def test_a_phrase_is_its_english_sentence() -> None:
    phrase = Phrase("partners in %(countries)s", countries="Mongolia")
    assert phrase == "partners in Mongolia"
    assert json.dumps({"who": phrase}) == '{"who": "partners in Mongolia"}'
    assert {phrase: 1}["partners in Mongolia"] == 1
    assert Phrase("50% off") == "50% off"


def test_a_phrase_is_translated_with_the_phrases_in_it() -> None:
    countries = join_phrases(["Mongolia", "China", "Japan"])
    assert countries == "Mongolia, China or Japan"
    phrase = Phrase("partners in %(countries)s", countries=countries)
    assert translate(phrase) == "partenaires : Mongolia ; China ou Japan"
    assert translate(Phrase("50% off")) == "50% off"
    assert translate(Phrase("")) == ""


def test_a_copy_of_a_phrase_is_translated_too() -> None:
    phrase = Phrase("partners in %(countries)s", countries="100% Mongolia")
    for other in (copy.deepcopy(phrase), copy.copy(phrase), pickle.loads(pickle.dumps(phrase))):
        assert other == phrase
        assert translate(other) == "partenaires : 100% Mongolia"


def test_phrases_are_joined_in_a_list() -> None:
    joined = [join_phrases(list("abc"[:number]), AND) for number in range(4)]
    assert joined == ["", "a", "a and b", "a, b and c"]
