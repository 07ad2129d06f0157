"""The outbox of previews as an inbox that one can read."""

from starlette.responses import Response

from mailer.team.members import Permission
from mailer.web.mail_html import open_links_in_new_tab, rewrite_media_urls
from mailer.web.mail_preview.mail_frame import show_mail, show_picture
from mailer.web.studio.page import PageDep
from mailer.web.studio.routing import Routes

ROUTES = Routes()

_MAX_LENGTH = 320


@ROUTES.get_route("/outbox", Permission.see_partners)
def show_outbox(page: PageDep) -> Response:
    query = page.request.query_params
    asked, after = query.get("address", "")[:_MAX_LENGTH], query.get("after", "")[:_MAX_LENGTH]
    found = page.state.outbox.list_page(after=after, query=asked)
    given = {"address": asked} if asked else {}
    return page.render(
        "outbox.html",
        found=found,
        asked=asked,
        is_later_page=bool(after),
        following=page.make_path("/outbox", None, **given, after=found.following) if found.following else "",
    )


@ROUTES.get_route("/outbox/media/{file}", Permission.see_partners)
def show_media(page: PageDep, file: str) -> Response:
    return show_picture(page.state.workspace.media, file)


@ROUTES.get_route("/outbox/{name}", Permission.see_partners)
def show_message(page: PageDep, name: str) -> Response:
    message = page.state.outbox.read_message(name)
    return page.render(
        "outbox_message.html",
        message=message,
        shows_text=page.request.query_params.get("show") == "text" or not message.html,
    )


@ROUTES.get_route("/outbox/{name}/frame", Permission.see_partners)
def show_frame(page: PageDep, name: str) -> Response:
    prefix = page.make_path("/outbox")
    html = page.state.outbox.read_message(name).html
    html = rewrite_media_urls(html, page.settings.web.base_url, prefix)
    return show_mail(open_links_in_new_tab(html))


@ROUTES.get_route("/outbox/{name}/source", Permission.see_partners)
def show_source(page: PageDep, name: str) -> Response:
    return Response(page.state.outbox.read_source(name), media_type="text/plain; charset=utf-8")
