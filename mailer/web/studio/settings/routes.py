"""The routes of the settings."""

from mailer.team.members import Permission
from mailer.web.routing import GET, POST
from mailer.web.studio.routing import StudioRoute
from mailer.web.studio.settings import approval_steps, countries, credentials, relays, sections, sectors

_RELAY, _SECRET, _SIGN_IN = (
    "/settings/relays/{relay}",
    "/settings/secrets/{secret}",
    "/settings/sign-ins/{sign_in}",
)

_STEP = "/settings/approval-steps/{step}"
_SECTOR = "/settings/sectors/{sector}"

ROUTES = (
    StudioRoute("/settings", sections.show_settings, GET, Permission.manage),
    StudioRoute("/settings/relays", relays.show_relays, GET, Permission.manage),
    StudioRoute("/settings/relays/new", relays.show_new_relay, GET, Permission.manage),
    StudioRoute("/settings/relays/new", relays.create_relay, POST, Permission.manage),
    StudioRoute(_RELAY, relays.show_relay, GET, Permission.manage),
    StudioRoute(_RELAY, relays.save_relay, POST, Permission.manage),
    StudioRoute(f"{_RELAY}/remove", relays.delete_relay, POST, Permission.manage),
    StudioRoute(f"{_RELAY}/try", relays.try_relay, POST, Permission.manage),
    StudioRoute(f"{_RELAY}/test", relays.send_test_mail, POST, Permission.manage),
    StudioRoute("/settings/approval-steps", approval_steps.show_steps, GET, Permission.manage),
    StudioRoute("/settings/approval-steps", approval_steps.add_step, POST, Permission.manage),
    StudioRoute(_STEP, approval_steps.show_step, GET, Permission.manage),
    StudioRoute(_STEP, approval_steps.save_step, POST, Permission.manage),
    StudioRoute(f"{_STEP}/move", approval_steps.move_step, POST, Permission.manage),
    StudioRoute(f"{_STEP}/remove", approval_steps.delete_step, POST, Permission.manage),
    StudioRoute("/settings/sectors", sectors.show_sectors, GET, Permission.manage),
    StudioRoute("/settings/sectors", sectors.create_sector, POST, Permission.manage),
    StudioRoute(_SECTOR, sectors.show_sector, GET, Permission.manage),
    StudioRoute(_SECTOR, sectors.save_sector, POST, Permission.manage),
    StudioRoute(f"{_SECTOR}/move", sectors.move_sector, POST, Permission.manage),
    StudioRoute(f"{_SECTOR}/colours", sectors.color_sector, POST, Permission.manage),
    StudioRoute(f"{_SECTOR}/remove", sectors.delete_sector, POST, Permission.manage),
    StudioRoute("/settings/countries", countries.show_countries, GET, Permission.manage),
    StudioRoute("/settings/countries", countries.choose_country, POST, Permission.manage),
    StudioRoute("/settings/countries/{country}", countries.show_country, GET, Permission.manage),
    StudioRoute("/settings/countries/{country}", countries.save_country, POST, Permission.manage),
    StudioRoute("/settings/secrets", credentials.show_secrets, GET, Permission.manage),
    StudioRoute(_SECRET, credentials.show_secret, GET, Permission.manage),
    StudioRoute(_SECRET, credentials.keep_secret, POST, Permission.manage),
    StudioRoute(f"{_SECRET}/remove", credentials.delete_secret, POST, Permission.manage),
    StudioRoute(_SIGN_IN, credentials.show_sign_in, GET, Permission.manage),
    StudioRoute(_SIGN_IN, credentials.begin_sign_in, POST, Permission.manage),
    StudioRoute(f"{_SIGN_IN}/finish", credentials.finish_sign_in, POST, Permission.manage),
    StudioRoute(f"{_SIGN_IN}/remove", credentials.delete_sign_in, POST, Permission.manage),
    StudioRoute("/settings/{section}", sections.show_section, GET, Permission.manage),
    StudioRoute("/settings/{section}", sections.save_section, POST, Permission.manage),
)
