"""The routes of the settings."""

from mailer.team.members import Permission
from mailer.web.routing import GET, POST
from mailer.web.studio.routing import StudioRoute
from mailer.web.studio.settings import (
    country_pages,
    index_page,
    relay_pages,
    relay_trial,
    secret_pages,
    section_page,
    sector_pages,
    sign_in_pages,
    step_pages,
)

_RELAY, _SECRET, _SIGN_IN = (
    "/settings/relays/{relay}",
    "/settings/secrets/{secret}",
    "/settings/sign-ins/{sign_in}",
)

_STEP = "/settings/approval-steps/{step}"
_SECTOR = "/settings/sectors/{sector}"

ROUTES = (
    StudioRoute("/settings", index_page.show_settings, GET, Permission.manage),
    StudioRoute("/settings/relays", relay_pages.show_relays, GET, Permission.manage),
    StudioRoute("/settings/relays/new", relay_pages.show_new_relay, GET, Permission.manage),
    StudioRoute("/settings/relays/new", relay_pages.create_relay, POST, Permission.manage),
    StudioRoute(_RELAY, relay_pages.show_relay, GET, Permission.manage),
    StudioRoute(_RELAY, relay_pages.save_relay, POST, Permission.manage),
    StudioRoute(f"{_RELAY}/remove", relay_pages.delete_relay, POST, Permission.manage),
    StudioRoute(f"{_RELAY}/try", relay_trial.try_relay, POST, Permission.manage),
    StudioRoute(f"{_RELAY}/test", relay_trial.send_test_mail, POST, Permission.manage),
    StudioRoute("/settings/approval-steps", step_pages.show_steps, GET, Permission.manage),
    StudioRoute("/settings/approval-steps", step_pages.add_step, POST, Permission.manage),
    StudioRoute(_STEP, step_pages.show_step, GET, Permission.manage),
    StudioRoute(_STEP, step_pages.save_step, POST, Permission.manage),
    StudioRoute(f"{_STEP}/move", step_pages.move_step, POST, Permission.manage),
    StudioRoute(f"{_STEP}/remove", step_pages.delete_step, POST, Permission.manage),
    StudioRoute("/settings/sectors", sector_pages.show_sectors, GET, Permission.manage),
    StudioRoute("/settings/sectors", sector_pages.create_sector, POST, Permission.manage),
    StudioRoute(_SECTOR, sector_pages.show_sector, GET, Permission.manage),
    StudioRoute(_SECTOR, sector_pages.save_sector, POST, Permission.manage),
    StudioRoute(f"{_SECTOR}/move", sector_pages.move_sector, POST, Permission.manage),
    StudioRoute(f"{_SECTOR}/colours", sector_pages.color_sector, POST, Permission.manage),
    StudioRoute(f"{_SECTOR}/remove", sector_pages.delete_sector, POST, Permission.manage),
    StudioRoute("/settings/countries", country_pages.show_countries, GET, Permission.manage),
    StudioRoute("/settings/countries", country_pages.choose_country, POST, Permission.manage),
    StudioRoute("/settings/countries/{country}", country_pages.show_country, GET, Permission.manage),
    StudioRoute("/settings/countries/{country}", country_pages.save_country, POST, Permission.manage),
    StudioRoute("/settings/secrets", secret_pages.show_secrets, GET, Permission.manage),
    StudioRoute(_SECRET, secret_pages.show_secret, GET, Permission.manage),
    StudioRoute(_SECRET, secret_pages.keep_secret, POST, Permission.manage),
    StudioRoute(f"{_SECRET}/remove", secret_pages.delete_secret, POST, Permission.manage),
    StudioRoute(_SIGN_IN, sign_in_pages.show_sign_in, GET, Permission.manage),
    StudioRoute(_SIGN_IN, sign_in_pages.begin_sign_in, POST, Permission.manage),
    StudioRoute(f"{_SIGN_IN}/finish", sign_in_pages.finish_sign_in, POST, Permission.manage),
    StudioRoute(f"{_SIGN_IN}/remove", sign_in_pages.delete_sign_in, POST, Permission.manage),
    StudioRoute("/settings/{section}", section_page.show_section, GET, Permission.manage),
    StudioRoute("/settings/{section}", section_page.save_section, POST, Permission.manage),
)
