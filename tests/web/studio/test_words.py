"""One word for one thing: Studio says partner of everybody on the list."""

import re

from scripts.translations import extract_messages

_TEAM_PAGES = re.compile(r"web/(studio|report_pages|partials/report)")
_OF_READING = (
    "Day, as readers see it",
    "Describe the picture for readers who cannot see it.",
    "For readers who cannot see it",
    "One or two paragraphs of Markdown",
    "Readers are not told.",
    "Readers are told",
    "What it shows, for readers who cannot see it",
    "no name of a reader",
)
"""Where somebody writes or translates for whoever will read it."""


def test_pages_of_the_team_say_reader_only_of_who_reads_a_text() -> None:
    for message in extract_messages():
        if not any(_TEAM_PAGES.search(place) for place, _ in message.locations):
            continue
        forms = [message.id] if isinstance(message.id, str) else message.id
        for words in forms:
            said = re.sub(r"%\(\w+\)s|\b[Tt]est readers\b", "", words)
            assert not re.search(r"\b[Rr]eaders?\b", said) or any(one in words for one in _OF_READING), words
