"""The further pictures of a story: which stand beside each other, and which alone."""

from collections.abc import Sequence

from editions.model import Image
from mailer.rendering.template_context.page import GalleryRow, PictureView
from mailer.rendering.themes.theme import Theme

# At half the width of the sheet, a picture of these proportions is a strip on which little can be made out.
_PANORAMA = 2.2


def gallery_width(picture: Image | PictureView, theme: Theme) -> int:
    """The width in pixels at which ``picture`` is shown: that of the sheet's content, or of half of it."""
    if picture.width >= _PANORAMA * picture.height:
        return theme.content
    return (theme.content - theme.spacing.column) // 2


def arrange_gallery(pictures: Sequence[PictureView], theme: Theme) -> tuple[GalleryRow, ...]:
    """``pictures`` in rows, in order: two of half width, or one."""
    rows: list[GalleryRow] = []
    for picture in pictures:
        width = gallery_width(picture, theme)
        previous = rows[-1] if rows else None
        if previous and previous.width == width < theme.content and len(previous.pictures) == 1:
            rows[-1] = GalleryRow(pictures=(*previous.pictures, picture), width=width)
        else:
            rows.append(GalleryRow(pictures=(picture,), width=width))
    return tuple(rows)
