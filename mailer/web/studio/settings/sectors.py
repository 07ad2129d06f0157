"""The sectors: their names, their order and their colours; another one, and one less."""

from collections.abc import Mapping
from typing import Annotated

from fastapi import Depends
from starlette.responses import Response

from editions.new_editions import make_slug
from editions.source.field_values import FIXED_SECTIONS
from editions.source.schema import EditionHeader
from mailer.activity import deeds
from mailer.activity.record import record_line
from mailer.campaigns.uses import MOST_COUNTED, count_followers, count_sector_use
from mailer.errors import ConfigurationError, MailerError
from mailer.i18n import gettext_noop
from mailer.rendering.themes.sector_colours import (
    change_sector_colour,
    find_own_colour,
    find_sector_colours,
    find_theme_file,
)
from mailer.rendering.themes.theme import ColourPair
from mailer.settings.changes.setting import Setting, make_setting
from mailer.team.members import Permission
from mailer.web.forms import MAIL_LANGUAGES, OwnFormDep, own_language_name
from mailer.web.studio.notices import Notice
from mailer.web.studio.page import or_404
from mailer.web.studio.routing import Routes
from mailer.web.studio.settings.settings_form import SettingsForm, SettingsPage, SettingsPageDep
from subscribers.errors import SubscriberError
from subscribers.validation import clean_line

ROUTES = Routes()

_PATH = "/settings/sectors"
_THEME = str(EditionHeader.model_fields["template"].default)
_MAX_NAME = 100
_NO_NAME = gettext_noop("Give the sector a name.")
_SIMILAR = gettext_noop("There is a sector “%(name)s” already, which is too similar to tell apart.")
_IN_USE = gettext_noop(
    "%(name)s is in use and cannot go: by %(stories)s stories in %(editions)s editions, by %(partners)s "
    "partners and by the segments %(segments)s. Give them another sector first."
)
_MORE = gettext_noop("more than %(count)s")
_NONE = gettext_noop("none")


def _open_sector(page: SettingsPageDep, sector: str) -> str:
    or_404(sector in page.workspace.settings.sectors)
    return sector


SectorDep = Annotated[str, Depends(_open_sector)]


@ROUTES.get_route(_PATH, Permission.manage)
def show_sectors(page: SettingsPageDep) -> Response:
    return _render_list(page)


@ROUTES.post_route(_PATH, Permission.manage)
def create_sector(page: SettingsPageDep, form: OwnFormDep) -> Response:
    sectors = page.workspace.settings.sectors
    typed = form.get("name")
    try:
        name = clean_line(typed, "name", _MAX_NAME)
    except SubscriberError as error:
        return _render_list(page, ("name", str(error)), 422, typed)
    if not name:
        return _render_list(page, ("name", page.translate(_NO_NAME)), 422, typed)
    slug = make_slug(name, fallback=f"sector-{len(sectors) + 1}")
    slug = f"{slug}-sector" if slug in FIXED_SECTIONS else slug
    if slug in sectors:
        return _render_list(page, ("name", page.translate(_SIMILAR, name=sectors[slug])), 422, typed)
    try:
        page.save({("sectors", slug): name}, was={("sectors", slug): None})
    except ConfigurationError as error:
        return _render_list(page, ("", str(error)), 409, typed)
    return page.redirect(_PATH, Notice.settings_saved)


@ROUTES.get_route(f"{_PATH}/{{sector}}", Permission.manage)
def show_sector(page: SettingsPageDep, sector: SectorDep) -> Response:
    return _show(page, sector)


@ROUTES.post_route(f"{_PATH}/{{sector}}", Permission.manage)
def save_sector(page: SettingsPageDep, sector: SectorDep, form: OwnFormDep) -> Response:
    saved = page.save_form(page.read_form(_list_settings(page, sector), form))
    if saved.notice is not None:
        return page.redirect(f"{_PATH}/{sector}", saved.notice)
    return _render(page, sector, saved)


@ROUTES.post_route(f"{_PATH}/{{sector}}/move", Permission.manage)
def move_sector(page: SettingsPageDep, sector: SectorDep, form: OwnFormDep) -> Response:
    sectors = list(page.workspace.settings.sectors)
    place = sectors.index(sector)
    other = place + (1 if form.get("to") == "down" else -1)
    if not 0 <= other < len(sectors):
        return page.redirect(_PATH)
    sectors[place], sectors[other] = sectors[other], sectors[place]
    try:
        page.save({}, was={}, orders={("sectors",): sectors})
    except ConfigurationError as error:
        return _render_list(page, ("", str(error)), 409)
    return page.redirect(_PATH, Notice.settings_saved)


@ROUTES.post_route(f"{_PATH}/{{sector}}/colours", Permission.manage)
def color_sector(page: SettingsPageDep, sector: SectorDep, form: OwnFormDep) -> Response:
    """Give a sector colours of its own, or those that the theme chooses."""
    root = page.workspace.root
    wanted: ColourPair | None = (form.get("light").strip().lower(), form.get("dark").strip().lower())
    if form.get("own") != "true":
        wanted = None
    was = form.get("was").partition(" ")
    file = find_theme_file(root, _THEME)
    subject = f"{file.relative_to(root).as_posix()} sections.{sector}"
    line = page.make_line(deeds.changed_settings(subject))
    try:
        with page.announcing(line, file) as session:
            record_line(session, line)
            change_sector_colour(root, _THEME, sector, wanted, was=(was[0], was[2]) if was[2] else None)
    except OSError as error:
        return _show(page, sector, ("light", page.explain(error)), 422)
    except (MailerError, ConfigurationError) as error:
        return _show(page, sector, ("light", str(error)), 422)
    return page.redirect(f"{_PATH}/{sector}", Notice.settings_saved)


@ROUTES.post_route(f"{_PATH}/{{sector}}/remove", Permission.manage)
def delete_sector(page: SettingsPageDep, sector: SectorDep) -> Response:
    """Take out a sector that nothing uses, with its names in other languages."""
    settings, editions = page.workspace.settings, page.workspace.editions
    if use := count_sector_use(page.session, settings, editions, sector):
        many = use.subscribers > MOST_COUNTED
        words = page.translate(
            _IN_USE,
            name=settings.sectors[sector],
            stories=str(use.stories),
            editions=str(use.editions),
            partners=page.translate(_MORE, count=f"{MOST_COUNTED:,}") if many else str(use.subscribers),
            segments=", ".join(use.segments) or page.translate(_NONE),
        )
        return _show(page, sector, ("", words), 409)
    tables = [
        ("sector_names", tag, sector) for tag, names in settings.sector_names.items() if sector in names
    ]
    path = ("sectors", sector)
    try:
        page.save({path: None, **dict.fromkeys(tables)}, was={path: page.find(*path)})
    except ConfigurationError as error:
        return _show(page, sector, ("", str(error)), 409)
    return page.redirect(_PATH, Notice.settings_saved)


def _list_settings(page: SettingsPage, sector: str) -> list[Setting]:
    known = page.workspace.settings.sector_names
    tags = dict.fromkeys((*(tag for tag in MAIL_LANGUAGES if tag != "en"), *known))
    name, hint = gettext_noop("Name"), gettext_noop("As the newsletter writes it.")
    return [
        make_setting(("sectors", sector), is_required=True, label=name, hint=hint),
        *(make_setting(("sector_names", tag, sector), label=own_language_name(tag)) for tag in tags),
    ]


def _find_colours(page: SettingsPage) -> Mapping[str, ColourPair]:
    workspace = page.workspace
    return find_sector_colours(_THEME, workspace.template_overrides, tuple(workspace.settings.sectors))


def _render_list(
    page: SettingsPage, fault: tuple[str, str] | None = None, status: int = 200, name: str = ""
) -> Response:
    return page.render(
        "settings_sectors.html",
        status=status,
        sectors=page.workspace.settings.sectors,
        colours=_find_colours(page),
        name=name,
        errors=[fault] if fault else [],
    )


def _show(
    page: SettingsPage, sector: str, fault: tuple[str, str] | None = None, status: int = 200
) -> Response:
    form = page.open_form(_list_settings(page, sector))
    return _render(page, sector, form.refuse(*fault, status) if fault else form)


def _render(page: SettingsPage, sector: str, form: SettingsForm) -> Response:
    return page.render(
        "settings_sector.html",
        slug=sector,
        name=page.workspace.settings.sectors[sector],
        colours=_find_colours(page)[sector],
        own=find_own_colour(page.workspace.root, _THEME, sector),
        followers=count_followers(page.session, sector),
        most=MOST_COUNTED,
        form=form,
    )
