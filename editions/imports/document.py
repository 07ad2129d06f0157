"""From an open document to clean chapters, before anything is written."""

from dataclasses import dataclass

from editions.errors import DocumentError
from editions.imports.html.chapters import ChapteredDocument, split_chapters
from editions.imports.html.cleaner import CleanChapter, clean_chapter
from editions.imports.html.inline_spans import split_double_at
from editions.imports.html.picture_links import keep_picture_links
from editions.imports.language_detector import detect_language
from editions.imports.omissions import BEFORE_HEADING, OmissionLog
from editions.imports.source_document import SourceDocument, SourceImage


@dataclass(frozen=True, kw_only=True)
class DocumentContent:
    """The content of a document. ``preamble`` is the text before its first heading; the images of chapters
    are numbers of ``images``. ``language`` is detected."""

    title: str
    subtitle: str
    language: str
    preamble: CleanChapter
    stories: tuple[CleanChapter, ...]
    images: tuple[SourceImage, ...]


def read_content(source: SourceDocument, omissions: OmissionLog) -> DocumentContent:
    """Read all of ``source``; what cannot be kept is logged in ``omissions``.

    Raises:
        DocumentError: it has no Heading 1.
    """
    keep_picture_links(source.body, [image.alt for image in source.images])
    document = split_chapters(source.body, omissions)
    if not document.chapters:
        _reject_without_headings(source, document)
    omissions.set_place(BEFORE_HEADING)
    preamble = clean_chapter(document.preamble, document.notes, omissions)
    stories = tuple(clean_chapter(chapter, document.notes, omissions) for chapter in document.chapters)
    text = " ".join([preamble.plain_text(), *(f"{story.title} {story.plain_text()}" for story in stories)])
    return DocumentContent(
        title=document.title or split_double_at(" ".join(source.title.split())),
        subtitle=document.subtitle,
        language=detect_language(
            text, language=source.language, east_asian_language=source.east_asian_language
        ),
        preamble=preamble,
        stories=stories,
        images=source.images,
    )


def _reject_without_headings(source: SourceDocument, document: ChapteredDocument) -> None:
    levels = sorted(
        {str(block.tag)[1] for block in document.preamble.blocks if str(block.tag) in {"h2", "h3"}}
    )
    others = f" It only has headings of level {' and '.join(levels)}." if levels else ""
    raise DocumentError(
        source.name,
        "no-stories",
        f"no paragraph with text below it has the style Heading 1, so there are no stories.{others} "
        f"{source.heading_advice}, and import the document again.",
    )
