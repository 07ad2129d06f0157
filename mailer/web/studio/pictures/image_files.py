"""Serving an edition's pictures to the team: small, upright, and cropped as asked."""

from starlette.exceptions import HTTPException
from starlette.responses import Response

from editions.crop import Crop, Focus, ImageShape
from mailer.team.members import Permission
from mailer.web.plain_number import read_number
from mailer.web.routing import GET
from mailer.web.studio.page import PageDep
from mailer.web.studio.routing import StudioRoute
from mailer.web.studio.story_place import answer_with_image

_WIDTHS = {"thumb": 120, "view": 460}
"""In CSS pixels. Only these, so that nobody fills the memory with sizes."""


def show_image(edition: str, file: str, page: PageDep) -> Response:
    """Show a picture of an edition: ``?size=thumb`` or ``view``, ``&shape=`` and ``&focus=50-30``."""
    query = page.request.query_params
    width = _WIDTHS.get(query.get("size", "view"))
    if width is None:
        raise HTTPException(404)
    crop = _read_crop(query.get("shape", ""), query.get("focus", ""))
    # Asked again each time, because a picture may be replaced by another of its name.
    return answer_with_image(page, edition, file, width=width, crop=crop, cache="private, no-cache")


def _read_crop(shape: str, focus: str) -> Crop | None:
    if shape not in list(ImageShape):
        return None
    x, y = (read_number(part) for part in focus.partition("-")[::2])
    is_point = x is not None and y is not None and max(x, y) <= 100
    return Crop(shape=ImageShape(shape), focus=Focus(x=x or 0, y=y or 0) if is_point else Focus())


ROUTES = (StudioRoute("/editions/{edition}/pictures/{file}", show_image, GET, Permission.read),)
