"""Making a new edition: a folder that is complete or not there, and the parts of its front matter."""

import re
import shutil
import tempfile
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

from babel.dates import format_skeleton

from editions.errors import NewEditionError
from editions.source.folder import is_slug
from locales.languages import find_locale
from locales.phrase import gettext_noop

_ISSUE_NUMBER = re.compile(r"\d{4}(-\d{1,2})?(?!\d)")
_MAX_SLUG_LENGTH = 60
_HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af]")


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
    """Return the issue number of an edition with this slug: 2021-2 for ``beijing-2021-2``, else year and
    month."""
    found = _ISSUE_NUMBER.search(slug)
    return found.group() if found else f"{today:%Y-%m}"


def guess_period(today: date, language: str) -> str:
    """Return the month of ``today``, written in ``language``, or in English where CLDR does not know its
    months."""
    return format_skeleton("yMMMM", today, locale=find_locale(language) or "en")


@contextmanager
def create_edition_folder(editions: Path, slug: str, *, advice: str) -> Iterator[Path]:
    """Create the folder of the edition ``slug``; it appears in ``editions`` when the block ends without
    error.

    Until then it is a hidden folder next to its place, so that a failure, a kill or a full disk does not
    leave half an edition. ``advice`` is the command that works when the name is taken.

    Raises:
        NewEditionError: the slug is not a valid folder name, or there is an edition of that name.
    """
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
            )
            % {"parent": target.parent, "advice": advice},
        )
