"""What anybody may read: editions that were sent, as they were sent, without a trace of who got them."""

import re
from collections.abc import Callable

from sqlmodel import select
from starlette.responses import FileResponse, HTMLResponse, PlainTextResponse, Response

from mailer.database.engine import session
from mailer.web.choices import language_name
from mailer.web.pages import FOREVER
from mailer.web.proofs import localise_media, neutralise
from mailer.web.security import mail_policy
from mailer.web.sent import find_content, list_sent
from mailer.web.site import TheSite

IMAGE_TYPES = {".jpg": "image/jpeg", ".png": "image/png", ".gif": "image/gif"}
IMAGE_HEADERS = {
    "cache-control": FOREVER,
    "content-security-policy": "default-src 'none'; sandbox",
    # Mail programs in a browser show our pictures on their own pages.
    "cross-origin-resource-policy": "cross-origin",
}
_IMAGE_NAME = re.compile(r"[0-9a-f]{16}\.(?:jpg|png|gif)")
_AN_HOUR = "public, max-age=3600"
_LOOK = ("GET", "HEAD")


def show_editions(site: TheSite) -> Response:
    """The list of what was sent, the newest first."""
    with session(site.engine, read_only=True) as opened:
        editions = list_sent(opened)
    names = {tag: language_name(tag) for edition in editions for tag in edition.languages}
    return site.pages.show("editions.html", editions=editions, names=names)


def show_edition(site: TheSite, slug: str, language: str) -> Response:
    """The mail as it was frozen with its campaign, in a sandbox of its own."""
    with session(site.engine, read_only=True) as opened:
        content = find_content(opened, slug, language)
    if content is None:
        return site.pages.refuse(404)
    settings = site.workspace.settings
    html = localise_media(neutralise(content, settings), settings.web.base_url, site.pages.prefix)
    policy = mail_policy(images="'self' data:", ancestors="'none'")
    return HTMLResponse(html, headers={"content-security-policy": policy, "cache-control": _AN_HOUR})


def show_image(site: TheSite, name: str) -> Response:
    """A picture of an edition. Its name is a hash of its content, so it may be kept for ever."""
    path = site.workspace.media / name
    if not _IMAGE_NAME.fullmatch(name) or not path.is_file():
        return site.pages.refuse(404)
    return FileResponse(path, media_type=IMAGE_TYPES[path.suffix], headers=IMAGE_HEADERS)


def show_health(site: TheSite) -> Response:
    """Whether the pages and their database answer, for whoever watches the machine."""
    with session(site.engine, read_only=True) as opened:
        opened.exec(select(1)).one()
    return PlainTextResponse("ok\n")


ROUTES: tuple[tuple[str, Callable[..., Response], tuple[str, ...]], ...] = (
    ("/", show_editions, _LOOK),
    ("/e/", show_editions, _LOOK),
    ("/e/{slug}/{language}", show_edition, _LOOK),
    ("/media/{name}", show_image, _LOOK),
    ("/healthz", show_health, _LOOK),
)
