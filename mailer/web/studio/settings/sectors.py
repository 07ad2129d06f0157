"""The sectors: their names, their order and their colours; another one, and one less."""

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.exceptions import HTTPException
from starlette.responses import Response

from editions.new_editions import make_slug
from editions.source.field_values import FIXED_SECTIONS
from editions.source.schema import EditionHeader
from mailer.activity.acts import Act
from mailer.activity.record import record_line
from mailer.campaigns.uses import MOST_COUNTED, SectorUse, count_followers, count_sector_use
from mailer.errors import ConfigurationError, MailerError
from mailer.i18n import gettext_noop
from mailer.rendering.themes.sector_colours import (
    change_sector_colour,
    color_sectors,
    find_own_colour,
    find_theme_file,
)
from mailer.rendering.themes.theme import ColourPair
from mailer.rendering.themes.theme_files import load_theme
from mailer.settings.changes.setting import Setting, make_setting
from mailer.settings.changes.settings_file import read_settings_file
from mailer.web.forms import MAIL_LANGUAGES, OwnFormDep, own_language_name
from mailer.web.studio.notices import Notice
from mailer.web.studio.page import PageDep, StudioPage
from mailer.web.studio.settings.fields import (
    Errors,
    Field,
    FieldForm,
    find_fault,
    find_workspace,
    save_changes,
)
from mailer.web.studio.settings.words import Words
from mailer.web.studio.text_save import announced_session, make_line
from subscribers.errors import SubscriberError
from subscribers.validation import clean_line

_THEME = str(EditionHeader.model_fields["template"].default)
_MAX_NAME = 100
_NAME = Words(gettext_noop("Name"), gettext_noop("As the newsletter writes it."))
_NO_NAME = gettext_noop("Give the sector a name.")
_SIMILAR = gettext_noop("There is a sector “%(name)s” already, which is too similar to tell apart.")
_IN_USE = gettext_noop(
    "%(name)s is in use and cannot go: by %(stories)s stories in %(editions)s editions, by %(partners)s "
    "partners and by the segments %(segments)s. Give them another sector first."
)
_MORE = gettext_noop("more than %(count)s")
_NONE = gettext_noop("none")


@dataclass(frozen=True, kw_only=True)
class SectorRow:
    """A sector as the list shows it, with its colours on light and on dark."""

    slug: str
    name: str
    light: str
    dark: str


def show_sectors(page: PageDep) -> Response:
    """Show all sectors in their order."""
    return _render_list(page, "", [])


def create_sector(page: PageDep, form: OwnFormDep) -> Response:
    """Add a sector behind the others."""
    sectors = find_workspace(page).settings.sectors
    typed = form.get("name")
    try:
        name = clean_line(typed, "name", _MAX_NAME)
    except SubscriberError as error:
        return _render_list(page, typed, [("name", str(error))])
    if not name:
        return _render_list(page, typed, [("name", page.translator.translate(_NO_NAME))])
    slug = make_slug(name, fallback=f"sector-{len(sectors) + 1}")
    slug = f"{slug}-sector" if slug in FIXED_SECTIONS else slug
    if slug in sectors:
        words = page.translator.translate(_SIMILAR, name=sectors[slug])
        return _render_list(page, typed, [("name", words)])
    try:
        save_changes(page, {("sectors", slug): name}, was={("sectors", slug): None})
    except ConfigurationError as error:
        return _render_list(page, typed, [("", str(error))], status=409)
    return page.redirect("/settings/sectors", Notice.settings_saved)


def move_sector(page: PageDep, sector: str, form: OwnFormDep) -> Response:
    """Move a sector one place up or down."""
    sectors = list(find_workspace(page).settings.sectors)
    _find_name(page, sector)
    place = sectors.index(sector)
    other = place + (1 if form.get("to") == "down" else -1)
    if not 0 <= other < len(sectors):
        return page.redirect("/settings/sectors")
    sectors[place], sectors[other] = sectors[other], sectors[place]
    try:
        save_changes(page, {}, was={}, orders={("sectors",): sectors})
    except ConfigurationError as error:
        return _render_list(page, "", [("", str(error))], status=409)
    return page.redirect("/settings/sectors", Notice.settings_saved)


def show_sector(page: PageDep, sector: str) -> Response:
    """Show a sector: its names and its colours."""
    return _make_form(page, sector).open()


def save_sector(page: PageDep, sector: str, form: OwnFormDep) -> Response:
    """Save the names of a sector."""
    return _make_form(page, sector).save(form)


def color_sector(page: PageDep, sector: str, form: OwnFormDep) -> Response:
    """Give a sector colours of its own, or those that the theme chooses."""
    _find_name(page, sector)
    root = find_workspace(page).root
    wanted: ColourPair | None = (form.get("light").strip().lower(), form.get("dark").strip().lower())
    if form.get("own") != "true":
        wanted = None
    was = form.get("was").partition(" ")
    file = find_theme_file(root, _THEME)
    line = make_line(
        page, Act.changed_settings, subject=f"{file.relative_to(root).as_posix()} sections.{sector}"
    )
    try:
        with announced_session(page, [line], file) as session:
            record_line(session, line)
            change_sector_colour(root, _THEME, sector, wanted, was=(was[0], was[2]) if was[2] else None)
    except OSError as error:
        return _show_colour_fault(page, sector, error.strerror or str(error))
    except (MailerError, ConfigurationError) as error:
        return _show_colour_fault(page, sector, str(error))
    return page.redirect(f"/settings/sectors/{sector}", Notice.settings_saved)


def delete_sector(page: PageDep, sector: str) -> Response:
    """Take out a sector that nothing uses, with its names in other languages."""
    name = _find_name(page, sector)
    workspace = find_workspace(page)
    with page.state.read_session() as session:
        use = count_sector_use(session, workspace.settings, workspace.editions, sector)
    if use:
        return _show_fault(page, sector, _describe_use(page, name, use))
    tables = [
        ("sector_names", tag, sector)
        for tag, names in workspace.settings.sector_names.items()
        if sector in names
    ]
    path = ("sectors", sector)
    try:
        was = read_settings_file(workspace.root).find(path)
        save_changes(page, {path: None, **dict.fromkeys(tables)}, was={path: was})
    except ConfigurationError as error:
        return _show_fault(page, sector, str(error))
    return page.redirect("/settings/sectors", Notice.settings_saved)


def _find_name(page: StudioPage, sector: str) -> str:
    name = find_workspace(page).settings.sectors.get(sector)
    if name is None:
        raise HTTPException(404)
    return name


def _make_form(page: StudioPage, sector: str) -> FieldForm:
    _find_name(page, sector)
    return FieldForm(
        page=page,
        settings=_list_settings(page, sector),
        show=lambda fields, errors, status: _render(page, sector, fields, errors, status),
        path=f"/settings/sectors/{sector}",
    )


def _list_settings(page: StudioPage, sector: str) -> tuple[Setting, ...]:
    known = find_workspace(page).settings.sector_names
    tags = dict.fromkeys((*(tag for tag in MAIL_LANGUAGES if tag != "en"), *known))
    return (
        make_setting(("sectors", sector), is_required=True),
        *(make_setting(("sector_names", tag, sector)) for tag in tags),
    )


def _find_words(one: Field) -> Words:
    return _NAME if one.setting.path[0] == "sectors" else Words(own_language_name(str(one.setting.path[1])))


def _list_rows(page: StudioPage) -> list[SectorRow]:
    workspace = find_workspace(page)
    sectors = workspace.settings.sectors
    try:
        colours = color_sectors(load_theme(_THEME, workspace.template_overrides), tuple(sectors)).sections
    except MailerError:
        # The theme is being edited, and its own page says what is wrong.
        colours = {}
    return [
        SectorRow(slug=slug, name=name, light=pair[0], dark=pair[1])
        for slug, name in sectors.items()
        for pair in [colours.get(slug, ("#7c8591", "#8593a2"))]
    ]


def _describe_use(page: StudioPage, name: str, use: SectorUse) -> str:
    translate = page.translator.translate
    many = use.subscribers > MOST_COUNTED
    partners = translate(_MORE, count=f"{MOST_COUNTED:,}") if many else str(use.subscribers)
    return translate(
        _IN_USE,
        name=name,
        stories=str(use.stories),
        editions=str(use.editions),
        partners=partners,
        segments=", ".join(use.segments) or translate(_NONE),
    )


def _show_fault(page: StudioPage, sector: str, words: str) -> Response:
    form = _make_form(page, sector)
    return _render(page, sector, form.read(), [("", words)], 409)


def _show_colour_fault(page: StudioPage, sector: str, words: str) -> Response:
    form = _make_form(page, sector)
    return _render(page, sector, form.read(), [("light", words)], 422)


def _render_list(page: StudioPage, name: str, errors: Errors, *, status: int | None = None) -> Response:
    return page.render(
        "settings_sectors.html",
        status=(422 if errors else 200) if status is None else status,
        section="settings",
        rows=_list_rows(page),
        name=name,
        errors=errors,
        wrong=dict(errors),
        fault=find_fault(page),
    )


def _render(page: StudioPage, sector: str, fields: Sequence[Field], errors: Errors, status: int) -> Response:
    root = find_workspace(page).root
    own = find_own_colour(root, _THEME, sector)
    with page.state.read_session() as session:
        followers = count_followers(session, sector)
    return page.render(
        "settings_sector.html",
        status=status,
        section="settings",
        row=next(one for one in _list_rows(page) if one.slug == sector),
        fields=fields,
        words={one.name: _find_words(one) for one in fields},
        own=own,
        followers=followers,
        most=MOST_COUNTED,
        errors=errors,
        wrong=dict(errors),
        fault=find_fault(page),
    )
