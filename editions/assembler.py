"""From documents without errors to an :class:`~editions.model.Edition`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from editions.cache import Latest
from editions.checks.translations import Library, StoryDocuments
from editions.images.used import Pictures
from editions.markdown.renderer import Prose
from editions.model import Edition, EditionText, Follow, Image, Letter, ReadMore, Story, StoryText
from editions.source.document import Document
from editions.source.folder import IMAGES
from editions.source.schema import (
    EditionHeader,
    EditionTranslation,
    ImageHeader,
    LetterHeader,
    LetterWords,
    ReadMoreHeader,
    StoryHeader,
    StoryTranslation,
)

# An edition of some dozens of stories is assembled each time one of them has changed.
_stories: Latest[Story] = Latest(1000)


def assemble_edition(folder: Path, slug: str, library: Library, pictures: Pictures) -> Edition:
    """The edition of ``folder`` from its ``library``, in which every header is valid."""
    document = library.edition
    if document is None or document.header is None:
        raise ValueError("an edition without a valid edition.md cannot be assembled")
    header, languages = document.header, library.languages()
    framed: dict[str, Document[Any]] = {document.language: document, **library.translations}
    texts = {language: _frame(framed[language], header) for language in languages}
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
        letter=_letter(folder, framed, header.letter, pictures),
        stories=tuple(_recall_story(folder, story, pictures) for story in library.stories),
        introductions=texts[document.language].introductions,
        follow=tuple(
            Follow(name=item.name, handle=item.handle, url=item.url or "") for item in header.follow
        ),
        texts=MappingProxyType(texts),
        personalise=header.personalise,
        checks=MappingProxyType(dict(header.checks)),
    )


def _frame(document: Document[EditionHeader | EditionTranslation], original: EditionHeader) -> EditionText:
    header = _header(document)
    return EditionText(
        language=document.language,
        title=header.title,
        period=header.period or original.period,
        subject=header.subject,
        preheader=header.preheader,
        introductions=MappingProxyType(
            {key: _text(document.language, "", prose) for key, prose in document.introductions.items()}
        ),
    )


def _letter(
    folder: Path, framed: Mapping[str, Document[Any]], signed: LetterHeader | None, pictures: Pictures
) -> Letter | None:
    if signed is None:
        return None
    texts = {}
    for language, document in framed.items():
        heading: LetterHeader | LetterWords | None = _header(document).letter
        if heading:
            texts[language] = _text(language, heading.title, document.prose)
    return Letter(
        texts=MappingProxyType(texts),
        name=signed.name,
        titles=tuple(title for title in signed.titles if title),
        portrait=_image(folder, signed.portrait, pictures),
    )


def _recall_story(folder: Path, story: StoryDocuments, pictures: Pictures) -> Story:
    image = _header(story.original).image
    size = pictures[image.file] if image else None
    return _stories.recall(
        (folder, story.original.name),
        (story.original, story.translations, size),
        lambda: _story(folder, story, pictures),
    )


def _story(folder: Path, story: StoryDocuments, pictures: Pictures) -> Story:
    header = _header(story.original)
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
        image=_image(folder, header.image, pictures),
        read_more=_links(header.read_more),
        everyone=header.everyone,
    )


def _story_text(document: Document[StoryHeader | StoryTranslation], original: StoryHeader) -> StoryText:
    """The story in one language, with the original's words where a translation is silent."""
    header, image = _header(document), original.image
    return StoryText(
        language=document.language,
        title=header.title,
        html=document.prose.html,
        text=document.prose.text,
        words=document.prose.words,
        caption=(header.image and header.image.caption) or (image.caption if image else ""),
        alt=(header.image and header.image.alt) or (image.alt if image else ""),
        date=header.date or original.date,
        read_more=_links(header.read_more or original.read_more),
    )


def _text(language: str, title: str, prose: Prose) -> StoryText:
    return StoryText(
        language=language,
        title=title,
        html=prose.html,
        text=prose.text,
        words=prose.words,
        caption="",
        alt="",
    )


def _image(folder: Path, header: ImageHeader | None, pictures: Pictures) -> Image | None:
    if header is None:
        return None
    size = pictures[header.file]
    return Image(
        path=folder / f"{IMAGES}/{header.file}",
        alt=header.alt,
        caption=header.caption,
        credit=header.credit,
        width=size.width,
        height=size.height,
    )


def _links(headers: Sequence[ReadMoreHeader]) -> tuple[ReadMore, ...]:
    return tuple(ReadMore(what=header.what, url=header.url) for header in headers)


def _header(document: Document[Any]) -> Any:
    if document.header is None:
        raise ValueError(f"{document.name} has no valid front matter")
    return document.header
