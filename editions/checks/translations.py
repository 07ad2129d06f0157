"""Checks of translations: whether they are complete, and whether their originals have changed."""

import re
from collections.abc import Iterator
from itertools import zip_longest

from editions.cache import LatestCache
from editions.errors import Problem
from editions.markdown.writing_systems import split_cjk
from editions.source.document import AnyDocument, EditionDocuments
from editions.source.folder import EDITION_FILE
from editions.source.text_file import text_digest
from editions.source.yaml_parser import KeyPath
from editions.translatable_texts import BODY, find_open_texts
from locales.phrase import gettext_noop

_WORD = re.compile(r"[^\W\d_]+")
_LONG = 6
"""How many words a paragraph has that nobody leaves untranslated on purpose."""
_SHOWN = 60
_WHOSE = {"image": gettext_noop("the picture"), "video": gettext_noop("the video")}
_NO_ORIGINAL = {
    "image": gettext_noop(
        "%(name)s has no picture, so this text would not be used. Delete it here, or add `image` there."
    ),
    "images": gettext_noop(
        "%(name)s has no further picture, so this text would not be used. Delete it here, or add `images` "
        "there."
    ),
    "video": gettext_noop(
        "%(name)s has no video, so this text would not be used. Delete it here, or add `video` there."
    ),
}
_UNTRANSLATED = {
    "alt": gettext_noop(
        "%(whose)s's alt text is not translated, so readers will get it in %(language)s. Add `alt: …` under "
        "`%(ours)s`."
    ),
    "caption": gettext_noop(
        "%(whose)s's caption is not translated, so readers will get it in %(language)s. Add `caption: …` "
        "under `%(ours)s`."
    ),
}

# Without it, reading an edition in seven languages after a change to one story takes more than twice as long.
_checked_translations: LatestCache[tuple[Problem, ...]] = LatestCache(5000)


def check_translations(documents: EditionDocuments) -> list[Problem]:
    problems = [*_check_completeness(documents)]
    if documents.edition:
        for translation in documents.translations.values():
            problems += _recall_problems(documents.edition, translation, is_story=False)
    for story in documents.stories:
        for translated in story.translations.values():
            problems += _recall_problems(story.original, translated, is_story=True)
    return problems


def _recall_problems(
    original: AnyDocument, translation: AnyDocument, *, is_story: bool
) -> tuple[Problem, ...]:
    """Return the problems of one translation, from last time if neither it nor its original has changed."""
    return _checked_translations.get_or_create(
        translation.name,
        (original, translation),
        lambda: tuple(_check_translation(original, translation, is_story=is_story)),
    )


def _check_translation(
    original: AnyDocument, translation: AnyDocument, *, is_story: bool
) -> Iterator[Problem]:
    yield from check_original(original, translation, language=original.language)
    if not is_story:
        yield from _check_paragraphs(original, translation, is_story=False)
    # Whether an original has a picture cannot be told from front matter that cannot be read.
    elif original.front_matter.values is not None:
        yield from _check_images(original, translation)
        yield from _check_paragraphs(original, translation, is_story=True)
        yield from _check_read_more(original, translation)


def _check_completeness(documents: EditionDocuments) -> Iterator[Problem]:
    own = documents.edition.language if documents.edition else ""
    languages = {
        *documents.translations,
        *(language for story in documents.stories for language in story.translations),
    }
    for language in sorted(languages - {own}):
        if missing := documents.list_missing(language):
            named = ", ".join(missing[:3]) + (f" and {len(missing) - 3} more" if len(missing) > 3 else "")
            name = (
                documents.translations[language].name if language in documents.translations else EDITION_FILE
            )
            yield Problem.warning(
                name,
                1,
                "incomplete-translation",
                gettext_noop(
                    "not yet translated into %(language)s: %(named)s. Until then, its readers get the "
                    "edition in %(other)s. Add what is missing."
                ),
                language=language,
                named=named,
                other=own or gettext_noop("another language"),
            )


def check_original(original: AnyDocument, translation: AnyDocument, *, language: str) -> Iterator[Problem]:
    """Check that a translation is not into the original's ``language``, and the original unchanged since."""
    if language == translation.language:
        yield Problem.error(
            translation.name,
            1,
            "own-language",
            gettext_noop(
                "this is a translation into %(language)s, the language of %(name)s itself. Delete one of "
                "the two."
            ),
            language=language,
            name=original.name,
        )
    digest, recorded = text_digest(original.text), translation.front_matter.text("translated_from")
    if recorded and recorded != digest:
        yield Problem.warning(
            translation.name,
            translation.front_matter.line_of("translated_from"),
            "original-changed",
            gettext_noop(
                "%(name)s has changed since it was translated. Compare the two, then write "
                "`translated_from: %(digest)s`."
            ),
            name=original.name,
            digest=digest,
        )


def _check_paragraphs(
    original: AnyDocument, translation: AnyDocument, *, is_story: bool
) -> Iterator[Problem]:
    """Check for paragraphs that are as in the original. Short ones may be names, and the same on purpose."""
    texts = find_open_texts(original.front_matter, translation.front_matter, is_story=is_story)
    same = [text.original for text in texts if text.key == BODY and not text.is_missing]
    long = [text for text in same if _count_words(text) >= _LONG]
    if long and original.language != translation.language:
        words = (
            gettext_noop(
                "a paragraph is still as in %(name)s (“%(text)s”), so readers will get it in %(language)s. "
                "Translate it."
            )
            if len(long) == 1
            else gettext_noop(
                "%(number)s paragraphs are still as in %(name)s (“%(text)s”), so readers will get it in "
                "%(language)s. Translate it."
            )
        )
        yield Problem.warning(
            translation.name,
            translation.front_matter.body_line,
            "untranslated-text",
            words
            % {
                "number": len(long),
                "name": original.name,
                "text": _shorten(long[0]),
                "language": original.language,
            },
        )


def _count_words(text: str) -> int:
    """Return how many words a text has; two Chinese or Japanese characters are one."""
    cjk, others = split_cjk(text)
    return len(cjk) // 2 + len(_WORD.findall(others))


def _shorten(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN else f"{line[: _SHOWN - 1]}…"


def _check_images(original: AnyDocument, translation: AnyDocument) -> Iterator[Problem]:
    written, translated = original.front_matter, translation.front_matter
    pairs: list[tuple[KeyPath | None, KeyPath | None]] = [(("image",), ("image",))]
    pairs += zip_longest(written.item_paths("images"), translated.item_paths("images"))
    pairs.append((("video",), ("video",)))
    for theirs, ours in pairs:
        key = str(theirs[0]) if theirs else "images"
        if theirs and written.value(*theirs):
            yield from _check_image_texts(original, translation, theirs, ours or (key,))
        elif ours and translated.value(*ours):
            yield Problem.error(
                translation.name,
                translated.line_of(*ours),
                "image-without-original",
                _NO_ORIGINAL[key] % {"name": original.name},
            )


def _check_image_texts(
    original: AnyDocument, translation: AnyDocument, theirs: KeyPath, ours: KeyPath
) -> Iterator[Problem]:
    # The further pictures are only told apart by their files.
    whose = (
        _WHOSE[str(theirs[0])]
        if len(theirs) == 1 and theirs[0] != "images"
        else original.front_matter.text(*theirs, "file")
    )
    for key, message in _UNTRANSLATED.items():
        if original.front_matter.text(*theirs, key) and not translation.front_matter.text(*ours, key):
            yield Problem.warning(
                translation.name,
                translation.front_matter.line_of(*ours),
                f"untranslated-{key}",
                message % {"whose": whose, "language": original.language, "ours": ours[0]},
            )


def _check_read_more(original: AnyDocument, translation: AnyDocument) -> Iterator[Problem]:
    if original.front_matter.value("read_more") and not translation.front_matter.value("read_more"):
        yield Problem.warning(
            translation.name,
            1,
            "untranslated-links",
            gettext_noop(
                "the links below the story are not translated, so readers will get them in %(language)s. "
                "Add `read_more` here too."
            ),
            language=original.language,
        )
    if original.front_matter.value("button") and not translation.front_matter.value("button"):
        yield Problem.warning(
            translation.name,
            1,
            "untranslated-links",
            gettext_noop(
                "the button is not translated, so readers will get it in %(language)s. Add `button` here too."
            ),
            language=original.language,
        )
    theirs = original.front_matter.item_paths("read_more")
    for place, ours in enumerate(translation.front_matter.item_paths("read_more")):
        has_address = place < len(theirs) and original.front_matter.text(*theirs[place], "url")
        written = translation.front_matter.text(*ours, "what")
        if written and not translation.front_matter.text(*ours, "url") and not has_address:
            yield Problem.error(
                translation.name,
                translation.front_matter.line_of(*ours),
                "missing-key",
                gettext_noop(
                    "the link “%(written)s” has no address, and %(name)s has no link in the same place to "
                    "take it from. Add a line `url: …`."
                ),
                written=written,
                name=original.name,
            )
