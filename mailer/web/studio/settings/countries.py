"""The countries: how the organisation writes their names, their time zone, their label, and consent."""

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.exceptions import HTTPException
from starlette.responses import Response

from locales.countries import is_country
from mailer.i18n import gettext_noop
from mailer.settings import Settings
from mailer.settings.changes.setting import make_setting
from mailer.web.forms import (
    MAIL_LANGUAGES,
    OwnFormDep,
    own_country_names,
    own_language_name,
    render_country_options,
)
from mailer.web.studio.page import PageDep, StudioPage
from mailer.web.studio.settings.fields import Errors, Field, FieldForm, find_fault, find_workspace
from mailer.web.studio.settings.words import Words

_WORDS = {
    "countries": Words(
        gettext_noop("Name"),
        gettext_noop("As the organisation writes it. Leave it empty for the usual name."),
    ),
    "time_zones": Words(
        gettext_noop("Time zone"),
        gettext_noop("Such as Asia/Ulaanbaatar. Leave it empty for the one where most of its people live."),
    ),
    "subject_labels": Words(
        gettext_noop("Label before the subject"),
        gettext_noop("Where the law asks for one, such as (광고). Leave it empty for none."),
    ),
}


@dataclass(frozen=True, kw_only=True)
class CountryRow:
    """A country that the settings say something about. ``own`` is the organisation's name for it."""

    code: str
    name: str
    own: str
    zone: str
    label: str
    asks_consent: bool


def show_countries(page: PageDep) -> Response:
    """Show the countries that the settings say something about, and a way to any other."""
    workspace = find_workspace(page)
    names = own_country_names(workspace.settings)
    return page.render(
        "settings_countries.html",
        section="settings",
        rows=_list_rows(page, workspace.settings),
        options=render_country_options(page.translator, names, ""),
        fault=find_fault(page),
    )


def choose_country(page: PageDep, form: OwnFormDep) -> Response:
    """Go to the page of a country that was chosen from the list of all."""
    code = form.get("country")
    if not is_country(code):
        return page.redirect("/settings/countries")
    return page.redirect(f"/settings/countries/{code}")


def show_country(page: PageDep, country: str) -> Response:
    """Show what the settings say about a country."""
    return _make_form(page, country).open()


def save_country(page: PageDep, country: str, form: OwnFormDep) -> Response:
    """Save what the settings say about a country."""
    return _make_form(page, country).save(form)


def _list_rows(page: StudioPage, settings: Settings) -> list[CountryRow]:
    names = own_country_names(settings)
    others = (code for table in settings.country_names.values() for code in table)
    codes = (
        *settings.countries,
        *others,
        *settings.time_zones,
        *settings.subject_labels,
        *settings.law.opt_in,
    )
    known = sorted(code for code in dict.fromkeys(codes) if is_country(code))
    rows = [
        CountryRow(
            code=code,
            name=page.translator.name_country(code, names),
            own=settings.countries.get(code, ""),
            zone=settings.time_zones.get(code, ""),
            label=settings.subject_labels.get(code, ""),
            asks_consent=code in settings.law.opt_in,
        )
        for code in known
    ]
    return sorted(rows, key=lambda row: row.name.casefold())


def _make_form(page: StudioPage, country: str) -> FieldForm:
    if not is_country(country):
        raise HTTPException(404)
    known = find_workspace(page).settings.country_names
    tags = dict.fromkeys((*(tag for tag in MAIL_LANGUAGES if tag != "en"), *known))
    paths = [
        ("countries", country),
        *(("country_names", tag, country) for tag in tags),
        ("time_zones", country),
        ("subject_labels", country),
    ]
    return FieldForm(
        page=page,
        settings=[make_setting(path) for path in paths],
        show=lambda fields, errors, status: _render(page, country, fields, errors, status),
        path=f"/settings/countries/{country}",
    )


def _find_words(one: Field) -> Words:
    section = str(one.setting.path[0])
    return _WORDS.get(section) or Words(own_language_name(str(one.setting.path[1])))


def _render(page: StudioPage, country: str, fields: Sequence[Field], errors: Errors, status: int) -> Response:
    settings = find_workspace(page).settings
    return page.render(
        "settings_country.html",
        status=status,
        section="settings",
        code=country,
        name=page.translator.name_country(country, own_country_names(settings)),
        usual=page.translator.name_country(country, {}),
        asks_consent=country in settings.law.opt_in,
        fields=fields,
        words={one.name: _find_words(one) for one in fields},
        errors=errors,
        wrong=dict(errors),
        fault=find_fault(page),
    )
