"""Adding a partner, and changing the details of one."""

from starlette.responses import Response

from locales.countries import country_codes
from mailer.activity import deeds
from mailer.i18n import gettext_noop
from mailer.team.members import Permission
from mailer.web.forms import Form, OwnFormDep, list_countries, list_languages, list_sectors, own_country_names
from mailer.web.studio.notices import Notice
from mailer.web.studio.page import PageDep, StudioPage, or_404
from mailer.web.studio.partners.partner_page import (
    PartnerPage,
    SomebodyPageDep,
    explain,
    make_context,
    split_tags,
)
from mailer.web.studio.routing import Routes
from subscribers.consent.team_changes import DetailChanges, add_subscriber, edit_subscriber
from subscribers.errors import DetailError, OnListError, SubscriberError, SuppressionError
from subscribers.queries import find_subscriber, read_details

_SUPPRESSED = gettext_noop(
    "This address must not get mail: it was blocked, its mail came back, or its owner left."
)
_CHANGED = gettext_noop(
    "Somebody has changed these details since you opened the page. Save again to let yours count; nothing is "
    "saved yet."
)

ROUTES = Routes()


@ROUTES.get_route("/partners/new", Permission.change_partners)
def show_new(page: PageDep) -> Response:
    asked = page.request.query_params.get("organisation", "")[:300]
    return _render(page, Form([("organisation", asked)]))


@ROUTES.post_route("/partners/new", Permission.change_partners)
def add(page: PageDep, form: OwnFormDep) -> Response:
    key, known = page.state.workspace.keys.suppression, page.settings.sectors
    try:
        changes, context = _read_changes(page, form), make_context(page, basis=form.get("basis"))
        with page.writing() as session:
            added = add_subscriber(session, form.get("email"), changes, sectors=known, key=key, **context)
            number = added.id
            page.record(session, deeds.added_subscriber(added.email))
    except SubscriberError as error:
        return _refuse(page, form, error)
    return page.redirect(f"/partners/{number}", Notice.partner_added)


@ROUTES.get_route("/partners/{subscriber}/edit", Permission.change_partners)
def show_edit(page: SomebodyPageDep) -> Response:
    details = read_details(page.session, page.partner)
    texts = {
        "name": details.name,
        "organisation": details.organisation,
        "country": page.name_country(details.country),
        "language": details.language or "",
        "tags": ", ".join(sorted(details.tags)),
        "seen": details.digest,
    }
    return _render(page, Form([*texts.items(), *(("sectors", slug) for slug in details.sectors)]))


@ROUTES.post_route("/partners/{subscriber}/edit", Permission.change_partners)
def save(page: SomebodyPageDep, form: OwnFormDep) -> Response:
    known = page.settings.sectors
    try:
        changes, context = _read_changes(page, form), make_context(page, reason=form.get("reason"))
        with page.writing() as session:
            current = page.read_again(session)
            or_404(current.is_somebody)
            address, now = current.partner.email, read_details(session, current.partner).digest
            is_current = form.get("seen") in {"", now}
            changed = (
                edit_subscriber(session, address, changes, sectors=known, **context) if is_current else ()
            )
            if changed:
                page.record(session, deeds.edited_subscriber(address, changed))
    except SubscriberError as error:
        return _refuse(page, form, error)
    if not is_current:
        return _render(page, Form([*form.fields, ("seen", now)]), ("", page.translate(_CHANGED)))
    return page.go_back(Notice.partner_saved if changed else Notice.nothing_changed)


def _read_changes(page: StudioPage, form: Form) -> DetailChanges:
    return DetailChanges(
        name=form.get("name"),
        organisation=form.get("organisation"),
        country=_read_country(page, form.get("country")),
        language=form.get("language"),
        sectors=_list_chosen(form),
        tags=split_tags(form.get("tags")),
    )


def _list_chosen(form: Form) -> frozenset[str]:
    return frozenset(value for name, value in form.fields if name == "sectors")


def _read_country(page: StudioPage, typed: str) -> str:
    """Return the code of a country that is named in the language of the page; other names as they are, for an
    import understands them too."""
    wanted = typed.strip().casefold()
    return next((code for code, name in _list_countries(page) if wanted == name.casefold()), typed)


def _list_countries(page: StudioPage) -> list[tuple[str, str]]:
    return list_countries(page.translator, own_country_names(page.settings), country_codes())


def _refuse(page: StudioPage, form: Form, error: SubscriberError) -> Response:
    field = error.field if isinstance(error, DetailError) else "email"
    words = _SUPPRESSED if isinstance(error, SuppressionError) else explain(error)
    known = find_subscriber(page.session, error.email).id if isinstance(error, OnListError) else None
    return _render(page, form, (field, page.translate(words)), known=known)


def _render(page: StudioPage, form: Form, *errors: tuple[str, str], known: int | None = None) -> Response:
    """Render the form as it is filled in. ``known`` is the partner who has the address already."""
    return page.render(
        "partner_form.html",
        partner=page.partner if isinstance(page, PartnerPage) else None,
        form=form,
        chosen=_list_chosen(form),
        errors=errors,
        known=known,
        sectors=list_sectors(page.translator, page.settings),
        countries=[name for _, name in _list_countries(page)],
        languages=list_languages(form.get("language")),
    )
