"""Running every check on the mails of an edition, and finding the lines that caused what they find."""

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from editions.errors import Problem
from editions.source.folder import EDITION_FILE, STORIES_FOLDER
from locales.languages import canonical_language
from locales.phrase import gettext_noop
from mailer.checks.mail.parsed_mail import Mail, MailFinding, ParsedMail, Place
from mailer.checks.registry import CHECKS
from mailer.checks.rules import (
    body_parts,
    client_support,
    legibility,
    links,
    mime,
    pictures,
    structure,
    wording,
)

_FILE = re.compile(r"(?:stories/\d{3}-(?P<slug>[a-z0-9-]+)|edition)(?:\.(?P<language>[^./]+))?\.md")
# Fewer letters than this stand in many places. A Chinese character says as much as several letters.
_MIN_LETTERS, _MIN_WIDE = 6, 2
# What follows adds nothing, and may be on the other side of an emphasis.
_MAX_LETTERS = 60
_RULES: Sequence[Callable[[ParsedMail], Iterator[MailFinding]]] = (
    wording.check_language,
    structure.check_title,
    structure.check_tables,
    pictures.check_alt_texts,
    structure.check_headings,
    links.check_link_texts,
    legibility.check_contrast,
    legibility.check_legibility,
    wording.check_foreign_words,
    wording.check_phrases,
    wording.check_fonts,
    mime.check_size,
    structure.check_style_sizes,
    structure.check_doctype,
    structure.check_meta_tags,
    structure.check_dark_rules,
    legibility.check_dark_backgrounds,
    pictures.check_sizes,
    pictures.check_formats,
    pictures.check_weight,
    pictures.check_text_ratio,
    client_support.check_backgrounds,
    client_support.check_buttons,
    client_support.check_resolution,
    client_support.check_conditionals,
    client_support.check_tag_balance,
    client_support.check_support,
    links.check_targets,
    body_parts.check_preheader,
    body_parts.check_first_words,
    body_parts.check_text_part,
    body_parts.check_unsubscribe_links,
    mime.check_headers,
    links.check_tracking_parameters,
    wording.check_unprocessed_markup,
)
"""In the order of the list of 39; 30 and parts of others are about the files, 38 about MJML, 39 about the
network."""
# Tells a theme of another program. What a writer wrote is for the checks of the files, and may be in code.
_THEME_CODES = frozenset({"merge-left"})
_MAX_OTHER_LINES = 3


class SourceLine(NamedTuple):
    """A line of a file, counted from 1; the file's name is relative to the edition."""

    path: str
    line: int


UNKNOWN_LINE = SourceLine(EDITION_FILE, 1)
"""For what is not in the text of any story: it comes from the theme, or from the edition as a whole."""


@dataclass(frozen=True)
class _SourceFile:
    """A file of the edition: ``slug`` is its story's or empty, ``language`` empty for an original."""

    name: str
    slug: str
    language: str
    text: str

    @cached_property
    def _letters(self) -> tuple[str, list[int]]:
        """All letters and digits of the file in one run, and how many there are before each line. Markdown's
        signs, line ends and quotation marks differ between a file and the email; letters do not."""
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
        """Return for signs such as ``{{``, whose letters would stand in many places."""
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
    """The files of the edition in ``folder``, read when the first place is looked up; ``unsaved`` has texts
    in place of files, as for :func:`~editions.reader.inspect_edition`."""

    def __init__(self, folder: Path, unsaved: Mapping[str, str] = MappingProxyType({})) -> None:
        self._folder = folder
        self._unsaved = unsaved

    @cached_property
    def _files(self) -> list[_SourceFile]:
        files: list[_SourceFile] = []
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
            files.append(_SourceFile(name, found["slug"] or "", language, text))
        return files

    def locate(self, place: Place, language: str) -> SourceLine:
        """Return the line that ``place``, in an email in ``language``, comes from; the first line of the
        story's file if its words are not found, and :data:`UNKNOWN_LINE` outside the stories."""
        files = self._list_files(place.story, language)
        found = None
        if place.link:
            found = _first(file.find_link(place.link) for file in files)
        found = found or _first(file.find_text(text) for text in place.texts for file in files)
        if found or not place.story or not files:
            return found or UNKNOWN_LINE
        return SourceLine(files[0].name, 1)

    def _list_files(self, story: str, language: str) -> Sequence[_SourceFile]:
        """Return the files a text can come from: the translation into ``language``, then the original."""
        translation, original = (
            [file for file in self._files if file.slug == story and file.language == wanted]
            for wanted in (language, "")
        )
        return (*translation, *original)

    def locate_link(self, link: str) -> SourceLine:
        """Return the first line that contains ``link``, stories first."""
        files = sorted(self._files, key=lambda file: not file.slug)
        return _first(file.find_link(link) for file in files) or UNKNOWN_LINE

    def contains(self, text: str) -> bool:
        """Return whether ``text`` stands in one of the files, sign for sign."""
        return any(text in file.text for file in self._files)


def _first(found: Iterable[SourceLine | None]) -> SourceLine | None:
    return next(filter(None, found), None)


def check_mails(mails: Iterable[Mail], source: SourceLines | None = None) -> list[Problem]:
    """Return all errors and warnings in any of ``mails``, the distinct emails of one edition, with the file
    and line of ``source`` that each comes from. What several have in common is one problem, which states how
    many."""
    seen = list(mails)
    merged: dict[tuple[str, str], list[tuple[Mail, MailFinding]]] = {}
    for mail in seen:
        for finding in run_checks(mail):
            if not (source and _is_written(finding, source)):
                merged.setdefault((finding.code, finding.key), []).append((mail, finding))
    return sorted(_merge_findings(occurrences, seen, source) for occurrences in merged.values())


def run_checks(mail: Mail) -> list[MailFinding]:
    """Return every finding of every check for one email, the same in several places once."""
    parsed = ParsedMail(mail)
    faults: dict[tuple[str, str], MailFinding] = {}
    for question in _RULES:
        for finding in question(parsed):
            first = faults.setdefault((finding.code, finding.key), finding)
            if first is not finding:
                places = (*first.places, *finding.places)
                faults[finding.code, finding.key] = replace(first, places=places)
    return list(faults.values())


def _is_written(finding: MailFinding, source: SourceLines) -> bool:
    texts = (text for place in finding.places for text in place.texts)
    return finding.code in _THEME_CODES and any(map(source.contains, texts))


def _merge_findings(
    occurrences: Sequence[tuple[Mail, MailFinding]], mails: Sequence[Mail], source: SourceLines | None
) -> Problem:
    """Return one problem for the same finding in several emails, in the words of the heaviest."""
    worst, finding = max(occurrences, key=lambda occurrence: occurrence[1].weight)
    where = _describe_scope([mail for mail, _ in occurrences], worst, mails)
    lines = _list_lines([(worst, finding), *occurrences], source) if source else []
    first, *others = lines or [UNKNOWN_LINE]
    return Problem(
        path=first.path,
        line=first.line,
        level=CHECKS[finding.code].level,
        code=finding.code,
        # Always one line, whatever was in an attribute quoted in it.
        message=" ".join(f"{where}{finding.message}{_describe_others(others)}".split()),
    )


def _list_lines(occurrences: Iterable[tuple[Mail, MailFinding]], source: SourceLines) -> list[SourceLine]:
    lines = dict.fromkeys(
        source.locate(place, mail.language) for mail, finding in occurrences for place in finding.places
    )
    return [line for line in lines if line != UNKNOWN_LINE]


def _describe_others(others: Sequence[SourceLine]) -> str:
    """Return the end of a message, if the same was found on other lines too."""
    if not others:
        return ""
    shown = [f"{path}:{line}" for path, line in others[:_MAX_OTHER_LINES]]
    if more := len(others) - len(shown):
        words = (
            gettext_noop("The same at %(places)s and 1 more place.")
            if more == 1
            else gettext_noop("The same at %(places)s and %(number)s more places.")
        )
        return " " + words % {"places": ", ".join(shown), "number": more}
    *most, last = shown
    named = f"{', '.join(most)} and {last}" if most else last
    return " " + gettext_noop("The same at %(places)s.") % {"places": named}


def _describe_scope(found: Sequence[Mail], worst: Mail, mails: Sequence[Mail]) -> str:
    """Return the start of a message: the language, and which of its variants unless it is all of them."""
    languages = {mail.language for mail in found}
    alike = [mail for mail in mails if mail.language in languages]
    if len(found) < len(alike):
        message = gettext_noop("%(languages)s, %(number)s of %(total)s variants: %(words)s")
        if worst.variant and len(found) > 1:
            message = gettext_noop(
                "%(languages)s, %(number)s of %(total)s variants, such as %(variant)s: %(words)s"
            )
        elif worst.variant:
            message = gettext_noop("%(languages)s, %(number)s of %(total)s variants (%(variant)s): %(words)s")
        return message % {
            "languages": ", ".join(sorted(languages)),
            "number": len({*map(id, found)}),
            "total": len(alike),
            "variant": worst.variant,
            "words": "",
        }
    if len(languages) > 1 and len(found) == len(mails):
        return ""
    return f"{', '.join(sorted(languages))}: "
