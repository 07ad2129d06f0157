"""New editions: an empty one, and a copy of another."""

import shutil
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from editions.changes.front_matter_change import FieldChanges, change_front_matter, read_fields
from editions.errors import FrontMatterError, NewEditionError
from editions.new_edition import create_edition_folder, guess_issue_number, guess_period
from editions.source.folder import EDITION_FILE, IMAGES_FOLDER, STORIES_FOLDER, leads_outside, scan_folder
from editions.source.schema import EditionHeader
from editions.source.text_file import read_text_file
from locales.phrase import Phrase, gettext_noop

_EMPTY = "---\ntitle: x\n---\n\n"


@dataclass(frozen=True, kw_only=True)
class CopyChoice:
    """What a copy takes over. Number, period and date are always new."""

    stories: bool = False
    """The stories with their pictures; without them, only the letter's portrait is taken."""

    translations: bool = False
    """The translations of what is taken."""

    subject: bool = False
    """The subject and the preheader."""

    letter: bool = False
    """The text of the letter. Its heading and who signs it are always taken."""


def create_empty_edition(editions: Path, slug: str, *, title: str, language: str, today: date) -> Path:
    """Create the edition ``slug`` without stories in the folder ``editions``, and return its folder.

    Raises:
        NewEditionError: there is an edition of that name, or the slug is not a valid folder name.
        OSError: the folder cannot be written.
    """
    with create_edition_folder(editions, slug, advice="") as building:
        for folder in (STORIES_FOLDER, IMAGES_FOLDER):
            (building / folder).mkdir()
        changes: FieldChanges = {"title": title, "language": language, **_date_anew(slug, language, today)}
        _write(building, EDITION_FILE, change_front_matter(_EMPTY, changes, schema=EditionHeader))
    return editions / slug


def copy_edition(editions: Path, source: str, slug: str, choice: CopyChoice, *, today: date) -> Path:
    """Create the edition ``slug`` in the folder ``editions`` as a copy of ``source``, and return its folder.

    Raises:
        NewEditionError: there is an edition of that name, the slug is not a valid folder name, or ``source``
            cannot be read.
        OSError: a file cannot be read, or the folder not written.
    """
    folder = editions / source
    contents = scan_folder(folder)
    with create_edition_folder(editions, slug, advice="") as building:
        for name in (STORIES_FOLDER, IMAGES_FOLDER):
            (building / name).mkdir()
        names = [EDITION_FILE]
        if choice.translations:
            names += contents.translations.values()
        for name in names:
            text = _clear(_read(folder, name, slug), slug, choice, today, is_original=name == EDITION_FILE)
            _write(building, name, text)
        if choice.stories:
            for story in contents.stories:
                wanted = [story.original, *(story.translations.values() if choice.translations else ())]
                for name in wanted:
                    _write(building, name, _read(folder, name, slug))
        _copy_pictures(folder, building, contents.images, every=choice.stories)
    return editions / slug


def _clear(text: str, slug: str, choice: CopyChoice, today: date, *, is_original: bool) -> str:
    """Return the text of ``edition.md``, or of a translation of it, for the copy."""
    fields = read_fields(text)
    changes: FieldChanges = {}
    if is_original:
        language = fields.get("language", "en")
        changes = _date_anew(slug, language if isinstance(language, str) else "en", today)
    else:
        changes = {"period": None, "translated_from": None}
    if not choice.subject:
        changes = {**changes, "subject": None, "preheader": None}
    if not choice.stories:
        # They are about sections, most of which will have other stories.
        changes = {**changes, "introductions": None, "checks": None}
    changed = change_front_matter(text, changes, schema=EditionHeader)
    return changed if choice.letter else _cut_body(changed)


def _cut_body(text: str) -> str:
    lines = text.split("\n")
    end = next(number for number, line in enumerate(lines[1:], start=1) if line.rstrip() == "---")
    return "\n".join([*lines[: end + 1], "", ""])


def _date_anew(slug: str, language: str, today: date) -> FieldChanges:
    return {
        "number": guess_issue_number(slug, today),
        "period": guess_period(today, language),
        "date": today.isoformat(),
    }


_NOT_COPIED = gettext_noop("%(name)s cannot be copied: %(reason)s")
_FAULTY_LINE = gettext_noop("%(name)s cannot be copied. Line %(line)s: %(reason)s")


def _read(folder: Path, name: str, slug: str) -> str:
    file, problems = read_text_file(folder, name)
    if file is None:
        reason = Phrase(_NOT_COPIED, name=name, reason=problems[0].message)
        raise NewEditionError(slug, problems[0].code, reason)
    try:
        read_fields(file.text)
    except FrontMatterError as error:
        if name == EDITION_FILE or "/" not in name:
            reason = Phrase(_FAULTY_LINE, name=name, line=error.line, reason=error.reason)
            raise NewEditionError(slug, error.code, reason) from error
    return file.text


def _write(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(text, encoding="utf-8", newline="\n")


def _copy_pictures(folder: Path, building: Path, images: Collection[str], *, every: bool) -> None:
    letter = read_fields((building / EDITION_FILE).read_text(encoding="utf-8")).get("letter", "")
    portrait = letter.get("portrait", "") if isinstance(letter, dict) else ""
    used = portrait.get("file", "") if isinstance(portrait, dict) else ""
    for name in images:
        path = f"{IMAGES_FOLDER}/{name}"
        if (every or name == used) and (folder / path).is_file() and not leads_outside(folder, path):
            shutil.copyfile(folder / path, building / path)
