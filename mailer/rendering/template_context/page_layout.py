"""The layout of a page: the pictures side by side, the texts longer than theirs, the parts there are."""

import re
from collections.abc import Iterable, Iterator, Sequence

from markupsafe import Markup

from editions.model import Image
from mailer.rendering.template_context.page import GalleryRow, LetterView, PictureView, SectionView, StoryView
from mailer.rendering.themes.theme import Theme, TypeStep

# Characters as wide as they are high: Chinese, Japanese and Korean.
_WIDE = re.compile(
    r"[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]"
)
# A text that is longer by this many lines still stands beside its picture: fewer below it would look lost.
_SPARE_LINES = 3
# At half the width of the sheet, a picture of these proportions is a strip on which little can be made out.
_PANORAMA = 2.2
# What the HTML of a text contains, by the classes that editions.markdown writes.
_MARKED = {"table": ' class="tb', "wide-table": ' class="tb tw"', "notes": ' class="c fn"'}


def is_longer_than_picture(text: str, labels: Iterable[str], picture: PictureView, theme: Theme) -> bool:
    """Return whether ``text`` and the links below it, beside ``picture``, would end well below it."""
    column, body = theme.pictures.shown, theme.type.body
    shown = min(column, picture.width)
    caption = " ".join(filter(None, (picture.caption, picture.credit)))
    picture_height = shown * picture.height / max(picture.width, 1) + _estimate_height(
        caption, column, theme.type.caption
    )
    paragraphs = [line for line in (*text.splitlines(), *labels) if line.strip()]
    text_height = sum(
        _estimate_height(paragraph, theme.beside, body) + theme.spacing.paragraph for paragraph in paragraphs
    )
    return text_height > picture_height + _SPARE_LINES * body.line


def _estimate_height(text: str, width: int, step: TypeStep) -> int:
    """Return the height in pixels of ``text`` in a column of ``width`` pixels. A Latin letter is half as wide
    as the type is high, measured on the sample in Arial and Georgia."""
    letters = len(text) + len(_WIDE.findall(text))
    in_a_line = max(width * 2 // step.size, 1)
    return -(-letters // in_a_line) * step.line


def gallery_width(picture: Image | PictureView, theme: Theme) -> int:
    """Return the width in pixels at which ``picture`` is shown: that of the content, or half of it."""
    if picture.width >= _PANORAMA * picture.height:
        return theme.content
    return (theme.content - theme.spacing.column) // 2


def arrange_gallery(pictures: Sequence[PictureView], theme: Theme) -> tuple[GalleryRow, ...]:
    """Return ``pictures`` in rows, in order: two of half width, or one."""
    rows: list[GalleryRow] = []
    for picture in pictures:
        width = gallery_width(picture, theme)
        previous = rows[-1] if rows else None
        if previous and previous.width == width < theme.content and len(previous.pictures) == 1:
            rows[-1] = GalleryRow(pictures=(*previous.pictures, picture), width=width)
        else:
            rows.append(GalleryRow(pictures=(picture,), width=width))
    return tuple(rows)


def find_parts(letter: LetterView | None, sections: Iterable[SectionView]) -> tuple[str, ...]:
    """Return the names of the parts that ``letter`` and ``sections`` contain, as ``page.parts`` has them."""
    found = set(_parts_of_text(letter.body_html)) if letter else set()
    for section in sections:
        found.update(_parts_of_text(section.introduction_html))
        for story in () if section.as_cards else section.stories:
            found.update(_parts_of_story(story))
    return tuple(sorted(found))


def _parts_of_story(story: StoryView) -> Iterator[str]:
    yield from _parts_of_text(story.body_html)
    if story.gallery:
        yield "gallery"
    if story.button:
        yield "button"


def _parts_of_text(html: Markup) -> Iterator[str]:
    if " class=" in html:
        yield from (part for part, sign in _MARKED.items() if sign in html)
