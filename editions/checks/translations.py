"""Whether the translations of an edition are whole, and still say what their originals say."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from editions.checks.content import AnyDocument, has_words
from editions.problem import Level, Problem
from editions.source.document import Document
from editions.source.folder import EDITION, STORIES
from editions.source.schema import EditionHeader, EditionTranslation, StoryHeader, StoryTranslation
from editions.source.text_file import source_digest


@dataclass(frozen=True, kw_only=True)
class StoryDocuments:
    """A story's original and its translations by language."""

    number: str
    slug: str
    original: Document[StoryHeader]
    translations: Mapping[str, Document[StoryTranslation]]


@dataclass(frozen=True, kw_only=True)
class Library:
    """Every file of an edition that could be read. ``edition`` is None when ``edition.md`` could not."""

    edition: Document[EditionHeader] | None
    translations: Mapping[str, Document[EditionTranslation]]
    stories: Sequence[StoryDocuments]

    def missing_in(self, language: str) -> list[str]:
        """What of the edition is not there in ``language``: files, and the letter."""
        missing = [
            f"{STORIES}/{story.number}-{story.slug}.{language}.md"
            for story in self.stories
            if language not in story.translations
        ]
        translation = self.translations.get(language)
        if translation is None:
            missing.insert(0, f"edition.{language}.md")
        elif self.edition and has_words(self.edition) and not has_words(translation):
            missing.insert(0, "the letter")
        return missing

    def languages(self) -> tuple[str, ...]:
        """The languages everything is there in, the edition's own first."""
        if self.edition is None:
            return ()
        return (
            self.edition.language,
            *(language for language in self.translations if not self.missing_in(language)),
        )


def check_translations(library: Library) -> list[Problem]:
    """Every complaint about the translations of an edition, each by the file it is about."""
    problems = [*_check_completeness(library)]
    if library.edition:
        for translation in library.translations.values():
            problems += _check_source(library.edition, translation)
    for story in library.stories:
        for translated in story.translations.values():
            problems += _check_source(story.original, translated)
            problems += _check_image(story.original, translated)
            problems += _check_read_more(story.original, translated)
    return problems


def _check_completeness(library: Library) -> Iterator[Problem]:
    own = library.edition.language if library.edition else ""
    languages = {
        *library.translations,
        *(language for story in library.stories for language in story.translations),
    }
    for language in sorted(languages - {own}):
        if missing := library.missing_in(language):
            named = ", ".join(missing[:3]) + (f" and {len(missing) - 3} more" if len(missing) > 3 else "")
            name = library.translations[language].name if language in library.translations else EDITION
            yield _problem(
                name,
                1,
                "incomplete-translation",
                f"not yet translated into {language}: {named}. Until then, its readers get the edition in "
                f"{own or 'another language'}. Add what is missing.",
            )


def _check_source(original: AnyDocument, translation: AnyDocument) -> Iterator[Problem]:
    if original.language == translation.language:
        yield _problem(
            translation.name,
            1,
            "own-language",
            f"this is a translation into {translation.language}, the language of {original.name} itself. "
            "Delete one of the two.",
            Level.error,
        )
    digest, written = source_digest(original.text), translation.front.text("translated_from")
    if written and written != digest:
        yield _problem(
            translation.name,
            translation.front.line("translated_from"),
            "original-changed",
            f"{original.name} has changed since it was translated. Compare the two, "
            f"then write `translated_from: {digest}`.",
        )


def _check_image(original: AnyDocument, translation: AnyDocument) -> Iterator[Problem]:
    if not original.front.value("image"):
        if translation.front.value("image"):
            yield _problem(
                translation.name,
                translation.front.line("image"),
                "image-without-original",
                f"{original.name} has no picture, so this text would not be used. "
                "Delete `image` here, or add it there.",
                Level.error,
            )
        return
    for key, what in (("alt", "alt text"), ("caption", "caption")):
        if original.front.text("image", key) and not translation.front.text("image", key):
            yield _problem(
                translation.name,
                translation.front.line("image"),
                f"untranslated-{key}",
                f"the picture's {what} is not translated, so readers will get it in {original.language}. "
                f"Add `{key}: …` under `image`.",
            )


def _check_read_more(original: AnyDocument, translation: AnyDocument) -> Iterator[Problem]:
    if original.front.value("read_more") and not translation.front.value("read_more"):
        yield _problem(
            translation.name,
            1,
            "untranslated-links",
            f"the links below the story are not translated, so readers will get them in "
            f"{original.language}. Add `read_more` here too.",
        )


def _problem(path: str, line: int, code: str, message: str, level: Level = Level.warning) -> Problem:
    return Problem(path=path, line=line, level=level, code=code, message=message)
