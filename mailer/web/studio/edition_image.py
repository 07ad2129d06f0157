"""Answering with a picture of an edition, made anew and small, without what may be hidden in its file."""

from pathlib import PurePosixPath

from starlette.exceptions import HTTPException
from starlette.responses import Response

from editions.crop import Crop
from editions.errors import ImageError
from editions.images.files import locate_image
from editions.images.prepare import prepare_image
from mailer.web.page_renderer import IMAGE_TYPES
from mailer.web.studio.edition_place import find_edition_folder
from mailer.web.studio.page import StudioPage

_POLICY = "default-src 'none'; sandbox"


def answer_with_image(
    page: StudioPage, edition: str, file: str, *, width: int, crop: Crop | None, cache: str
) -> Response:
    """Answer with the picture ``file``, ``width`` CSS pixels wide; ``cache`` is the value of Cache-Control.

    Raises:
        HTTPException: 404, there is no such edition or picture, or it cannot be shown.
    """
    try:
        path = locate_image(find_edition_folder(page, edition), file)
        image = prepare_image(path, width=width, crop=crop)
    except (ImageError, OSError, ValueError) as error:
        raise HTTPException(404) from error
    tag = f'"{image.name}"'
    headers = {"cache-control": cache, "content-security-policy": _POLICY, "etag": tag}
    if page.request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(image.data, media_type=IMAGE_TYPES[PurePosixPath(image.name).suffix], headers=headers)
