"""Building an :class:`~editions.model.Edition` from its documents, with errors in them or without."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeAlias, TypeVar

from pydantic import BaseModel

from editions.cache import LatestCache
from editions.errors import Problem
from editions.images.edition_images import ImageSizes
from editions.markdown.plain_text import find_lead
from editions.markdown.renderer import RenderedMarkdown
from editions.model import (
    CENTRE,
    Crop,
    Edition,
    EditionText,
    FollowLink,
    Image,
    ImageText,
    Letter,
    ReadMore,
    Signature,
    Story,
    StoryText,
    Video,
)
from editions.source.document import Document, EditionDocuments, StoryDocuments
from editions.source.folder import IMAGES_FOLDER
from editions.source.front_matter import repair_header
from editions.source.schema import (
    ButtonHeader,
    ButtonTranslation,
    EditionHeader,
    EditionTranslation,
    ImageHeader,
    ImageTranslation,
    LetterHeader,
    LetterTranslation,
    ReadMoreHeader,
    ReadMoreTranslation,
    StoryHeader,
    StoryTranslation,
    VideoHeader,
    VideoTranslation,
)

_AnyLink: TypeAlias = (
    ReadMoreHeader | ReadMoreTranslation | ButtonHeader | ButtonTranslation | VideoHeader | VideoTranslation
)

_stories: LatestCache[Story] = LatestCache(2000)
H = TypeVar("H", bound=BaseModel)
_LANGUAGE = re.compile(r"^language:\s*(\S+)\s*$", re.MULTILINE)
# The compiler refuses it anywhere.
_UNCOMPILABLE = "reserved-sign"
_SAME = object()


def assemble_edition(folder: Path, slug: str, documents: EditionDocuments, images: ImageSizes) -> Edition:
    """Return the edition of ``documents``, in which every header is valid and one is edition.md's."""
    document = documents.edition
    if document is None or document.header is None:
        raise ValueError("an edition without a valid edition.md cannot be assembled")
    header, languages = document.header, documents.complete_languages()
    by_language: dict[str, Document[Any]] = {document.language: document, **documents.translations}
    texts = {language: _edition_text(by_language[language], header) for language in languages}
    return Edition(
        folder=folder,
        slug=slug,
        title=header.title,
        number=header.number,
        period=header.period,
        date=header.date,
        language=document.language,
        languages=languages,
        subject=header.subject,
        preheader=header.preheader,
        template=header.template,
        sender_name=header.sender,
        letter=_letter(folder, by_language, header.letter, images),
        stories=tuple(_recall_story(folder, story, images) for story in documents.stories),
        introductions=texts[document.language].introductions,
        follow=tuple(
            FollowLink(name=item.name, handle=item.handle, url=item.url or "") for item in header.follow
        ),
        texts=MappingProxyType(texts),
        form=header.form,
        personalise=header.personalise,
        checks=MappingProxyType(dict(header.checks)),
        authors=tuple(author for author in header.authors if author),
    )


def _edition_text(
    document: Document[EditionHeader | EditionTranslation], original: EditionHeader
) -> EditionText:
    header = _valid_header(document)
    return EditionText(
        language=document.language,
        title=header.title,
        period=header.period or original.period,
        subject=header.subject,
        preheader=header.preheader,
        introductions=MappingProxyType(
            {key: _text(document.language, "", rendered) for key, rendered in document.introductions.items()}
        ),
    )


def _letter(
    folder: Path, by_language: Mapping[str, Document[Any]], signed: LetterHeader | None, images: ImageSizes
) -> Letter | None:
    if signed is None:
        return None
    texts, signatures = {}, {}
    for language, document in by_language.items():
        heading: LetterHeader | LetterTranslation | None = _valid_header(document).letter
        if heading:
            texts[language] = _text(language, heading.title, document.body)
            signatures[language] = Signature(
                name=heading.name or signed.name,
                titles=tuple(title for title in heading.titles or signed.titles if title),
                portrait=_image_text(heading.portrait, signed.portrait),
            )
    return Letter(
        texts=MappingProxyType(texts),
        name=signed.name,
        titles=tuple(title for title in signed.titles if title),
        portrait=_image(folder, signed.portrait, images),
        signatures=MappingProxyType(signatures),
    )


def _recall_story(folder: Path, story: StoryDocuments, images: ImageSizes) -> Story:
    """Return the story of unchanged files from the cache: a writer changes one story at a time."""
    header = _valid_header(story.original)
    pictures = (header.image, *header.images, header.video)
    sizes = tuple(images[picture.file] for picture in pictures if picture)
    return _stories.get_or_create(
        (folder, story.original.name),
        (story.original, dict(story.translations), sizes),
        lambda: _story(folder, story, images),
    )


def _story(folder: Path, story: StoryDocuments, images: ImageSizes) -> Story:
    header = _valid_header(story.original)
    documents: dict[str, Document[Any]] = {story.original.language: story.original, **story.translations}
    return Story(
        slug=story.slug,
        source=story.original.name,
        kind=header.kind,
        sector=header.sector,
        countries=tuple(dict.fromkeys(header.countries)),
        date=header.date,
        texts=MappingProxyType(
            {language: _story_text(found, header) for language, found in documents.items()}
        ),
        image=_image(folder, header.image, images),
        images=tuple(filter(None, (_image(folder, further, images) for further in header.images))),
        read_more=_links(header.read_more, header.read_more),
        everyone=header.everyone,
        video=_video(folder, header.video, images),
        ai=header.ai,
    )


def _story_text(document: Document[StoryHeader | StoryTranslation], original: StoryHeader) -> StoryText:
    """Return the story in one language, with the original's text where the translation has none."""
    header = _valid_header(document)
    picture = _image_text(header.image, original.image)
    return StoryText(
        language=document.language,
        title=header.title,
        html=document.body.html,
        text=document.body.text,
        words=document.body.word_count,
        caption=picture.caption,
        alt=picture.alt,
        credit=picture.credit,
        images=tuple(
            _image_text(translated, further)
            for translated, further in zip_longest(header.images[: len(original.images)], original.images)
        ),
        date=header.date or original.date,
        read_more=_links(header.read_more or original.read_more, original.read_more),
        button=_link(header.button or original.button, original.button),
        video=_link(header.video or original.video, original.video),
        still=_image_text(header.video, original.video) if original.video else None,
        lead=header.lead or find_lead(document.body.html),
        has_wide_table=document.body.has_wide_table,
    )


def _text(language: str, title: str, rendered: RenderedMarkdown) -> StoryText:
    return StoryText(
        language=language,
        title=title,
        html=rendered.html,
        text=rendered.text,
        words=rendered.word_count,
        caption="",
        alt="",
    )


def _image(folder: Path, header: ImageHeader | None, images: ImageSizes) -> Image | None:
    if header is None:
        return None
    size = images[header.file]
    crop = Crop(shape=header.shape, focus=header.focus or CENTRE) if header.shape else None
    width, height = crop.find_size(size.width, size.height) if crop else (size.width, size.height)
    return Image(
        path=folder / f"{IMAGES_FOLDER}/{header.file}",
        alt=header.alt,
        caption=header.caption,
        credit=header.credit,
        width=width,
        height=height,
        ai=size.ai or header.ai,
        digest=size.digest,
        crop=crop,
        people=header.people,
    )


def _video(folder: Path, header: VideoHeader | None, images: ImageSizes) -> Video | None:
    image = _image(folder, header, images)
    return Video(image=image, duration=header.duration) if image and header else None


def _image_text(translated: ImageHeader | ImageTranslation | None, original: ImageHeader | None) -> ImageText:
    found = [header for header in (translated, original) if header]
    return ImageText(
        alt=next((header.alt for header in found if header.alt), ""),
        caption=next((header.caption for header in found if header.caption), ""),
        credit=next((header.credit for header in found if header.credit), ""),
    )


def _links(headers: Sequence[_AnyLink], originals: Sequence[ReadMoreHeader]) -> tuple[ReadMore, ...]:
    """Return the links, with the address of the original in the same place where a translation has none."""
    pairs = zip_longest(headers, originals[: len(headers)])
    return tuple(link for link in (_link(header, original) for header, original in pairs) if link)


def _link(
    header: _AnyLink | None, original: ReadMoreHeader | ButtonHeader | VideoHeader | None
) -> ReadMore | None:
    if header is None:
        return None
    url = header.url or (original.url if original else "")
    what = header.what or (original.what if original else "")
    return ReadMore(what=what, url=url) if url and what else None


def _valid_header(document: Document[Any]) -> Any:
    if document.header is None:
        raise ValueError(f"{document.name} has no valid front matter")
    return document.header


def assemble_partial_edition(
    folder: Path,
    slug: str,
    documents: EditionDocuments,
    images: ImageSizes,
    *,
    problems: Iterable[Problem],
    sectors: Collection[str],
) -> Edition | None:
    """Return the edition without what its ``problems`` are about: faulty keys, pictures that cannot be read,
    stories that cannot be compiled. None if too little is left to make a mail. It must never be sent."""
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
    """Return ``edition`` with its language, if that can be told from front matter that is not YAML. The
    stories have been read in the default language by then, so any other comes too late."""
    front_matter, found = edition.front_matter, _LANGUAGE.search(edition.text)
    if front_matter.values is not None or found is None or found[1] != edition.language:
        return edition
    return replace(edition, front_matter=replace(front_matter, values={"language": edition.language}))


def _list_compilable(stories: Iterable[StoryDocuments], refused: Collection[str]) -> Iterable[StoryDocuments]:
    """Yield the stories with a slug of their own and no text that the compiler refuses."""
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


def _keep_pictures(value: Any, images: Mapping[str, object]) -> Any:
    """Return ``value`` without pictures that are not among ``images``; _SAME if nothing is to be left out."""
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
