"""Which texts of an edition are sent to a translator."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from editions.changes.translation_text import NEW_FILE, read_front
from editions.errors import EditionError
from editions.rich_text.nodes import Text
from editions.source.folder import EDITION_FILE, FolderContents, scan_folder
from editions.source.front_matter import FrontMatter, read_front_matter
from editions.source.text_file import TextFile, read_text_file
from editions.translation_exchange.units import (
    Exchange,
    FileUnits,
    Texts,
    TranslationUnit,
    list_body_units,
    list_fields,
)

EDITION_ID = "edition"
STORY_PREFIX = "stories."


@dataclass(frozen=True, kw_only=True)
class TranslatedFile:
    """A file and its translation. ``id`` is :data:`EDITION_ID` or ``stories.SLUG``. ``name`` is the
    translation's file name, whether it exists or not: ``text`` is None if it does not."""

    id: str
    original: TextFile
    front_matter: FrontMatter
    name: str
    text: str | None

    @property
    def is_story(self) -> bool:
        return self.id.startswith(STORY_PREFIX)

    def read_translation(self) -> FrontMatter:
        """Return the translation's front matter and body; empty if there is none."""
        return read_front(self.text or NEW_FILE)


def list_translated_files(folder: Path, language: str) -> Iterator[TranslatedFile]:
    """Yield every file of the edition in ``folder`` with its translation into ``language``: the edition, then
    its stories.

    Raises:
        EditionError: a file cannot be read.
    """
    contents = scan_folder(folder)
    if not contents.has_edition:
        raise EditionError(contents.problems)
    for identifier, original, name in _list_names(contents, language):
        file = _read(folder, original)
        translation = _read(folder, name) if (folder / name).exists() else None
        front_matter, problems = read_front_matter(file)
        if front_matter.values is None:
            raise EditionError(problems)
        yield TranslatedFile(
            id=identifier,
            original=file,
            front_matter=front_matter,
            name=name,
            text=translation.text if translation else None,
        )


def _list_names(contents: FolderContents, language: str) -> Iterator[tuple[str, str, str]]:
    translation = contents.translations.get(language, f"edition.{language}.md")
    yield EDITION_ID, EDITION_FILE, translation
    for story in contents.stories:
        name = story.translations.get(language, f"{story.original.removesuffix('.md')}.{language}.md")
        yield f"{STORY_PREFIX}{story.slug}", story.original, name


def _read(folder: Path, name: str) -> TextFile:
    file, problems = read_text_file(folder, name)
    if file is None:
        raise EditionError(problems)
    return file


def export_texts(folder: Path, language: str) -> Exchange:
    """Collect every text of the edition in ``folder`` that is translated, with what there is in ``language``.

    Raises:
        EditionError: a file of the edition cannot be read.
    """
    files = list(list_translated_files(folder, language))
    edition = files[0].front_matter
    return Exchange(
        slug=folder.name,
        title=edition.text("title"),
        source_language=edition.text("language") or "en",
        language=language,
        files=tuple(make_units(file) for file in files),
    )


def make_units(file: TranslatedFile) -> FileUnits:
    return FileUnits(
        id=file.id,
        name=file.original.name,
        title=file.front_matter.text("title"),
        units=tuple(_list_units(file)),
    )


def _list_units(file: TranslatedFile) -> Iterator[TranslationUnit]:
    translation = file.read_translation()
    for path, note in list_fields(file.front_matter, is_story=file.is_story):
        is_markdown = path[0] == "introductions"
        yield TranslationUnit(
            id=".".join(map(str, path)),
            note=note,
            source=_read_text(file.front_matter, path),
            target=_read_text(translation, path),
            is_markdown=is_markdown,
        )
    yield from list_body_units(file.front_matter.body, translation.body)


def _read_text(front_matter: FrontMatter, path: tuple[str | int, ...]) -> Texts:
    text = front_matter.text(*path)
    return (Text(text),) if text else ()
