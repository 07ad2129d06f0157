"""All documents of one edition: the originals and their translations."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from editions.source.document import Document
from editions.source.folder import STORIES_FOLDER
from editions.source.schema import EditionHeader, EditionTranslation, StoryHeader, StoryTranslation


@dataclass(frozen=True, kw_only=True)
class StoryDocuments:
    """A story's original and its translations by language."""

    number: str
    slug: str
    original: Document[StoryHeader]
    translations: Mapping[str, Document[StoryTranslation]]


@dataclass(frozen=True, kw_only=True)
class EditionDocuments:
    """The files of an edition that could be read. ``edition`` is None if ``edition.md`` could not."""

    edition: Document[EditionHeader] | None
    translations: Mapping[str, Document[EditionTranslation]]
    stories: Sequence[StoryDocuments]

    def list_missing(self, language: str) -> list[str]:
        """The parts of the edition that are missing in ``language``: files, and the letter."""
        missing = [
            f"{STORIES_FOLDER}/{story.number}-{story.slug}.{language}.md"
            for story in self.stories
            if language not in story.translations
        ]
        translation = self.translations.get(language)
        if translation is None:
            missing.insert(0, f"edition.{language}.md")
        elif self.edition and self.edition.has_text and not translation.has_text:
            missing.insert(0, "the letter")
        return missing

    def complete_languages(self) -> tuple[str, ...]:
        """The languages that the edition is complete in, its own first."""
        if self.edition is None:
            return ()
        return (
            self.edition.language,
            *(language for language in self.translations if not self.list_missing(language)),
        )
