"""The lines of an edition's files, and which of them a place in the finished email comes from."""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from editions.source.folder import EDITION_FILE, STORIES_FOLDER
from locales.languages import canonical_language
from mailer.checks.mail.place import Place

_FILE = re.compile(r"(?:stories/\d{3}-(?P<slug>[a-z0-9-]+)|edition)(?:\.(?P<language>[^./]+))?\.md")
# Fewer letters than this stand in many places. A Chinese character says as much as several letters.
_MIN_LETTERS, _MIN_WIDE = 6, 2
# What follows adds nothing, and may be on the other side of an emphasis.
_MAX_LETTERS = 60


class SourceLine(NamedTuple):
    """A line of a file, counted from 1; the file's name is relative to the edition."""

    path: str
    line: int


UNKNOWN_LINE = SourceLine(EDITION_FILE, 1)
"""For what is not in the text of any story: it comes from the theme, or from the edition as a whole."""


@dataclass(frozen=True)
class _SourceFile:
    """A file of the edition: ``slug`` is its story's, empty for the edition file; ``language`` is empty for
    an original."""

    name: str
    slug: str
    language: str
    text: str

    @cached_property
    def _letters(self) -> tuple[str, list[int]]:
        """All letters and digits of the file in one run, and how many of them there are before each line.

        Markdown's signs, line ends and quotation marks differ between a file and the email; letters do not.
        """
        lines = [_keep_letters(line) for line in self.text.splitlines()]
        return "".join(lines), [0, *accumulate(map(len, lines))]

    def find_text(self, text: str) -> SourceLine | None:
        letters = _keep_letters(text)[:_MAX_LETTERS]
        if len(letters) < (_MIN_LETTERS if letters.isascii() else _MIN_WIDE):
            return self._find_signs(text.strip())
        written, starts = self._letters
        place = written.find(letters)
        return None if place < 0 else SourceLine(self.name, bisect_right(starts, place))

    def _find_signs(self, signs: str) -> SourceLine | None:
        """For a text of signs more than of letters, such as ``{{``: letters alone stand in many places."""
        is_telling = len(signs) > 1 and not signs.replace(" ", "").isalnum()
        place = self.text.find(signs) if is_telling else -1
        return SourceLine(self.name, self.text.count("\n", 0, place) + 1) if place >= 0 else None

    def find_link(self, link: str) -> SourceLine | None:
        # Do not match a longer address: https://e.org/about also contains https://e.org/a.
        found = re.search(rf"{re.escape(link)}(?![\w/?#&=%~-])", self.text)
        return SourceLine(self.name, self.text.count("\n", 0, found.start()) + 1) if found else None


def _keep_letters(text: str) -> str:
    return "".join(filter(str.isalnum, text.casefold()))


class SourceLines:
    """The files of the edition in ``folder``, read when the first place is looked up.

    ``unsaved`` has texts in place of files, as for :func:`~editions.reader.inspect_edition`.
    """

    def __init__(self, folder: Path, unsaved: Mapping[str, str] = MappingProxyType({})) -> None:
        self._folder = folder
        self._unsaved = unsaved

    @cached_property
    def _files(self) -> tuple[_SourceFile, ...]:
        return tuple(self._read_files())

    def _read_files(self) -> Iterator[_SourceFile]:
        for path in sorted([*self._folder.glob("*.md"), *(self._folder / STORIES_FOLDER).glob("*.md")]):
            name = path.relative_to(self._folder).as_posix()
            if not (found := _FILE.fullmatch(name)):
                continue
            try:
                text = self._unsaved.get(name) or path.read_text(encoding="utf-8-sig", errors="replace")
            except OSError:
                # Reading the edition has reported it.
                continue
            language = canonical_language(found["language"] or "") or ""
            yield _SourceFile(name, found["slug"] or "", language, text)

    def locate(self, place: Place, language: str) -> SourceLine:
        """The line that ``place``, in an email in ``language``, comes from.

        For a place in a story whose words are not found, that is the first line of the story's file; outside
        the stories it is :data:`UNKNOWN_LINE`.
        """
        files = self._list_files(place.story, language)
        found = None
        if place.link:
            found = _first(file.find_link(place.link) for file in files)
        found = found or _first(file.find_text(text) for text in place.texts for file in files)
        if found or not place.story or not files:
            return found or UNKNOWN_LINE
        return SourceLine(files[0].name, 1)

    def _list_files(self, story: str, language: str) -> Sequence[_SourceFile]:
        """The files that a text of ``story``, or of the edition outside its stories, can come from: the
        translation into ``language`` first, then the original."""
        translation, original = (
            [file for file in self._files if file.slug == story and file.language == wanted]
            for wanted in (language, "")
        )
        return (*translation, *original)

    def locate_link(self, link: str) -> SourceLine:
        """The first line that contains ``link``, stories first."""
        files = sorted(self._files, key=lambda file: not file.slug)
        return _first(file.find_link(link) for file in files) or UNKNOWN_LINE

    def contains(self, text: str) -> bool:
        """Whether ``text`` stands in one of the files, sign for sign."""
        return any(text in file.text for file in self._files)


def _first(found: Iterable[SourceLine | None]) -> SourceLine | None:
    return next(filter(None, found), None)
