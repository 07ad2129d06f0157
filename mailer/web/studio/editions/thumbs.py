"""Small copies of an edition's pictures, for lists."""

from starlette.responses import Response

from editions.crop import Crop, ImageShape
from mailer.web.studio.page import PageDep
from mailer.web.studio.story_place import answer_with_image

_WIDTH = 160
"""In CSS pixels, and twice as many of its own."""


def show_thumb(edition: str, file: str, page: PageDep) -> Response:
    """Show a small copy of a picture of the edition."""
    crop = Crop(shape=ImageShape.landscape)
    return answer_with_image(page, edition, file, width=_WIDTH, crop=crop, cache="private, max-age=300")
