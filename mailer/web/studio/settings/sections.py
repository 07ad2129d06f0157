"""The list of settings, and the page of each section."""

from collections.abc import Iterator

from starlette.responses import Response

from mailer.campaigns.trial import shows_sample_body
from mailer.i18n import gettext_noop
from mailer.settings import SETTINGS_FILE
from mailer.settings.changes.sections import GROUPS, SECTIONS
from mailer.settings.changes.setting import Setting
from mailer.team.members import Permission
from mailer.web.forms import OwnFormDep
from mailer.web.studio.page import StudioPage, or_404
from mailer.web.studio.routing import Routes
from mailer.web.studio.settings.settings_form import SettingsForm, SettingsPage, SettingsPageDep
from mailer.web.studio.sign_in.confirmation import require_confirmed
from mailer.web.studio.waiting_item import WaitingItem

ROUTES = Routes()
FORM_ROUTES = Routes()
"""They come after the pages of what has one of its own."""

_SAMPLE_BODY = "sender.is_sample_body"
"""Asked only of those who write as the body that the sample shows."""
_WORDS = gettext_noop("It has an error, so the settings from before are in use, and no campaign is taken up.")
_ACT = gettext_noop("See what is wrong")


@ROUTES.get_route("/settings", Permission.manage)
def show_settings(page: SettingsPageDep) -> Response:
    return page.render("settings.html", groups=GROUPS)


@FORM_ROUTES.get_route("/settings/{section}", Permission.manage)
def show_section(page: SettingsPageDep, section: str) -> Response:
    return _render(page, section, page.open_form(_list_settings(page, section)))


@FORM_ROUTES.post_route("/settings/{section}", Permission.manage)
def save_section(page: SettingsPageDep, section: str, form: OwnFormDep) -> Response:
    settings = _list_settings(page, section)
    require_confirmed(page)
    saved = page.save_form(page.read_form(settings, form))
    if saved.notice is not None:
        return page.redirect(f"/settings/{section}", saved.notice)
    return _render(page, section, saved)


def _list_settings(page: SettingsPage, name: str) -> list[Setting]:
    section = or_404(SECTIONS.get(name))
    or_404(bool(section.settings))
    shows_body = shows_sample_body(page.settings)
    return [one for one in section.settings if one.name != _SAMPLE_BODY or shows_body]


def _render(page: SettingsPage, name: str, form: SettingsForm) -> Response:
    section = SECTIONS[name]
    also = [SECTIONS[other] for other in section.also]
    return page.render("settings_section.html", part=section, also=also, form=form)


def list_settings_items(page: StudioPage) -> Iterator[WaitingItem]:
    """The error in mailer.toml, as far as it was looked at."""
    if page.state.live.fault:
        yield WaitingItem(
            title=SETTINGS_FILE,
            words=page.translate(_WORDS),
            act=page.translate(_ACT),
            path="/settings",
            tone="wrong",
        )
