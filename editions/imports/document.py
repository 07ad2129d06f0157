"""From an open document to clean chapters, before anything is written."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import NoReturn

from editions.errors import DocumentError
from editions.imports.alt_text import choose_alt
from editions.imports.html.chapters import split_chapters
from editions.imports.html.cleaner import CleanChapter, clean_chapter
from editions.imports.html.inline_spans import split_double_at
from editions.imports.html.picture_links import keep_picture_links
from editions.imports.html.story_starts import StartRule, StoryStarts, used_levels
from editions.imports.html.tree import HEADINGS
from editions.imports.language_detector import detect_language
from editions.imports.omissions import BEFORE_HEADING, OmissionLog
from editions.imports.source_document import SourceDocument, SourceImage
from locales.phrase import AND, Phrase, gettext_noop, join_phrases

_NO_HEADINGS = gettext_noop(
    "no heading of level %(level)s has text below it, and there are no other headings. Leave out "
    "--stories-at, and the import finds the titles by itself."
)
_OTHER_LEVELS = gettext_noop(
    "no heading of level %(level)s has text below it; there are %(used)s. Choose another level, or leave out "
    "--stories-at, and the import finds the titles by itself."
)
_OF_LEVEL = gettext_noop("%(number)s of level %(level)s")


@dataclass(frozen=True, kw_only=True)
class DocumentContent:
    """The content of a document. ``preamble`` is the text before its first story; the images of chapters
    are numbers of ``images``. ``language`` is detected."""

    title: str
    subtitle: str
    language: str
    starts: StoryStarts
    preamble: CleanChapter
    stories: tuple[CleanChapter, ...]
    images: tuple[SourceImage, ...]


def read_content(source: SourceDocument, omissions: OmissionLog, *, level: int = 0) -> DocumentContent:
    """Read all of ``source``; what cannot be kept is logged in ``omissions``.

    Stories begin at headings of ``level``; where it is 0, where the document shows it.

    Raises:
        DocumentError: it is empty, or no story begins at ``level``.
    """
    keep_picture_links(source.body, [choose_alt(image.alt, "") for image in source.images])
    levels = used_levels([*source.body.iter(*HEADINGS)])
    document = split_chapters(source.body, omissions, level=level)
    if not document.chapters or (level and level not in levels):
        _reject(source, level, levels)
    title = document.title or split_double_at(" ".join(source.title.split()))
    if document.starts.rule is StartRule.document:
        document.chapters[0].title = title or title_from_name(source.name)
        omissions.settle_stories(whole=document.chapters[0].title)
    else:
        omissions.settle_stories()
    omissions.set_place(BEFORE_HEADING)
    preamble = clean_chapter(document.preamble, document.notes, omissions)
    stories = tuple(clean_chapter(chapter, document.notes, omissions) for chapter in document.chapters)
    text = " ".join([preamble.plain_text(), *(f"{story.title} {story.plain_text()}" for story in stories)])
    return DocumentContent(
        title=title,
        subtitle=document.subtitle,
        language=detect_language(
            text, language=source.language, east_asian_language=source.east_asian_language
        ),
        starts=document.starts,
        preamble=preamble,
        stories=stories,
        images=source.images,
    )


def title_from_name(name: str) -> str:
    """A title from the name of a file, which ends in a suffix."""
    return split_double_at(" ".join(PurePath(name).stem.replace("_", " ").split()))


def _reject(source: SourceDocument, level: int, levels: Mapping[int, int]) -> NoReturn:
    if not level:
        raise DocumentError(
            source.name,
            "no-stories",
            gettext_noop(
                "there is no text in it, and no picture. Check that this is the right file, and "
                "save it again."
            ),
        )
    if not levels:
        raise DocumentError(source.name, "no-stories", Phrase(_NO_HEADINGS, level=level))
    counts = [Phrase(_OF_LEVEL, number=count, level=each) for each, count in sorted(levels.items())]
    used = join_phrases(counts, AND)
    raise DocumentError(source.name, "no-stories", Phrase(_OTHER_LEVELS, level=level, used=used))
