"""Checks that each footnote is referred to, and that each reference has a footnote."""

import re
from collections.abc import Iterator

from editions.checks.foreign_markup import read_prose
from editions.problem import Level, Problem
from editions.source.document import AnyDocument

_REFERENCE = re.compile(r"(?<![\\!])\[\^(?P<name>[^\]\s\\^]+)\](?![(\[])")
_NOTE = re.compile(r" {0,3}\[\^(?P<name>[^\]\s\\^]+)\]:")


def check_notes(document: AnyDocument) -> Iterator[Problem]:
    """All problems of the footnotes of one file."""
    if "[^" not in document.text:
        return
    body_line = document.front_matter.body_line
    references: dict[str, int] = {}
    notes: dict[str, int] = {}
    for number, line in enumerate(read_prose(document), start=1):
        start = 0
        if number >= body_line and (note := _NOTE.match(line)):
            notes.setdefault(_normalise(note["name"]), number)
            start = note.end()
        for found in _REFERENCE.finditer(line, start):
            if number < body_line:
                yield _report_in_front_matter(document, number, found["name"])
            else:
                references.setdefault(_normalise(found["name"]), number)
    for name in sorted(references.keys() - notes.keys()):
        yield _problem(
            document,
            references[name],
            "note-missing",
            f"`[^{name}]` refers to a footnote, but there is none of that name in this file, so readers "
            f"would see the signs themselves. Write a line `[^{name}]: …` at the end, or delete the mark.",
        )
    for name in sorted(notes.keys() - references.keys()):
        yield _problem(
            document,
            notes[name],
            "note-unused",
            f"nothing refers to the footnote `[^{name}]`, so readers cannot tell what it belongs to. Write "
            f"`[^{name}]` after the words it explains, or delete the footnote.",
        )


def _report_in_front_matter(document: AnyDocument, number: int, name: str) -> Problem:
    return _problem(
        document,
        number,
        "note-missing",
        f"`[^{name}]` cannot refer to a footnote here: only the body has footnotes. Move the mark into the "
        "body, or write the words out.",
    )


def _normalise(name: str) -> str:
    """A footnote's name for comparison, which ignores capitals as Markdown does."""
    return name.casefold()


def _problem(document: AnyDocument, line: int, code: str, message: str) -> Problem:
    return Problem(path=document.name, line=line, level=Level.warning, code=code, message=message)
