"""Collects the texts of an edition, with their translations into one language."""

from collections.abc import Iterator
from pathlib import Path

from editions.rich_text.nodes import Text
from editions.source.front_matter import FrontMatter
from editions.translation_exchange.body_units import list_body_units
from editions.translation_exchange.edition_texts import TranslatedFile, list_translated_files
from editions.translation_exchange.fields import list_fields
from editions.translation_exchange.unit import Exchange, FileUnits, Texts, TranslationUnit


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
    """The units of one file."""
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
