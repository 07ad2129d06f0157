"""A Word document as an edition: a folder that is whole or not there, and a list of what is not in it."""

import re
import shlex
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from editions.checks.content import is_file_name
from editions.images.prepare import read_image
from editions.markdown.lang_spans import canonical_language
from editions.new_edition import guess_number, guess_period, make_slug, new_edition
from editions.source.folder import EDITION, IMAGES, STORIES
from editions.word.document import Reading, read_document
from editions.word.docx.package import open_package
from editions.word.html.cleaner import Body, Figure
from editions.word.html.inline_spans import join_signs
from editions.word.omissions import BEFORE, LeftBehind, Losses, quoted
from editions.word.output.edition_files import (
    Frame,
    PlacedPicture,
    choose_preheader,
    choose_subject,
    compose_edition,
    compose_story,
)
from editions.word.output.image_store import PictureStore
from editions.word.output.letter import find_letter, is_letter

_MOST_STORIES = 999
_STEP = 10
_WIDEST_PORTRAIT = 1.5
# Word describes pictures by itself and says so; a guess must not be read out as if a person had written it.
_GUESSED = re.compile(
    r"description (automatically generated|generated automatically)|自动生成", re.IGNORECASE
)


@dataclass(frozen=True, kw_only=True)
class Imported:
    """An edition made from a document. ``stories`` are files relative to ``folder``, ``images`` names in
    ``images/``; ``left_behind`` is in the order of the document."""

    slug: str
    folder: Path
    title: str
    stories: tuple[str, ...]
    images: tuple[str, ...]
    left_behind: tuple[LeftBehind, ...]

    def as_dict(self) -> dict[str, object]:
        """The same for a program to read."""
        return {
            "edition": self.slug,
            "folder": str(self.folder),
            "stories": list(self.stories),
            "images": list(self.images),
            "left_behind": [{"where": left.where, "what": left.what} for left in self.left_behind],
        }


def import_word(
    path: Path,
    editions: Path,
    *,
    slug: str = "",
    language: str = "",
    sectors: Collection[str] = (),
    today: date,
) -> Imported:
    """Make the edition ``slug`` in the folder ``editions`` from the Word document at ``path``.

    Without ``slug`` it is named after the file, without ``language`` the document's words decide. ``sectors``
    are those a story may have.

    Raises:
        WordError: it is no Word document, it is broken or dangerous, or it has no Heading 1.
        NewEditionError: there is an edition of that name.
        OSError: the file cannot be read, or the folder not written.
    """
    slug = slug or make_slug(path.stem, fallback=f"edition-{today.isoformat()}")
    losses = Losses()
    advice = f"mailer import {shlex.quote(path.name)} --edition {slug}-2"
    with new_edition(editions, slug, advice=advice) as building, open_package(path) as package:
        reading = read_document(package, losses)
        frame = _frame(path, slug, reading, language, today)
        desk = _Desk(building, PictureStore(package, building / IMAGES, losses), reading, losses)
        desk.write_edition(frame)
        desk.write_stories(language=frame.language, sectors=sectors)
        images = tuple(sorted(file.name for file in (building / IMAGES).glob("*")))
    return Imported(
        slug=slug,
        folder=editions / slug,
        title=frame.title,
        stories=tuple(desk.stories),
        images=images,
        left_behind=losses.listed(),
    )


def _frame(path: Path, slug: str, reading: Reading, language: str, today: date) -> Frame:
    """What frames the edition, from what the document says about itself and today's date."""
    language = canonical_language(language) or reading.language
    title = reading.title or join_signs(" ".join(path.stem.replace("_", " ").split()))
    titles = [story.title for story in reading.stories]
    subject = choose_subject(title, titles)
    return Frame(
        source=path.name,
        title=title,
        number=guess_number(slug, today),
        period=reading.subtitle or guess_period(today, language),
        date=today,
        language=language,
        subject=subject,
        preheader=choose_preheader(subject, titles, reading.stories[0].blocks),
    )


class _Desk:
    """Writes the files of one edition into the folder ``building``."""

    def __init__(self, building: Path, store: PictureStore, reading: Reading, losses: Losses) -> None:
        self.stories: list[str] = []
        self._building = building
        self._store = store
        self._reading = reading
        self._losses = losses

    def write_edition(self, frame: Frame) -> None:
        """Write ``edition.md``; the text before the first heading is the letter, if it is one."""
        self._losses.stand(BEFORE)
        body = self._reading.preamble
        letter = find_letter(body) if is_letter(body) else None
        portrait = self._place(body.figures, fits=self._is_portrait if letter else lambda _: False)
        if letter is None and (said := body.text()):
            self._losses.note(f"text too short for a letter:{quoted(said)}")
        self._write(EDITION, compose_edition(frame, letter, portrait))

    def write_stories(self, *, language: str, sectors: Collection[str]) -> None:
        """Write a file for each story, in order."""
        step = _STEP if len(self._reading.stories) * _STEP <= _MOST_STORIES else 1
        taken: set[str] = set()
        for number, story in enumerate(self._reading.stories, start=1):
            self._losses.enter(story.title)
            slug = _choose_slug(story, taken)
            name = f"{STORIES}/{number * step:03d}-{slug}.md"
            picture = self._place(story.figures, fits=lambda _: True)
            text = compose_story(story.title, story.blocks, picture, sectors=sectors, language=language)
            self._write(name, text)
            self.stories.append(name)

    def _place(self, figures: Sequence[Figure], *, fits: Callable[[str], bool]) -> PlacedPicture | None:
        """The first of ``figures`` that can be sent and whose file ``fits``; the others are kept as files and
        named as left behind."""
        placed: PlacedPicture | None = None
        for figure in figures:
            picture = self._reading.pictures[figure.number]
            file = self._store.save(picture)
            if file and placed is None and fits(file):
                placed = PlacedPicture(
                    file=file, alt=_choose_alt(picture.alt, figure), caption=figure.caption
                )
            elif file:
                self._losses.note(
                    f"a picture, kept as {IMAGES}/{file}{quoted(figure.caption or picture.alt)}: "
                    "a story shows one, a letter a portrait"
                )
        return placed

    def _is_portrait(self, file: str) -> bool:
        """Whether a picture may be one of a person; the banner of a newsletter is wider."""
        size = read_image(self._building / IMAGES / file)
        return size.width <= size.height * _WIDEST_PORTRAIT

    def _write(self, name: str, text: str) -> None:
        path = self._building / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")


def _choose_slug(story: Body, taken: set[str]) -> str:
    wanted = slug = make_slug(story.title, fallback="story")
    number = 2
    while slug in taken:
        slug, number = f"{wanted}-{number}", number + 1
    taken.add(slug)
    return slug


def _choose_alt(alt: str, figure: Figure) -> str:
    """Word's alt text, where a person wrote one that says more than a file name or the caption."""
    said = join_signs(_GUESSED.sub("", alt).strip(" .\n"))
    useless = is_file_name(said) or said.casefold() == figure.caption.casefold() or _GUESSED.search(alt)
    return "" if useless else said
