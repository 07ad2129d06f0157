"""Checks of what an inbox shows of an edition: its subject, also beside the one before, and its preheader."""

import re
import unicodedata
from collections.abc import Iterator
from difflib import SequenceMatcher
from functools import lru_cache
from pathlib import Path

from editions.errors import Problem
from editions.source.document import AnyDocument, make_warning
from editions.source.folder import EDITION_FILE, is_slug
from editions.source.front_matter import FrontMatter, read_front_matter
from editions.source.text_file import read_text_file
from locales.languages import canonical_language, display_width
from locales.phrase import gettext_noop

# In columns, of which a Chinese, Japanese or Korean character takes two.
MAX_SUBJECT_WIDTH = 70
PREHEADER_WIDTHS = (40, 130)
# Promises and exclamations that spam filters such as SpamAssassin give points for.
_ADVERTISING = re.compile(r"[!！]{2,}|100\s?% (guaranteed|free)|act now|risk[- ]free", re.IGNORECASE)
_DATE = re.compile(r"^date:\s*[\"']?(\d{4}-\d\d-\d\d)", re.MULTILINE)
_NUMBER = re.compile(r"^number:\s*(.*)$", re.MULTILINE)
_WORD = re.compile(r"[^\W\d_]+")
_TRANSLATION = re.compile(r"edition\.([^.]+)\.md")
_SAME_LETTERS = 0.85


@lru_cache(maxsize=4096)
def make_comparable(text: str) -> str:
    """Return ``text`` for comparison: without capitals and without punctuation around it."""
    return unicodedata.normalize("NFKC", text).casefold().strip(" .,:;!?…»›>→()[]。！？：、")


def check_inbox(document: AnyDocument) -> Iterator[Problem]:
    subject, preheader = document.front_matter.text("subject"), document.front_matter.text("preheader")
    line = document.front_matter.line_of("subject")
    if (columns := display_width(subject)) > MAX_SUBJECT_WIDTH:
        yield make_warning(
            document,
            line,
            "long-subject",
            gettext_noop(
                "the subject has %(columns)s characters, and inboxes will cut it off. Keep it to %(most)s."
            ),
            columns=columns,
            most=MAX_SUBJECT_WIDTH,
        )
    if subject.isupper() and sum(letter.isupper() for letter in subject) >= 8:
        yield make_warning(
            document,
            line,
            "shouting-subject",
            gettext_noop(
                "the subject is all in capitals, which spam filters count against the email. Use "
                "lower-case letters too."
            ),
        )
    if _ADVERTISING.search(subject):
        yield make_warning(
            document,
            line,
            "loud-subject",
            gettext_noop(
                "the subject sounds like an advertisement, which spam filters count against the email. "
                "Say what is in the email, without exclamation marks or promises."
            ),
        )
    yield from _check_preheader(document, subject, preheader)


def _check_preheader(document: AnyDocument, subject: str, preheader: str) -> Iterator[Problem]:
    line, columns, (fewest, most) = (
        document.front_matter.line_of("preheader"),
        display_width(preheader),
        PREHEADER_WIDTHS,
    )
    if not preheader:
        return
    if make_comparable(preheader) == make_comparable(subject):
        yield make_warning(
            document,
            line,
            "preheader-repeats-subject",
            gettext_noop(
                "the preheader repeats the subject, and inboxes show the two side by side. Say what else "
                "is in the email."
            ),
        )
    if not fewest <= columns <= most:
        yield make_warning(
            document,
            line,
            "preheader-length",
            gettext_noop(
                "the preheader has %(columns)s characters. With fewer than %(fewest)s, inboxes add the "
                "first words of the email; with more than %(most)s, they cut it off. Write %(fewest)s to "
                "%(most)s."
            ),
            columns=columns,
            fewest=fewest,
            most=most,
        )


# Of four words, one may differ: “News from Beijing, spring” and “News from Beijing, autumn”.
_SAME, _NEARLY = "the same as", "nearly the same as"
_MESSAGES = {
    _SAME: gettext_noop(
        "the subject is the same as that of the edition before, %(name)s: “%(subject)s”. Inboxes put the "
        "mails of one sender together, and readers take it for the one they know. Name what is new in this "
        "edition."
    ),
    _NEARLY: gettext_noop(
        "the subject is nearly the same as that of the edition before, %(name)s: “%(subject)s”. Inboxes put "
        "the mails of one sender together, and readers take it for the one they know. Name what is new in "
        "this edition."
    ),
}
_SAME_WORDS, _FEWEST_WORDS = 0.75, 4


def find_repeated_subjects(editions: Path, slug: str) -> list[Problem]:
    """Return a warning for each language in which the edition ``slug`` has the subject of the one before it
    in the folder ``editions``, or nearly the same. Which one is before is decided by date, then by number."""
    ages = {folder.name: age for folder in _list_folders(editions) if (age := _read_age(folder))}
    earlier = [name for name, age in ages.items() if slug in ages and age < ages[slug]]
    if not earlier:
        return []
    last = max(earlier, key=ages.__getitem__)
    subjects = {language: subject for language, _, _, subject in _read_subjects(editions / last)}
    return [
        Problem.warning(
            name,
            line,
            "repeated-subject",
            _MESSAGES[how] % {"name": last, "subject": subjects[language]},
        )
        for language, name, line, subject in _read_subjects(editions / slug)
        if language in subjects and (how := compare_subjects(subject, subjects[language]))
    ]


def _list_folders(editions: Path) -> list[Path]:
    try:
        return [folder for folder in editions.iterdir() if is_slug(folder.name)]
    except OSError:
        return []


def _read_age(folder: Path) -> tuple[str, tuple[int, ...]] | None:
    """Return the date and number of the edition in ``folder``, without parsing all of its front matter."""
    if not (folder / EDITION_FILE).is_file():
        return None
    file, _ = read_text_file(folder, EDITION_FILE)
    date = _DATE.search(file.text) if file else None
    if file is None or date is None:
        return None
    number = _NUMBER.search(file.text)
    digits = re.findall(r"\d+", number[1]) if number else []
    return date[1], tuple(map(int, digits))


def _read_subjects(folder: Path) -> Iterator[tuple[str, str, int, str]]:
    """Yield language, file, line and text of each subject of the edition in ``folder``."""
    for path in sorted(folder.glob("edition*.md")):
        translation = _TRANSLATION.fullmatch(path.name)
        if translation is None and path.name != EDITION_FILE:
            continue
        front_matter = _read_front_matter(folder, path.name)
        language = translation[1] if translation else front_matter.text("language")
        if subject := front_matter.text("subject"):
            yield (
                canonical_language(language) or language,
                path.name,
                front_matter.line_of("subject"),
                subject,
            )


def _read_front_matter(folder: Path, name: str) -> FrontMatter:
    file, _ = read_text_file(folder, name)
    return read_front_matter(file)[0] if file else FrontMatter(values=None, lines={}, body="", body_line=1)


def compare_subjects(one: str, other: str) -> str:
    """Return how alike two subjects are for a reader who skims: ``the same as``, ``nearly the same as``, or
    empty. Numbers do not count: nobody reads “no. 12” and “no. 13” as two different things."""
    first, second = (_WORD.findall(unicodedata.normalize("NFKC", text).casefold()) for text in (one, other))
    if not first or not second:
        return _SAME if one == other else ""
    if first == second:
        return _SAME if one == other else _NEARLY
    words = SequenceMatcher(None, first, second, autojunk=False).ratio()
    letters = SequenceMatcher(None, " ".join(first), " ".join(second), autojunk=False).ratio()
    alike = (words >= _SAME_WORDS and len(first) >= _FEWEST_WORDS) or letters >= _SAME_LETTERS
    return _NEARLY if alike else ""
