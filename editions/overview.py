"""An edition at a glance: what a list shows of it, and its stories section by section."""

import hashlib
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from editions.errors import Problem
from editions.markdown.renderer import LETTER_HEADING_LEVEL
from editions.model import StoryKind, find_section, order_sections
from editions.source.document import AnyDocument, Document, read_document
from editions.source.folder import EDITION_FILE, STORIES_FOLDER, FolderContents, StoryFiles
from editions.source.schema import EditionHeader, StoryHeader
from locales.countries import is_country

_BEGINNING = 3000
_COUNTRIES = re.compile(r"^countries:[^\n]*(?:\n[ \t]*-[^\n]*)*", re.MULTILINE)
_CODE = re.compile(r"\b[A-Z]{2}\b")
_PARTS = re.compile(r"(\d+)|(\D+)")


@dataclass(frozen=True, kw_only=True)
class EditionSummary:
    """What a list shows of the edition ``slug``: texts as written, empty where they are missing. ``complete``
    and ``incomplete`` are the languages it has files in beside its own. ``cover`` is the file of a picture in
    ``images/``, of the lead story if that has one. ``fault`` says why it cannot be read."""

    slug: str
    title: str = ""
    number: str = ""
    period: str = ""
    language: str = ""
    complete: tuple[str, ...] = ()
    incomplete: tuple[str, ...] = ()
    stories: int = 0
    cover: str = ""
    changed_at: datetime | None = None
    fault: str = ""

    @property
    def languages(self) -> list[str]:
        """The languages in which all of it is there, its own first."""
        return [tag for tag in (self.language, *self.complete) if tag]


@dataclass(frozen=True, kw_only=True)
class StoryCard:
    """A story of an edition, its files and its texts as written. ``document`` is None if it cannot be read;
    ``faults`` are what is wrong with its front matter. ``sector`` is one that there is, ``image`` a file in
    ``images/``, each "" for none."""

    story: StoryFiles
    document: AnyDocument | None
    faults: Sequence[Problem]
    sector: str
    image: str

    @property
    def slug(self) -> str:
        return self.story.slug

    @property
    def title(self) -> str:
        return self._text("title") or self.slug

    @property
    def words(self) -> int:
        return self.document.body.word_count if self.document is not None else 0

    @property
    def countries(self) -> list[str]:
        """Their codes."""
        written = self.document.front_matter.value("countries") if self.document is not None else ""
        return [code for code in written if isinstance(code, str)] if isinstance(written, list) else []

    @property
    def section(self) -> str:
        kind = self._text("kind")
        return find_section(StoryKind(kind) if kind in list(StoryKind) else StoryKind.story, self.sector)

    def _text(self, *path: str) -> str:
        return self.document.front_matter.text(*path) if self.document is not None else ""


def list_editions(editions: Path) -> list[str]:
    """Return the names of all editions, the newest first: 2026-10 comes before 2026-9."""
    try:
        found = [path.name for path in editions.iterdir() if path.is_dir()]
    except FileNotFoundError:
        return []
    return sorted((name for name in found if not name.startswith(".")), key=_natural_key, reverse=True)


def read_header(
    folder: Path, contents: FolderContents, sectors: Collection[str]
) -> tuple[Document[EditionHeader] | None, Sequence[Problem]]:
    """Read ``edition.md``; None if it cannot be read as text, and what is wrong with it."""
    return read_document(
        folder,
        EDITION_FILE,
        EditionHeader,
        sectors=sectors,
        heading=LETTER_HEADING_LEVEL,
        stamp=contents.stamps.get(EDITION_FILE),
    )


def read_card(
    folder: Path, story: StoryFiles, contents: FolderContents, *, language: str, sectors: Collection[str]
) -> StoryCard:
    """Read the original of a story of an edition that is written in ``language``."""
    document, problems = read_document(
        folder,
        story.original,
        StoryHeader,
        sectors=sectors,
        language=language,
        stamp=contents.stamps.get(story.original),
    )
    is_faulty = document is None or document.header is None
    sector = document.front_matter.text("sector") if document is not None else ""
    image = document.front_matter.text("image", "file") if document is not None else ""
    return StoryCard(
        story=story,
        document=document,
        faults=problems if is_faulty else (),
        sector=sector if sector in sectors else "",
        image=image if image in contents.images else "",
    )


def list_cards(
    folder: Path, contents: FolderContents, *, language: str, sectors: Collection[str]
) -> Mapping[str, list[StoryCard]]:
    """Return the stories of an edition written in ``language``, by their sections' keys, both in order."""
    sections: dict[str, list[StoryCard]] = {}
    for story in contents.stories:
        card = read_card(folder, story, contents, language=language, sectors=sectors)
        sections.setdefault(card.section, []).append(card)
    return {key: sections[key] for key in order_sections(sections, sectors=tuple(sectors))}


def find_countries_of_stories(folder: Path) -> Iterator[str]:
    """Yield the countries of all stories of an edition: those it is about are the likeliest."""
    for path in sorted((folder / STORIES_FOLDER).glob("[0-9]*.md")):
        try:
            with path.open(encoding="utf-8", errors="replace") as file:
                beginning = file.read(_BEGINNING)
        except OSError:
            continue
        # Only a proposal: reading the front matter of all stories takes longer than all else on the page.
        if written := _COUNTRIES.search(beginning):
            yield from filter(is_country, _CODE.findall(written[0]))


def summarise_edition(folder: Path, contents: FolderContents, sectors: Collection[str]) -> EditionSummary:
    stories = len(contents.stories)
    if not contents.has_edition:
        fault = contents.problems[0].message if contents.problems else ""
        return EditionSummary(slug=folder.name, stories=stories, fault=fault)
    document, problems = read_header(folder, contents, sectors)
    if document is None:
        fault = problems[0].message if problems else ""
        return EditionSummary(slug=folder.name, stories=stories, fault=fault)
    front = document.front_matter
    complete, incomplete = _sort_languages(contents)
    newest = max((stamp.modified for stamp in contents.stamps.values()), default=0)
    return EditionSummary(
        slug=folder.name,
        title=front.text("title"),
        number=front.text("number"),
        period=front.text("period"),
        language=document.language,
        complete=complete,
        incomplete=incomplete,
        stories=stories,
        cover=_find_cover(folder, contents, document.language, sectors),
        changed_at=datetime.fromtimestamp(newest / 1e9, UTC) if newest else None,
    )


def _sort_languages(contents: FolderContents) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the languages of translations in which every file is there, and the others."""
    used = {*contents.translations, *(tag for story in contents.stories for tag in story.translations)}
    complete = {
        tag for tag in contents.translations if all(tag in story.translations for story in contents.stories)
    }
    return tuple(sorted(complete)), tuple(sorted(used - complete))


def _find_cover(folder: Path, contents: FolderContents, language: str, sectors: Collection[str]) -> str:
    """Return the picture of the first story that has one, as far as the first few stories have."""
    first = contents.stories[:3]
    cards = (read_card(folder, one, contents, language=language, sectors=sectors) for one in first)
    return next((card.image for card in cards if card.image), "")


def digest_stamps(contents: FolderContents) -> str:
    """Return a digest of the files and their stamps; links have none, so their names count."""
    digest = hashlib.sha256()
    for name, stamp in sorted(contents.stamps.items()):
        digest.update(
            f"{name}\0{stamp.inode}\0{stamp.size}\0{stamp.modified}\0{stamp.changed}\n".encode(
                "utf-8", "surrogateescape"
            )
        )
    for problem in contents.problems:
        digest.update(str(problem).encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def _natural_key(name: str) -> tuple[tuple[int, int, str], ...]:
    parts: list[tuple[int, int, str]] = []
    for digits, letters in _PARTS.findall(name.casefold()):
        parts.append((1, int(digits), "") if digits else (0, 0, letters))
    return (*parts, (-1, 0, name))
