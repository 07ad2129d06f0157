"""The outbox of previews as an inbox that one can read."""

from pathlib import PurePosixPath

from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, Response

from mailer.campaigns.outbox import NoMessageError, OutboxMessage
from mailer.team.members import Permission
from mailer.web.mail_html import open_links_in_new_tab, rewrite_media_urls
from mailer.web.page_renderer import IMAGE_HEADERS, IMAGE_TYPES
from mailer.web.security import make_mail_policy
from mailer.web.studio.page import PageDep, StudioPage
from mailer.web.studio.routing import Routes

ROUTES = Routes()

_MAX_LENGTH = 320
# Of the same origin as the page around it, so that its pictures get the cookie of the session. It can run
# nothing.
_FRAME_HEADERS = {
    "content-security-policy": make_mail_policy(images="'self' data:", ancestors="'self'", own_origin=True),
}
_PRIVATE = "private, max-age=86400, immutable"


@ROUTES.get_route("/outbox", Permission.see_partners)
def show_outbox(page: PageDep) -> Response:
    """List the messages, fifty to a page."""
    query = page.request.query_params
    asked, after = query.get("address", "")[:_MAX_LENGTH], query.get("after", "")[:_MAX_LENGTH]
    found = page.state.outbox.list_page(after=after, query=asked)
    given = {"address": asked} if asked else {}
    return page.render(
        "outbox.html",
        section="campaigns",
        found=found,
        asked=asked,
        is_later_page=bool(after),
        following=page.make_path("/outbox", None, **given, after=found.following) if found.following else "",
    )


@ROUTES.get_route("/outbox/media/{file}", Permission.see_partners)
def show_picture(page: PageDep, file: str) -> Response:
    """Show a picture of a mail, from the folder where all pictures are that are mailed."""
    media_type = IMAGE_TYPES.get(PurePosixPath(file).suffix)
    if media_type is None or PurePosixPath(file).name != file:
        raise HTTPException(404)
    try:
        data = (page.state.workspace.media / file).read_bytes()
    except (OSError, ValueError) as error:
        raise HTTPException(404) from error
    return Response(data, media_type=media_type, headers={**IMAGE_HEADERS, "cache-control": _PRIVATE})


@ROUTES.get_route("/outbox/{name}", Permission.see_partners)
def show_message(page: PageDep, name: str) -> Response:
    """Show one message: its headers, and the mail as HTML or as text."""
    message = _read(page, name)
    return page.render(
        "outbox_message.html",
        section="campaigns",
        message=message,
        shows_text=page.request.query_params.get("show") == "text" or not message.html,
    )


@ROUTES.get_route("/outbox/{name}/frame", Permission.see_partners)
def show_frame(page: PageDep, name: str) -> Response:
    """Show the HTML of a message, in a frame of its own."""
    prefix = page.make_path("/outbox")
    html = rewrite_media_urls(_read(page, name).html, page.settings.web.base_url, prefix)
    return HTMLResponse(open_links_in_new_tab(html), headers=_FRAME_HEADERS)


@ROUTES.get_route("/outbox/{name}/source", Permission.see_partners)
def show_source(page: PageDep, name: str) -> Response:
    """Show a message as it is handed to a server."""
    try:
        source = page.state.outbox.read_source(name)
    except NoMessageError as error:
        raise HTTPException(404) from error
    return Response(source, media_type="text/plain; charset=utf-8")


def _read(page: StudioPage, name: str) -> OutboxMessage:
    try:
        return page.state.outbox.read_message(name)
    except NoMessageError as error:
        raise HTTPException(404) from error
