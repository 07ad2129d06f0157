"""The machines that send, each with its last sign of life."""

from starlette.responses import Response

from mailer.campaigns.worker import list_processes
from mailer.team.members import Permission
from mailer.web.routing import GET
from mailer.web.studio.page import PageDep
from mailer.web.studio.routing import StudioRoute


def show_machines(page: PageDep) -> Response:
    """Show the programs that send, and say if there is none."""
    processes = list_processes(page.state.workspace, page.state.engine)
    return page.render(
        "machines.html",
        section="campaigns",
        workers=[one for one in processes if one.is_worker],
        others=[one for one in processes if not one.is_worker],
        has_worker=any(one.is_worker and one.is_alive for one in processes),
    )


ROUTES = (StudioRoute("/machines", show_machines, GET, Permission.read),)
