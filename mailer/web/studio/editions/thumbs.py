"""Small copies of an edition's pictures, for lists."""

from pathlib import PurePosixPath

from fastapi import Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from editions.crop import Crop, ImageShape
from editions.errors import ImageError
from editions.images.files import locate_image
from editions.images.prepare import prepare_image
from mailer.web.images import IMAGE_TYPES
from mailer.web.studio.edition_place import find_edition_folder
from mailer.web.studio.page import PageDep

_WIDTH = 160
"""In CSS pixels, and twice as many of its own."""

_HEADERS = {
    "cache-control": "private, max-age=300",
    "content-security-policy": "default-src 'none'; sandbox",
}


def show_thumb(edition: str, file: str, page: PageDep, request: Request) -> Response:
    """Show a small copy of a picture of the edition, made anew, without what may be hidden in the file."""
    try:
        path = locate_image(find_edition_folder(page, edition), file)
        image = prepare_image(path, width=_WIDTH, crop=Crop(shape=ImageShape.landscape))
    except (ImageError, OSError, ValueError) as error:
        raise HTTPException(404) from error
    headers = {**_HEADERS, "etag": f'"{image.name}"'}
    if request.headers.get("if-none-match") == headers["etag"]:
        return Response(status_code=304, headers=headers)
    return Response(image.data, media_type=IMAGE_TYPES[PurePosixPath(image.name).suffix], headers=headers)
