"""The countries: how the organisation writes their names, their time zone, their label, and consent."""

from typing import Annotated

from fastapi import Depends
from starlette.responses import Response

from locales.countries import is_country
from mailer.i18n import gettext_noop
from mailer.settings.changes.setting import Setting, make_setting
from mailer.team.members import Permission
from mailer.web.forms import (
    MAIL_LANGUAGES,
    OwnFormDep,
    own_country_names,
    own_language_name,
    render_country_options,
)
from mailer.web.studio.page import or_404
from mailer.web.studio.routing import Routes
from mailer.web.studio.settings.settings_form import SettingsForm, SettingsPage, SettingsPageDep

ROUTES = Routes()

_NAME_HINT = gettext_noop("As the organisation writes it. Leave it empty for the usual name.")
_ZONE_HINT = gettext_noop(
    "Such as Asia/Ulaanbaatar. Leave it empty for the one where most of its people live."
)
_LABEL_HINT = gettext_noop("Where the law asks for one, such as (광고). Leave it empty for none.")


def _open_country(country: str) -> str:
    or_404(is_country(country))
    return country


CountryDep = Annotated[str, Depends(_open_country)]


@ROUTES.get_route("/settings/countries", Permission.manage)
def show_countries(page: SettingsPageDep) -> Response:
    """Show the countries that the settings say something about, and a way to any other."""
    settings = page.workspace.settings
    names = own_country_names(settings)
    others = (code for table in settings.country_names.values() for code in table)
    tables = (settings.countries, others, settings.time_zones, settings.subject_labels, settings.law.opt_in)
    codes = {code for table in tables for code in table if is_country(code)}
    known = [(page.translator.name_country(code, names), code) for code in codes]
    return page.render(
        "settings_countries.html",
        countries=sorted(known, key=lambda one: (one[0].casefold(), one[1])),
        settings=settings,
        options=render_country_options(page.translator, names, ""),
    )


@ROUTES.post_route("/settings/countries", Permission.manage)
def choose_country(page: SettingsPageDep, form: OwnFormDep) -> Response:
    code = form.get("country")
    return page.redirect(f"/settings/countries/{code}" if is_country(code) else "/settings/countries")


@ROUTES.get_route("/settings/countries/{country}", Permission.manage)
def show_country(page: SettingsPageDep, country: CountryDep) -> Response:
    return _render(page, country, page.open_form(_list_settings(page, country)))


@ROUTES.post_route("/settings/countries/{country}", Permission.manage)
def save_country(page: SettingsPageDep, country: CountryDep, form: OwnFormDep) -> Response:
    saved = page.save_form(page.read_form(_list_settings(page, country), form))
    if saved.notice is not None:
        return page.redirect(f"/settings/countries/{country}", saved.notice)
    return _render(page, country, saved)


def _list_settings(page: SettingsPage, country: str) -> list[Setting]:
    known = page.workspace.settings.country_names
    tags = dict.fromkeys((*(tag for tag in MAIL_LANGUAGES if tag != "en"), *known))
    return [
        make_setting(("countries", country), label=gettext_noop("Name"), hint=_NAME_HINT),
        *(make_setting(("country_names", tag, country), label=own_language_name(tag)) for tag in tags),
        make_setting(("time_zones", country), label=gettext_noop("Time zone"), hint=_ZONE_HINT),
        make_setting(
            ("subject_labels", country), label=gettext_noop("Label before the subject"), hint=_LABEL_HINT
        ),
    ]


def _render(page: SettingsPage, country: str, form: SettingsForm) -> Response:
    settings = page.workspace.settings
    return page.render(
        "settings_country.html",
        code=country,
        name=page.translator.name_country(country, own_country_names(settings)),
        usual=page.translator.name_country(country, {}),
        asks_consent=country in settings.law.opt_in,
        form=form,
    )
