"""New editions: an empty one, a copy of another, and the parts of their front matter."""

import re
import shutil
import tempfile
import unicodedata
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from babel.dates import format_skeleton

from editions.changes.front_matter_change import FieldChanges, change_front_matter, read_fields
from editions.errors import FrontMatterError, NewEditionError
from editions.source.folder import (
    EDITION_FILE,
    IMAGES_FOLDER,
    STORIES_FOLDER,
    is_slug,
    leads_outside,
    scan_folder,
)
from editions.source.schema import EditionHeader
from editions.source.text_file import read_text_file
from locales.languages import find_locale
from locales.phrase import Phrase, gettext_noop

_ISSUE_NUMBER = re.compile(r"\d{4}(-\d{1,2})?(?!\d)")
_MAX_SLUG_LENGTH = 60
_HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af]")
_EMPTY = "---\ntitle: x\n---\n\n"
_NOT_COPIED = gettext_noop("%(name)s cannot be copied: %(reason)s")
_FAULTY_LINE = gettext_noop("%(name)s cannot be copied. Line %(line)s: %(reason)s")
_YEAR_AND_NUMBER = re.compile(r"(?P<before>.*?)(?P<year>(?:19|20)\d\d)-(?P<number>\d{1,2})(?P<after>\D*)")
_LAST_NUMBER = re.compile(r"(?P<before>.*?)(?P<number>\d+)(?P<after>\D*)")


def make_slug(text: str, *, fallback: str) -> str:
    """Return ``text`` as part of a file name: lower-case letters, digits and hyphens, at most 60 characters.

    Other scripts are written in Latin letters. ``fallback`` if nothing is left, as with a title of signs.

    >>> make_slug("Où en est l’eau ?", fallback="story"), make_slug("新项目", fallback="story")
    ('ou-en-est-l-eau', 'xin-xiang-mu')
    """
    slug = re.sub(r"[^a-z0-9]+", "-", _to_latin(unicodedata.normalize("NFKC", text.casefold()))).strip("-")
    return slug[:_MAX_SLUG_LENGTH].rsplit("-", 1)[0] if len(slug) > _MAX_SLUG_LENGTH else slug or fallback


def _to_latin(text: str) -> str:
    """Return ``text`` in Latin letters. Chinese has no spaces, so each of its characters becomes a word."""
    if text.isascii():
        return text
    from anyascii import anyascii  # Its tables take a while to load, and most titles need none.

    # A dash or a quotation mark ends a word; anyascii would write emoji out, and ь as an apostrophe.
    letters = "".join(
        sign if sign.isalnum() or unicodedata.category(sign)[0] == "M" else " " for sign in text
    )
    return anyascii(_HAN.sub(r" \g<0> ", letters)).casefold().replace("'", "").replace('"', "")


def guess_issue_number(slug: str, today: date) -> str:
    """Return 2021-2 for the slug ``beijing-2021-2``, else year and month."""
    found = _ISSUE_NUMBER.search(slug)
    return found.group() if found else f"{today:%Y-%m}"


def guess_period(today: date, language: str) -> str:
    """Return the month of ``today`` in ``language``, or in English where CLDR does not know its months."""
    return format_skeleton("yMMMM", today, locale=find_locale(language) or "en")


@contextmanager
def create_edition_folder(editions: Path, slug: str, *, advice: str) -> Iterator[Path]:
    """Create the folder of the edition ``slug``; it appears in ``editions`` when the block ends without
    error. Until then it is a hidden folder next to its place, so that a failure, a kill or a full disk does
    not leave half an edition. ``advice`` is the command that works when the name is taken. Raise
    NewEditionError if it is, or the slug is not a valid folder name."""
    target = editions / slug
    if not is_slug(slug):
        raise NewEditionError(
            slug,
            "bad-folder-name",
            gettext_noop(
                "the name becomes a folder and part of a web address. Use letters, digits and "
                "hyphens, as in 2021-2."
            ),
        )
    _reject_existing(target, advice)
    editions.mkdir(parents=True, exist_ok=True)
    building = Path(tempfile.mkdtemp(prefix=f".{slug}.", dir=editions))
    try:
        yield building
        _reject_existing(target, advice)
        building.chmod(0o755)
        building.rename(target)
    except BaseException:
        shutil.rmtree(building, ignore_errors=True)
        raise


def _reject_existing(target: Path, advice: str) -> None:
    if target.exists() or target.is_symlink():
        raise NewEditionError(
            target.name,
            "edition-exists",
            gettext_noop(
                "%(parent)s already has an edition of that name, and editions are never "
                "overwritten. Choose another name: %(advice)s"
            ),
            parent=target.parent,
            advice=advice,
        )


@dataclass(frozen=True, kw_only=True)
class CopyChoice:
    """What a copy takes over. Number, period and date are always new."""

    stories: bool = False
    """The stories with their pictures; without them, only the letter's portrait is taken."""

    translations: bool = False
    subject: bool = False
    """The subject and the preheader."""

    letter: bool = False
    """The text of the letter. Its heading and who signs it are always taken."""


def create_empty_edition(editions: Path, slug: str, *, title: str, language: str, today: date) -> Path:
    """Create the edition ``slug`` without stories, and return its folder. Raise NewEditionError if there is
    one of that name, or the slug is not a valid folder name, and OSError if the folder cannot be written."""
    with create_edition_folder(editions, slug, advice="") as building:
        for folder in (STORIES_FOLDER, IMAGES_FOLDER):
            (building / folder).mkdir()
        changes: FieldChanges = {"title": title, "language": language, **_date_anew(slug, language, today)}
        _write(building, EDITION_FILE, change_front_matter(_EMPTY, changes, schema=EditionHeader))
    return editions / slug


def copy_edition(editions: Path, source: str, slug: str, choice: CopyChoice, *, today: date) -> Path:
    """Create the edition ``slug`` as a copy of ``source``, and return its folder. Raise the errors of
    :func:`create_empty_edition`, and NewEditionError if ``source`` cannot be read."""
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


def suggest_name(slugs: Collection[str], today: date) -> str:
    """Return a name for the edition after the first of ``slugs``: 2026-3 after 2026-2, 2027-1 a year
    later."""
    newest = next(iter(slugs), "")
    if found := _YEAR_AND_NUMBER.fullmatch(newest):
        same_year = int(found["year"]) >= today.year
        year = found["year"] if same_year else str(today.year)
        number = int(found["number"]) + 1 if same_year else 1
        width = len(found["number"]) if found["number"].startswith("0") else 1
        name = f"{found['before']}{year}-{number:0{width}d}{found['after']}"
    elif found := _LAST_NUMBER.fullmatch(newest):
        name = f"{found['before']}{int(found['number']) + 1:0{len(found['number'])}d}{found['after']}"
    else:
        name = f"{today:%Y-%m}"
    number = 2
    free = name
    while free in slugs:
        free, number = f"{name}-{number}", number + 1
    return free
