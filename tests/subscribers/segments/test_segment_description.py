"""Segments described in words."""

import re

import pytest
from babel.messages.catalog import Catalog
from hypothesis import given, settings

from locales.phrase import Phrase
from subscribers.segments.description import Vocabulary, describe_segment
from subscribers.segments.segment import Segment, parse_segment
from subscribers.segments.terms import Expression, conjuncts, to_text
from tests.subscribers.segments.oracle import SENT, expressions

WORDS = Vocabulary(
    sectors={"education": "Education", "sciences": "Natural Sciences", "culture": "Culture"},
    countries={"TW": "Taiwan Province of China"},
)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("all", "everyone on the list"),
        (
            "status:active country:MN,CN sector:education",
            "active partners in Mongolia or China who follow Education",
        ),
        # One key each: alone, several, turned around.
        ("country:MN", "partners in Mongolia"),
        ("country:MN,CN,KR", "partners in Mongolia, China or South Korea"),
        ("-country:MN,CN", "partners who are not in Mongolia or China"),
        (
            "country:US,GB,NL,PH,MH,DO,AE",
            "partners in the United States, the United Kingdom, the Netherlands, the Philippines, "
            "the Marshall Islands, the Dominican Republic or the United Arab Emirates",
        ),
        ("country:TW", "partners in Taiwan Province of China"),
        ("country:MN country:CN", "partners in Mongolia who are in China"),
        ("sector:education,culture", "partners who follow Education or Culture"),
        ("-sector:education", "partners who do not follow Education"),
        ("language:zh", "partners who read Chinese"),
        ("language:zh-hans,mn", "partners who read Simplified Chinese or Mongolian"),
        ("-language:xx,zh-hk", "partners who do not read “xx” or Chinese (Traditional, Hong Kong SAR China)"),
        ("status:paused,active", "paused or active partners"),
        ("-status:active", "partners who are not active"),
        ("status:bounced", "partners who have an address that bounced"),
        (
            "status:active,paused,bounced,complained",
            "partners who are active or paused, have an address that bounced or have complained",
        ),
        (
            "-status:pending,bounced,complained",
            "partners who are not waiting to confirm, do not have an address that bounced and have not "
            "complained",
        ),
        ("status:active status:paused", "active partners who are paused"),
        ('tag:press,"50% off"', "partners who are tagged “press” or “50% off”"),
        ("-tag:press", "partners who are not tagged “press”"),
        ("org:ministry", "partners who belong to an organisation with “ministry” in its name"),
        (
            "-org:ministry,school",
            "partners who do not belong to an organisation with “ministry” or “school” in its name",
        ),
        ("joined:2024", "partners who joined in 2024"),
        ("joined:2024-05", "partners who joined in May 2024"),
        ("joined:2024-05-01", "partners who joined on 1 May 2024"),
        ("joined:>2024-01-01", "partners who joined after 1 January 2024"),
        ("joined:>=2024-01-01", "partners who joined on or after 1 January 2024"),
        ("joined:<=2024-05", "partners who joined in or before May 2024"),
        ("joined:<2024", "partners who joined before 2024"),
        ("joined:2023..2024-06-30", "partners who joined from 2023 to 30 June 2024"),
        ("-joined:2023,>2024-05", "partners who did not join in 2023 or after May 2024"),
        ("got:2021-1", "partners who got edition 2021-1"),
        ("got:2021-1/youth-forum", "partners who got the story youth-forum of edition 2021-1"),
        ("-got:2021-1,2021-2", "partners who did not get edition 2021-1 or 2021-2"),
        ("consent:imported", "partners who have “imported” in their consent record"),
        ("-consent:one-click", "partners who do not have “one-click” in their consent record"),
        # Side by side.
        (
            "status:active country:MN sector:education language:zh -tag:press",
            "active partners in Mongolia who follow Education, who read Chinese and who are not tagged "
            "“press”",
        ),
        (
            "sector:education,culture joined:>2024",
            "partners who follow Education or Culture and who joined after 2024",
        ),
        # Choices.
        (
            "country:MN sector:education or tag:press",
            "partners in Mongolia who follow Education, or partners who are tagged “press”",
        ),
        (
            "status:active (country:MN or tag:press)",
            "active partners who either are in Mongolia, or are tagged “press”",
        ),
        (
            "status:active (country:MN or tag:press or sector:culture)",
            "active partners who either are in Mongolia, are tagged “press”, or follow Culture",
        ),
        (
            "language:en (country:MN sector:culture or tag:press)",
            "partners who read English and who either both are in Mongolia and follow Culture, or are "
            "tagged “press”",
        ),
        (
            "(country:MN sector:culture language:mn or tag:press) tag:x",
            "partners who are tagged “x” and who either at the same time are in Mongolia, follow Culture and "
            "read Mongolian, or are tagged “press”",
        ),
        (
            "-(country:MN tag:press)",
            "partners who are not among those who both are in Mongolia and are tagged “press”",
        ),
        (
            "country:MN -(tag:a or tag:b)",
            "partners in Mongolia who are not among those who either are tagged “a”, or are tagged “b”",
        ),
        (
            "country:MN or -(tag:a tag:b)",
            "partners in Mongolia, or partners who are not among those who both are tagged “a” and are "
            "tagged “b”",
        ),
    ],
)
def test_a_segment_is_described_in_words(query: str, words: str) -> None:
    assert describe_segment(parse_segment(query, deliveries=SENT), WORDS) == words


@settings(deadline=None, max_examples=300)
@given(expressions)
def test_any_combination_is_described_in_one_sentence(tree: Expression) -> None:
    segment = Segment(text=to_text(tree), terms=conjuncts(tree))
    words = re.sub("“[^”]*”", "“x”", describe_segment(segment, WORDS))
    assert re.match(r"([a-z]+(, | or ))*([a-z]+ )?partners\b", words)
    assert not re.search(r"  | ,|,,|\b(\w+) \1\b|\bor and\b|\band or\b|\bdo not are\b|[ ,]$", words)
    # Every "who" is followed by a verb in the plural, and so is every "either" and "both".
    verbs = "are|have|do not|follow|read|belong|joined|did not|got|either|both|at the same time"
    for word in re.findall(r"\b(?:who|either|both|at the same time) (\w+(?: \w+){0,3})", words):
        assert re.match(verbs, word), words


def test_the_words_are_translated_and_names_are_those_of_the_vocabulary() -> None:
    chinese = {
        "%(status)s partners": "%(status)s的合作伙伴",
        "active": "活跃",
        "%(partners)s in %(countries)s": "%(countries)s%(partners)s",
        "%(first)s or %(last)s": "%(first)s或%(last)s",
        "who %(predicate)s": "%(predicate)s",
        "%(partners)s %(clauses)s": "%(clauses)s、%(partners)s",
        "%(first)s and %(last)s": "%(first)s且%(last)s",
        "read %(languages)s": "阅读%(languages)s",
        "joined %(time)s": "%(time)s加入",
        "in %(period)s": "于%(period)s",
    }
    segment = parse_segment("status:active country:MN,CN language:fr joined:2024-05")
    names = Vocabulary(countries={"CN": "我国"}, language="zh-Hans")
    words = describe_segment(segment, names)
    assert isinstance(words, Phrase)
    said = words.render(lambda message: chinese[message])
    assert said == "阅读法语且于2024年5月加入、蒙古或我国活跃的合作伙伴"


@pytest.fixture(scope="module")
def said(messages: Catalog) -> frozenset[object]:
    """What translators see."""
    return frozenset(message.id for message in messages)


@settings(deadline=None, max_examples=200)
@given(expressions)
def test_everything_but_names_is_translated(said: frozenset[object], tree: Expression) -> None:
    segment = Segment(text=to_text(tree), terms=conjuncts(tree))
    words = describe_segment(segment, WORDS)
    assert isinstance(words, Phrase)
    assert words.render(lambda message: message) == words
    for message in list_messages(words):
        assert message in said, "no translator would ever see it"


def list_messages(phrase: Phrase) -> set[str]:
    """The messages of a phrase and of all phrases in it."""
    inner = [one for one in phrase.parameters.values() if isinstance(one, Phrase)]
    return {phrase.message}.union(*map(list_messages, inner))
