"""Serving an edition's pictures to the team: small, upright, and cropped as asked."""

from pathlib import PurePosixPath

from fastapi import Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from editions.crop import Crop, Focus, ImageShape
from editions.errors import ImageError
from editions.images.files import locate_image
from editions.images.prepare import prepare_image
from mailer.errors import ConfigurationError
from mailer.team.roles import Permission
from mailer.web.images import IMAGE_TYPES
from mailer.web.routing import GET
from mailer.web.studio.page import PageDep
from mailer.web.studio.routing import StudioRoute

_WIDTHS = {"thumb": 120, "view": 460}
"""In CSS pixels. Only these, so that nobody fills the memory with sizes."""


def show_image(edition: str, file: str, page: PageDep, request: Request) -> Response:
    """Show a picture of an edition: ``?size=thumb`` or ``view``, ``&shape=`` and ``&focus=50-30``."""
    query = request.query_params
    width = _WIDTHS.get(query.get("size", "view"))
    if width is None:
        raise HTTPException(404)
    try:
        path = locate_image(page.state.workspace.edition_folder(edition), file)
        image = prepare_image(
            path, width=width, crop=_read_crop(query.get("shape", ""), query.get("focus", ""))
        )
    except (ConfigurationError, ImageError) as error:
        raise HTTPException(404) from error
    tag = f'"{image.name}"'
    headers = {"cache-control": "private, no-cache", "etag": tag}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(image.data, media_type=IMAGE_TYPES[PurePosixPath(image.name).suffix], headers=headers)


def _read_crop(shape: str, focus: str) -> Crop | None:
    if shape not in list(ImageShape):
        return None
    x, _, y = focus.partition("-")
    is_point = all(part.isdecimal() and len(part) <= 3 and int(part) <= 100 for part in (x, y))
    return Crop(shape=ImageShape(shape), focus=Focus(x=int(x), y=int(y)) if is_point else Focus())


ROUTES = (StudioRoute("/editions/{edition}/pictures/{file}", show_image, GET, Permission.read),)
