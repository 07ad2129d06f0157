"""The first page: what waits for the member, and the latest editions."""

from starlette.responses import Response

from mailer.team.roles import Permission
from mailer.web.routing import GET
from mailer.web.studio.page import PageDep
from mailer.web.studio.routing import StudioRoute


def show_home(page: PageDep) -> Response:
    """Show the first page."""
    editions = sorted(
        (path.name for path in page.state.workspace.editions.glob("[!.]*") if path.is_dir()), reverse=True
    )
    return page.render("home.html", section="home", editions=editions)


ROUTES = (StudioRoute("/", show_home, GET, Permission.read),)
