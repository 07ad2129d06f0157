"""From an open Word document to clean chapters, before anything is written."""

from dataclasses import dataclass

from editions.imports.docx.drawings import EmbeddedImage
from editions.imports.docx.ooxml import NAMESPACES
from editions.imports.docx.package import DocxPackage
from editions.imports.docx.simplifier import simplify_document
from editions.imports.docx.styles import Styles
from editions.imports.html.chapters import ChapteredDocument, split_chapters
from editions.imports.html.cleaner import CleanChapter, clean_chapter
from editions.imports.html.converter import convert_to_html
from editions.imports.html.inline_spans import split_double_at
from editions.imports.language_detector import detect_language
from editions.imports.omissions import BEFORE_HEADING, OmissionLog


@dataclass(frozen=True, kw_only=True)
class WordContent:
    """The content of a document. ``preamble`` is the text before its first heading; the images of chapters
    are numbers of ``images``. ``language`` is detected."""

    title: str
    subtitle: str
    language: str
    preamble: CleanChapter
    stories: tuple[CleanChapter, ...]
    images: tuple[EmbeddedImage, ...]


def read_word_document(package: DocxPackage, omissions: OmissionLog) -> WordContent:
    """Read all of ``package``; what cannot be kept is logged in ``omissions``.

    Raises:
        WordError: it is damaged or too large, or has no Heading 1.
    """
    styles = Styles(package.parse_part(package.part_of_kind("styles")))
    simplified = simplify_document(package, styles, omissions)
    document = split_chapters(
        convert_to_html(simplified.data, name=package.name, omissions=omissions), omissions
    )
    if not document.chapters:
        _reject_without_headings(package, document)
    omissions.set_place(BEFORE_HEADING)
    preamble = clean_chapter(document.preamble, document.notes, omissions)
    stories = tuple(clean_chapter(chapter, document.notes, omissions) for chapter in document.chapters)
    text = " ".join([preamble.plain_text(), *(f"{story.title} {story.plain_text()}" for story in stories)])
    return WordContent(
        title=document.title or _read_property(package, "dc:title"),
        subtitle=document.subtitle,
        language=detect_language(text, styles),
        preamble=preamble,
        stories=stories,
        images=simplified.images,
    )


def _reject_without_headings(package: DocxPackage, document: ChapteredDocument) -> None:
    levels = sorted(
        {str(block.tag)[1] for block in document.preamble.blocks if str(block.tag) in {"h2", "h3"}}
    )
    others = f" It only has headings of level {' and '.join(levels)}." if levels else ""
    package.reject(
        "no-stories",
        f"no paragraph with text below it has the style Heading 1, so there are no stories.{others} "
        "In Word, give the title of each story the style Heading 1, and import the document again.",
    )


def _read_property(package: DocxPackage, name: str) -> str:
    """A property of the document, such as its title."""
    root = package.parse_part("docProps/core.xml")
    text = "" if root is None else root.findtext(name, "", NAMESPACES) or ""
    return split_double_at(" ".join(text.split()))
