"""The list of all settings, in groups."""

from starlette.responses import Response

from mailer.web.studio.page import PageDep
from mailer.web.studio.settings.saving import find_fault
from mailer.web.studio.settings.sections import GROUPS


def show_settings(page: PageDep) -> Response:
    """Show what there is to set."""
    return page.render("settings.html", section="settings", groups=GROUPS, fault=find_fault(page))
