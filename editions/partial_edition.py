"""The part of an edition with errors that can be compiled all the same, for checks of its mail."""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from editions.assembler import assemble_edition
from editions.images.used import ImageSizes
from editions.model import Edition
from editions.problem import Problem
from editions.source.document import Document
from editions.source.edition_documents import EditionDocuments, StoryDocuments
from editions.source.header_repair import repair_header
from editions.source.schema import EditionHeader, EditionTranslation, StoryHeader, StoryTranslation

H = TypeVar("H", bound=BaseModel)

_LANGUAGE = re.compile(r"^language:\s*(\S+)\s*$", re.MULTILINE)
# The compiler refuses it anywhere.
_UNCOMPILABLE = "reserved-sign"


def assemble_partial_edition(
    folder: Path,
    slug: str,
    documents: EditionDocuments,
    images: ImageSizes,
    *,
    problems: Iterable[Problem],
    sectors: Collection[str],
) -> Edition | None:
    """The edition in ``folder`` without what its ``problems`` are about: faulty keys, pictures that cannot be
    read, stories that cannot be compiled. None if too little is left to make a mail.

    It must never be sent.
    """
    refused = {problem.path for problem in problems if problem.code == _UNCOMPILABLE}
    if documents.edition is None or refused.intersection({documents.edition.name}):
        return None
    edition = _repair(_with_language(documents.edition), EditionHeader, images, sectors)
    compilable = _list_compilable(documents.stories, refused)
    stories = [*filter(None, (_repair_story(story, images, sectors) for story in compilable))]
    if edition is None or not stories:
        return None
    translations = {
        language: repaired
        for language, document in documents.translations.items()
        if document.name not in refused
        and (repaired := _repair(document, EditionTranslation, images, sectors))
    }
    usable = EditionDocuments(edition=edition, translations=translations, stories=stories)
    return assemble_edition(folder, slug, usable, images)


def _with_language(edition: Document[EditionHeader]) -> Document[EditionHeader]:
    """``edition`` with its language, if that can be told from front matter that is not YAML.

    The stories have been read in the default language by then, so any other comes too late.
    """
    front_matter, found = edition.front_matter, _LANGUAGE.search(edition.text)
    if front_matter.values is not None or found is None or found[1] != edition.language:
        return edition
    return replace(edition, front_matter=replace(front_matter, values={"language": edition.language}))


def _list_compilable(stories: Iterable[StoryDocuments], refused: Collection[str]) -> Iterable[StoryDocuments]:
    """The stories with a slug of their own and no text that the compiler refuses."""
    seen: set[str] = set()
    for story in stories:
        names = {story.original.name, *(document.name for document in story.translations.values())}
        if story.slug not in seen and names.isdisjoint(refused):
            seen.add(story.slug)
            yield story


def _repair_story(
    story: StoryDocuments, images: ImageSizes, sectors: Collection[str]
) -> StoryDocuments | None:
    original = _repair(story.original, StoryHeader, images, sectors)
    if original is None:
        return None
    translations = {
        language: repaired
        for language, document in story.translations.items()
        if language != original.language
        and (repaired := _repair(document, StoryTranslation, images, sectors))
    }
    return replace(story, original=original, translations=translations)


def _repair(
    document: Document[H], schema: type[H], images: ImageSizes, sectors: Collection[str]
) -> Document[H] | None:
    header = document.header or repair_header(schema, document.front_matter.values, sectors=sectors)
    return None if header is None else replace(document, header=_without_missing_pictures(header, images))


def _without_missing_pictures(header: H, images: Mapping[str, object]) -> H:
    changes = {name: _keep_pictures(value, images) for name, value in header}
    return header.model_copy(update={name: new for name, new in changes.items() if new is not _SAME})


_SAME = object()


def _keep_pictures(value: Any, images: Mapping[str, object]) -> Any:
    """``value`` without pictures that are not among ``images``; _SAME if nothing is to be left out."""
    if isinstance(value, list):
        kept = [item for item in value if not _is_missing(item, images)]
        return _SAME if len(kept) == len(value) else kept
    if _is_missing(value, images):
        return None
    if isinstance(value, BaseModel):
        new = _without_missing_pictures(value, images)
        return _SAME if new == value else new
    return _SAME


def _is_missing(value: Any, images: Mapping[str, object]) -> bool:
    name = getattr(value, "file", None)
    return isinstance(value, BaseModel) and isinstance(name, str) and name not in images
