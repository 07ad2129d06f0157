"""Checks that each footnote is referred to, and that each reference has a footnote."""

import re
from collections.abc import Iterator, Mapping

from editions.checks.foreign_markup import read_prose
from editions.errors import Problem
from editions.source.document import AnyDocument, make_warning
from locales.phrase import gettext_noop

_REFERENCE = re.compile(r"(?<![\\!])\[\^(?P<name>[^\]\s\\^]+)\](?![(\[])")
_NOTE = re.compile(r" {0,3}\[\^(?P<name>[^\]\s\\^]+)\]:")


def check_notes(document: AnyDocument) -> Iterator[Problem]:
    """All problems of the footnotes of one file."""
    if "[^" not in document.text:
        return
    lines = dict(enumerate(read_prose(document), start=1))
    body_line = document.front_matter.body_line
    texts = [*_list_introductions(document), range(body_line, len(lines) + 1)]
    for numbers in texts:
        yield from _check_text(document, {number: lines[number] for number in numbers})
    inside = {number for numbers in texts for number in numbers}
    for number, line in lines.items():
        if number not in inside and (found := _REFERENCE.search(line)):
            yield make_warning(
                document,
                number,
                "note-missing",
                gettext_noop(
                    "`[^%(name)s]` cannot refer to a footnote here: only the body has footnotes. Move the "
                    "mark into the body, or write the words out."
                )
                % {"name": found["name"]},
            )


def _list_introductions(document: AnyDocument) -> Iterator[range]:
    """The lines of each introduction in the front matter, which has footnotes of its own."""
    front_matter = document.front_matter
    starts = sorted({*front_matter.lines.values(), front_matter.body_line - 1})
    for key_path, first in front_matter.lines.items():
        if key_path[0] == "introductions" and len(key_path) == 2:
            yield range(first, next((start for start in starts if start > first), first + 1))


def _check_text(document: AnyDocument, lines: Mapping[int, str]) -> Iterator[Problem]:
    """The problems of one text with footnotes of its own: its ``lines`` by number."""
    references: dict[str, int] = {}
    notes: dict[str, int] = {}
    in_body = min(lines, default=0) >= document.front_matter.body_line
    for number, line in lines.items():
        # An introduction is indented as YAML needs it, and what is indented further in a body is code.
        text = line if in_body else line.lstrip()
        note = _NOTE.match(text)
        if note:
            notes.setdefault(_normalise(note["name"]), number)
        for found in _REFERENCE.finditer(text, note.end() if note else 0):
            references.setdefault(_normalise(found["name"]), number)
    for name in sorted(references.keys() - notes.keys()):
        yield make_warning(
            document,
            references[name],
            "note-missing",
            gettext_noop(
                "`[^%(name)s]` refers to a footnote, but there is none of that name in this text, so "
                "readers would see the signs themselves. Write a line `[^%(name)s]: …` at the end, or "
                "delete the mark."
            )
            % {"name": name},
        )
    for name in sorted(notes.keys() - references.keys()):
        yield make_warning(
            document,
            notes[name],
            "note-unused",
            gettext_noop(
                "nothing refers to the footnote `[^%(name)s]`, so it is not sent. Write `[^%(name)s]` "
                "after the words it explains, or delete it."
            )
            % {"name": name},
        )


def _normalise(name: str) -> str:
    """A footnote's name for comparison, which ignores capitals as Markdown does."""
    return name.casefold()
