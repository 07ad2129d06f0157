"""The routes of the settings."""

from mailer.team.roles import Permission
from mailer.web.routing import GET, POST
from mailer.web.studio.routing import StudioRoute
from mailer.web.studio.settings import index_page, section_page

ROUTES = (
    StudioRoute("/settings", index_page.show_settings, GET, Permission.manage),
    StudioRoute("/settings/{section}", section_page.show_section, GET, Permission.manage),
    StudioRoute("/settings/{section}", section_page.save_section, POST, Permission.manage),
)
