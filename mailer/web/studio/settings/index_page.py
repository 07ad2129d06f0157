"""The list of all settings, in groups."""

from starlette.responses import Response

from mailer.web.studio.page import PageDep
from mailer.web.studio.settings.sections import GROUPS
from mailer.web.studio.settings.settings_save import find_fault


def show_settings(page: PageDep) -> Response:
    """Show what there is to set."""
    return page.render("settings.html", section="settings", groups=GROUPS, fault=find_fault(page))
