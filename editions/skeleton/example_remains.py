"""Find what is left of the example edition, so that nobody sends it to readers."""

from collections.abc import Iterator, Mapping
from datetime import date
from functools import cache
from pathlib import Path
from types import MappingProxyType

from editions.problem import Level, Problem
from editions.skeleton.examples import edition_example, story_examples
from editions.source.folder import EDITION_FILE, STORIES_FOLDER
from editions.source.front_matter import FrontMatter, read_front_matter
from editions.source.text_file import read_text_file, text_digest
from locales.phrase import gettext_noop

_KEYS: tuple[tuple[str, ...], ...] = (("subject",), ("preheader",), ("letter", "name"))
"""What the example sets in edition.md for its writer to replace."""


def find_example_remains(folder: Path) -> Iterator[Problem]:
    """A problem for each text of the example that is still in the edition in ``folder``: a story or letter
    with the example's whole text, whatever its file is called, or the example's subject."""
    names = [
        EDITION_FILE,
        *(f"{STORIES_FOLDER}/{path.name}" for path in folder.glob(f"{STORIES_FOLDER}/*.md")),
    ]
    for name in sorted(names):
        file, _ = read_text_file(folder, name)
        if file is None:
            continue
        found, _ = read_front_matter(file)
        if text_digest(found.body) in _example_bodies():
            yield _problem(
                name,
                found.body_line,
                gettext_noop("this is the text of the example. Write your own, or delete it."),
            )
        if name == EDITION_FILE:
            yield from _find_values(found)


def _find_values(found: FrontMatter) -> Iterator[Problem]:
    for path, value in _example_values().items():
        if found.text(*path) == value:
            what = gettext_noop("`%(key)s` is that of the example. Write your own.") % {"key": ".".join(path)}
            yield _problem(EDITION_FILE, found.line_of(*path), what)


@cache
def _example_bodies() -> frozenset[str]:
    """The digests of the texts of the example's files."""
    examples = [edition_example("", "", [], date.min), *story_examples([], [])]
    return frozenset(text_digest(example.body) for example in examples)


@cache
def _example_values() -> Mapping[tuple[str, ...], str]:
    values = edition_example("", "", [], date.min).values
    texts = {path: values[path[0]] if len(path) == 1 else values[path[0]][path[1]] for path in _KEYS}
    return MappingProxyType(texts)


def _problem(path: str, line: int, message: str) -> Problem:
    return Problem(path=path, line=line, level=Level.error, code="example-text", message=message)
