"""From an open Word document to the bodies of an edition, before anything is written."""

from dataclasses import dataclass

from editions.word.docx.drawings import Picture
from editions.word.docx.ooxml import NAMES
from editions.word.docx.package import Package
from editions.word.docx.simplifier import simplify
from editions.word.docx.styles import Styles
from editions.word.html.chapters import Manuscript, split_manuscript
from editions.word.html.cleaner import Body, tidy_chapter
from editions.word.html.converter import convert_to_tree
from editions.word.html.inline_spans import join_signs
from editions.word.language_detector import guess_language
from editions.word.omissions import BEFORE, Losses


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What a document says. ``preamble`` stands before its first heading; ``pictures`` are what the figures
    of its bodies number. ``language`` is a guess."""

    title: str
    subtitle: str
    language: str
    preamble: Body
    stories: tuple[Body, ...]
    pictures: tuple[Picture, ...]


def read_document(package: Package, losses: Losses) -> Reading:
    """Read the whole of ``package``; what cannot be carried over is told to ``losses``.

    Raises:
        WordError: it is broken, too large, or has no Heading 1.
    """
    styles = Styles(package.xml(package.related("styles")))
    simplified = simplify(package, styles, losses)
    manuscript = split_manuscript(convert_to_tree(simplified.data, name=package.name, losses=losses), losses)
    if not manuscript.chapters:
        _refuse_headless(package, manuscript)
    losses.stand(BEFORE)
    preamble = tidy_chapter(manuscript.preamble, manuscript.notes, losses)
    stories = tuple(tidy_chapter(chapter, manuscript.notes, losses) for chapter in manuscript.chapters)
    text = " ".join([preamble.text(), *(f"{story.title} {story.text()}" for story in stories)])
    return Reading(
        title=manuscript.title or _read_property(package, "dc:title"),
        subtitle=manuscript.subtitle,
        language=guess_language(text, styles),
        preamble=preamble,
        stories=stories,
        pictures=simplified.pictures,
    )


def _refuse_headless(package: Package, manuscript: Manuscript) -> None:
    levels = sorted(
        {str(block.tag)[1] for block in manuscript.preamble.blocks if str(block.tag) in {"h2", "h3"}}
    )
    others = f" It only has headings of level {' and '.join(levels)}." if levels else ""
    package.refuse(
        "no-stories",
        f"no paragraph with text below it has the style Heading 1, so there are no stories.{others} "
        "In Word, give the title of each story the style Heading 1, and import the document again.",
    )


def _read_property(package: Package, name: str) -> str:
    """A property of the whole document, such as its title."""
    root = package.xml("docProps/core.xml")
    said = "" if root is None else root.findtext(name, "", NAMES) or ""
    return join_signs(" ".join(said.split()))
