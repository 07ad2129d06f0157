"""Importing a document or a feed as an edition."""

import hashlib
import re
import shlex
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from editions.errors import ImageError
from editions.images.files import convert_image
from editions.images.prepared_images import measure_image
from editions.imports.document import DocumentContent, choose_alt, read_content, title_from_name
from editions.imports.docx.reader import read_docx
from editions.imports.edition_files import format_edition_file, format_story_file, is_letter
from editions.imports.feed_stories import find_feed, read_feed
from editions.imports.file_formats import FileFormat, detect_format
from editions.imports.html.cleaner import ChapterImage, CleanChapter
from editions.imports.html.inline_spans import split_double_at
from editions.imports.html.story_starts import StoryStarts
from editions.imports.odt.reader import read_odt
from editions.imports.source_document import (
    BEFORE_HEADING,
    MAX_IMAGE_BYTES,
    QUOTED_AFTER,
    Fetch,
    Omission,
    OmissionLog,
    SourceImage,
    advise,
    quote,
)
from editions.imports.web_page.reader import read_web_page
from editions.new_editions import create_edition_folder, make_slug
from editions.source.folder import EDITION_FILE, IMAGES_FOLDER, STORIES_FOLDER
from locales.languages import canonical_language
from locales.phrase import AFTER_PLACE, FURTHER, Phrase, gettext_noop

_VECTOR_FORMATS = {
    ".emf": gettext_noop("a Windows drawing (EMF)"),
    ".wmf": gettext_noop("a Windows drawing (WMF)"),
    ".svg": gettext_noop("an SVG drawing"),
}
_FAULTS = {
    "image-format": gettext_noop("image format"),
    "image-too-large": gettext_noop("image too large"),
    "broken-image": gettext_noop("broken image"),
}
_NAME_DIGITS = 12
_MAX_STORIES = 999
_NUMBER_STEP = 10
_MAX_PORTRAIT_RATIO = 1.5
_MAX_IMAGES = 9
_MIN_IMAGE_WIDTH = 120
_SPARE_PICTURE = gettext_noop("a picture, kept as %(file)s")
_WHERE_IMAGES_GO = gettext_noop("a story shows up to %(most)s that are no icons, a letter one portrait")
_READERS = {FileFormat.docx: read_docx, FileFormat.odt: read_odt, FileFormat.web_page: read_web_page}


class ImageStore:
    """Saves the pictures of one document in ``folder``, each once."""

    def __init__(self, folder: Path, omissions: OmissionLog) -> None:
        self._folder = folder
        self._omissions = omissions
        self._names: dict[tuple[str, tuple[float, ...]], str | None] = {}

    def save(self, picture: SourceImage) -> str | None:
        """Save ``picture`` and return its file name; None when an email cannot carry it, which is logged.
        Raise DocumentError if the picture cannot be unpacked."""
        key = (picture.part, picture.crop)
        if key not in self._names:
            self._names[key] = self._write(picture)
        return self._names[key]

    def _write(self, picture: SourceImage) -> str | None:
        part = Path(picture.part)
        refused = _VECTOR_FORMATS.get(part.suffix.lower())
        if picture.size > MAX_IMAGE_BYTES:
            too_large = gettext_noop("a picture of more than %(most)s MB")
            refused = Phrase(too_large, most=MAX_IMAGE_BYTES // 1_000_000)
        if not refused:
            try:
                return self._keep(*convert_image(part.name, picture.read(), picture.crop))
            except ImageError as error:
                unusable = gettext_noop("a picture that cannot be used (%(why)s)")
                refused = Phrase(unusable, why=_explain(error))
        advice = gettext_noop("save it as PNG or JPEG and add it to images/")
        named = Phrase(FURTHER, first=refused, next=part.name)
        self._omissions.add(advise(quote(named, picture.alt), advice))
        return None

    def _keep(self, data: bytes, ending: str) -> str:
        """Write ``data`` and decode it, as sending will."""
        path = self._folder / f"{hashlib.sha256(data).hexdigest()[:_NAME_DIGITS]}{ending}"
        self._folder.mkdir(exist_ok=True)
        path.write_bytes(data)
        try:
            measure_image(path)
        except ImageError:
            path.unlink()
            raise
        return path.name


def _explain(error: ImageError) -> str:
    """Why a picture cannot be used, and for a format that Pillow knows, what it is."""
    known = re.search(r" is (HEIC|AVIF|PDF|SVG), and ([^.]*)", error.reason)
    if known:
        return Phrase(AFTER_PLACE, place=known[1], words=known[2])
    return Phrase(_FAULTS.get(error.code, error.code.replace("-", " ")))


@dataclass(frozen=True, kw_only=True)
class ImportedEdition:
    """An edition made from a document. ``stories`` are files relative to ``folder``, ``images`` names in
    ``images/``; ``omissions`` are in the order of the document."""

    slug: str
    folder: Path
    title: str
    starts: StoryStarts
    stories: tuple[str, ...]
    images: tuple[str, ...]
    omissions: tuple[Omission, ...]

    def as_dict(self) -> dict[str, object]:
        return {
            "edition": self.slug,
            "folder": str(self.folder),
            "stories_begin": {"at": str(self.starts.rule), "level": self.starts.level or None},
            "stories": list(self.stories),
            "images": list(self.images),
            "left_behind": [vars(left) for left in self.omissions],
        }


def import_document(
    path: Path,
    editions: Path,
    *,
    slug: str = "",
    language: str = "",
    sectors: Collection[str] = (),
    stories_at: int = 0,
    today: date,
) -> ImportedEdition:
    """Make the edition ``slug``, by default named after the file, in the folder ``editions`` from the
    document at ``path``. Without ``language``, that is detected. Stories begin at headings of the level
    ``stories_at``; where it is 0, where the document shows it. Raise DocumentError if it is of no format in
    :class:`FileFormat`, damaged, dangerous or empty, or no story begins there; NewEditionError if there is an
    edition of that name; and OSError if the file cannot be read, or the folder not written."""
    slug = slug or make_slug(path.stem, fallback=f"edition-{today.isoformat()}")
    omissions = OmissionLog()
    advice = f"mailer import {shlex.quote(path.name)} --edition {slug}-2"
    with (
        create_edition_folder(editions, slug, advice=advice) as new_folder,
        _READERS[detect_format(path)](path, omissions) as source,
    ):
        content = read_content(source, omissions, level=stories_at)
        writer = _EditionWriter(new_folder, path.name, content, omissions, language=language)
        writer.write(slug, sectors, today)
    return writer.summarise(editions / slug)


def import_feed(
    address: str,
    editions: Path,
    fetch: Fetch,
    *,
    slug: str = "",
    language: str = "",
    sectors: Collection[str] = (),
    since: date | None = None,
    today: date,
) -> ImportedEdition:
    """Make the edition ``slug``, by default named after the feed and the day, from the feed at ``address``,
    or from the one that the page there names: a story of each entry, of the day ``since`` or later. Raise
    DocumentError if it cannot be fetched, is no feed, or has no such entries; otherwise see
    :func:`import_document`."""
    feed = find_feed(address, fetch)
    slug = slug or f"{make_slug(feed.title, fallback='feed')}-{today.isoformat()}"
    omissions = OmissionLog()
    advice = f"mailer import {shlex.quote(address)} --edition {slug}-2"
    with create_edition_folder(editions, slug, advice=advice) as new_folder:
        content = read_feed(feed, address=address, since=since, fetch=fetch, omissions=omissions)
        writer = _EditionWriter(new_folder, address, content, omissions, language=language)
        writer.write(slug, sectors, today)
    return writer.summarise(editions / slug)


class _EditionWriter:
    """Writes an edition into ``folder``; ``source`` is the file's name or the address it is made from."""

    def __init__(
        self, folder: Path, source: str, content: DocumentContent, omissions: OmissionLog, *, language: str
    ) -> None:
        self._folder = folder
        self._source = source
        self._content = content
        self._omissions = omissions
        self._title = content.title or title_from_name(source)
        self._language = canonical_language(language) or content.language
        self._image_store = ImageStore(folder / IMAGES_FOLDER, omissions)
        self._stories: list[str] = []

    def write(self, slug: str, sectors: Collection[str], today: date) -> None:
        self._write_edition(slug, today)
        self._write_stories(sectors)

    def summarise(self, folder: Path) -> ImportedEdition:
        return ImportedEdition(
            slug=folder.name,
            folder=folder,
            title=self._title,
            starts=self._content.starts,
            stories=tuple(self._stories),
            images=tuple(sorted(file.name for file in (folder / IMAGES_FOLDER).glob("*"))),
            omissions=self._omissions.list_omissions(),
        )

    def _write_edition(self, slug: str, today: date) -> None:
        """Write ``edition.md``; the text before the first heading is the letter, if it is long enough."""
        self._omissions.set_place(BEFORE_HEADING)
        body = self._content.preamble
        letter = body if is_letter(body) else None
        portraits = self._place_images(
            body.images, fits=self._is_portrait if letter else lambda _: False, most=1
        )
        if letter is None and (text := body.plain_text()):
            short = gettext_noop("text too short for a letter")
            self._omissions.add(quote(short, text, QUOTED_AFTER), words=text)
        written = format_edition_file(
            self._content,
            letter,
            portraits[0] if portraits else None,
            source=self._source,
            title=self._title,
            slug=slug,
            language=self._language,
            today=today,
        )
        self._write(EDITION_FILE, written)

    def _write_stories(self, sectors: Collection[str]) -> None:
        step = _NUMBER_STEP if len(self._content.stories) * _NUMBER_STEP <= _MAX_STORIES else 1
        taken: set[str] = set()
        for number, story in enumerate(self._content.stories, start=1):
            self._omissions.enter_story(story.title)
            slug = _choose_slug(story, taken)
            name = f"{STORIES_FOLDER}/{number * step:03d}-{slug}.md"
            pictures = self._place_images(story.images, fits=self._is_large)
            text = format_story_file(story, pictures, sectors=sectors, language=self._language)
            self._write(name, text)
            self._stories.append(name)

    def _place_images(
        self, images: Sequence[ChapterImage], *, fits: Callable[[str], bool], most: int = _MAX_IMAGES
    ) -> list[ChapterImage]:
        """Return the first ``most`` of ``images`` whose file ``fits``; the others are kept, and logged."""
        placed: list[ChapterImage] = []
        for figure in images:
            picture = self._content.images[figure.number]
            file = self._image_store.save(picture)
            if file and len(placed) < most and fits(file):
                alt = split_double_at(choose_alt(picture.alt, figure.caption))
                placed.append(replace(figure, file=file, alt=alt))
            elif file:
                kept = Phrase(_SPARE_PICTURE, file=f"{IMAGES_FOLDER}/{file}")
                what = quote(kept, figure.caption or picture.alt)
                why = Phrase(_WHERE_IMAGES_GO, most=_MAX_IMAGES)
                self._omissions.add(Phrase(AFTER_PLACE, place=what, words=why), words=figure.caption)
            elif figure.caption:
                caption = gettext_noop("the caption of that picture")
                self._omissions.add(quote(caption, figure.caption), words=figure.caption)
        return placed

    def _is_large(self, file: str) -> bool:
        return measure_image(self._folder / IMAGES_FOLDER / file).width >= _MIN_IMAGE_WIDTH

    def _is_portrait(self, file: str) -> bool:
        """Return whether a picture may be a portrait; a newsletter's banner is wider."""
        size = measure_image(self._folder / IMAGES_FOLDER / file)
        return size.width <= size.height * _MAX_PORTRAIT_RATIO

    def _write(self, name: str, text: str) -> None:
        path = self._folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")


def _choose_slug(story: CleanChapter, taken: set[str]) -> str:
    base = slug = make_slug(story.title, fallback="story")
    number = 2
    while slug in taken:
        slug, number = f"{base}-{number}", number + 1
    taken.add(slug)
    return slug
