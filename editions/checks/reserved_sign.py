"""Checks that nothing in an edition looks like a place that is filled in for each reader."""

from collections.abc import Iterator

from editions.errors import Problem
from editions.source.document import AnyDocument, make_error
from editions.source.yaml_parser import YamlValue
from locales.phrase import gettext_noop

MERGE_TAG_DELIMITER = "@@"
"""Begins and ends the places of an email that are filled in for each reader; not allowed in text."""


def check_reserved_sign(document: AnyDocument) -> Iterator[Problem]:
    """Find the sign wherever it stands in one file, or would stand in what is made of it."""
    lines = []
    if MERGE_TAG_DELIMITER in document.text:
        numbered = enumerate(document.text.split("\n"), start=1)
        lines = [number for number, line in numbered if MERGE_TAG_DELIMITER in line]
    if not lines:
        # Written as &#64;@ or @\\@, so it only shows in the rendered text.
        front_matter = document.front_matter
        rendered = {
            front_matter.line_of("introductions", key): text for key, text in document.introductions.items()
        }
        rendered[front_matter.body_line] = document.body
        lines = [
            line
            for line, text in rendered.items()
            if MERGE_TAG_DELIMITER in text.html or MERGE_TAG_DELIMITER in text.text
        ]
    if not lines and any(
        MERGE_TAG_DELIMITER in text for text in _list_texts(document.front_matter.values or {})
    ):
        lines = [1]
    for line in lines:
        yield make_error(
            document,
            line,
            "reserved-sign",
            gettext_noop(
                "%(sign)s marks a place that is filled in for each reader, so it cannot "
                "appear in the text. Write a single @."
            )
            % {"sign": MERGE_TAG_DELIMITER},
        )


def _list_texts(value: YamlValue) -> Iterator[str]:
    if isinstance(value, str):
        yield value
        return
    for part in value.values() if isinstance(value, dict) else value:
        yield from _list_texts(part)
