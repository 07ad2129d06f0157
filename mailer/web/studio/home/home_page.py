"""The first page. It compiles nothing: problems that are not known yet are counted after it is shown."""

from starlette.responses import Response

from mailer.team.members import Permission
from mailer.web.routing import GET
from mailer.web.studio.home.recent_editions import list_recent_editions
from mailer.web.studio.home.waiting_list import find_what_waits
from mailer.web.studio.page import PageDep
from mailer.web.studio.routing import StudioRoute


def show_home(page: PageDep) -> Response:
    """Show what waits for the member, and the latest editions."""
    recent = list_recent_editions(page.state)
    waiting = find_what_waits(page, recent)
    return page.render("home.html", section="home", recent=recent, waiting=waiting)


ROUTES = (StudioRoute("/", show_home, GET, Permission.read),)
