"""One word for one thing: partner for everybody on the list; and no words of the settings' file."""

import re
from collections.abc import Iterator

from babel.messages.catalog import Catalog

from templates import ROOT

_TEAM_PAGES = re.compile(r"web/(studio|report_pages|partials/report)")
_OF_READING = (
    "Day, as readers see it",
    "Describe the picture for readers who cannot see it.",
    "For readers who cannot see it",
    "One or two paragraphs: what happened",
    "Readers are not told.",
    "Readers are told",
    "What it shows, for readers who cannot see it",
    "no name of a reader",
)
"""Where somebody writes or translates for whoever will read it."""


def list_words(messages: Catalog) -> Iterator[str]:
    for message in messages:
        if any(_TEAM_PAGES.search(place) for place, _ in message.locations):
            yield from [message.id] if isinstance(message.id, str) else message.id


def test_pages_of_the_team_say_reader_only_of_who_reads_a_text(messages: Catalog) -> None:
    for words in list_words(messages):
        said = re.sub(r"%\(\w+\)s|\b[Tt]est readers\b", "", words)
        assert not re.search(r"\b[Rr]eaders?\b", said) or any(one in words for one in _OF_READING), words


def test_pages_of_the_team_ask_for_no_line_of_the_settings_and_no_option_of_a_command(
    messages: Catalog,
) -> None:
    for words in list_words(messages):
        assert not re.search(r"\[[a-z_]+\](?!\()|\b[a-z]+_[a-z]+ = |\s--[a-z]", words), words


def test_who_has_no_script_is_led_to_each_number_that_is_still_counted() -> None:
    # One is for htmx alone; the other has its link above the list.
    elsewhere = {"segment_words.html", "campaign_checklist.html"}
    for path in (ROOT / "web" / "studio").glob("*.html"):
        _, *places = path.read_text(encoding="utf-8").split('{{ _("counting…") }}')
        if path.name not in elsewhere:
            assert all("<noscript>" in place[:120] for place in places), path.name
