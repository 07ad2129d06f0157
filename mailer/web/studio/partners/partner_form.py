"""Adding a partner, and changing the details of one."""

import hashlib
from dataclasses import dataclass

from sqlmodel import Session
from starlette.exceptions import HTTPException
from starlette.responses import Response

from locales.countries import country_codes
from mailer.activity.acts import Act
from mailer.activity.record import record_activity
from mailer.i18n import gettext_noop
from mailer.team.members import Permission
from mailer.web.forms import Form, OwnFormDep, list_countries, list_languages, list_sectors, own_country_names
from mailer.web.routing import GET, POST
from mailer.web.studio.notices import Notice
from mailer.web.studio.page import PageDep, StudioPage
from mailer.web.studio.partners.partner_page import PartnerNumber, find_partner, make_context
from mailer.web.studio.routing import StudioRoute
from subscribers.consent.team_changes import DetailChanges, add_subscriber, edit_subscriber
from subscribers.errors import (
    AddressError,
    CountryError,
    DetailError,
    OnListError,
    SuppressionError,
    UnknownSubscriberError,
)
from subscribers.models import Status, Subscriber
from subscribers.queries import find_subscriber, read_sectors, read_tags
from subscribers.validation import clean_line, resolve_country

_BAD_ADDRESS = gettext_noop("Write the email address in full, such as mei@example.org.")
_ON_LIST = gettext_noop("This address is on the list already.")
_SUPPRESSED = gettext_noop(
    "This address must not get mail: it was blocked, its mail came back, or its owner left."
)
_BAD_COUNTRY = gettext_noop(
    "This is no country we know. Choose one of the names that are offered, or its code."
)
_TOO_LONG = gettext_noop("This text cannot be stored. Shorten it, or type it again.")
_CHANGED = gettext_noop(
    "Somebody has changed these details since you opened the page. Save again to let yours count; nothing is "
    "saved yet."
)
_TEXTS = ("name", "organisation", "country", "language", "tags", "reason", "basis", "email")


@dataclass(frozen=True, kw_only=True)
class _Filled:
    """The form as it is filled in. ``seen`` is the digest of the details that the page began from."""

    texts: dict[str, str]
    sectors: frozenset[str]
    seen: str = ""

    def get(self, name: str) -> str:
        return self.texts.get(name, "")


def show_new(page: PageDep) -> Response:
    """Show the form that adds a partner."""
    asked = {"organisation": page.request.query_params.get("organisation", "")[:300]}
    return _render(page, None, _Filled(texts=asked, sectors=frozenset()), [])


def add(page: PageDep, form: OwnFormDep) -> Response:
    """Add a partner, who gets mail from then on."""
    filled, translate = _read_form(form), page.translator.translate
    try:
        changes = _read_changes(page, filled)
        with page.state.write_session() as session:
            added = add_subscriber(
                session,
                filled.get("email"),
                changes,
                sectors=page.settings.sectors,
                key=page.state.workspace.keys.suppression,
                **make_context(page, basis=filled.get("basis")),
            )
            number = added.id or 0
            record_activity(
                session, page.actor, Act.added_subscriber, subject=added.email, now=page.state.clock()
            )
    except AddressError:
        return _render(page, None, filled, [("email", translate(_BAD_ADDRESS))])
    except OnListError as error:
        return _render(page, None, filled, [("email", translate(_ON_LIST))], known_as=error.email)
    except SuppressionError:
        return _render(page, None, filled, [("email", translate(_SUPPRESSED))])
    except DetailError as error:
        return _render(page, None, filled, [_explain(page, error)])
    return page.redirect(f"/partners/{number}", Notice.partner_added)


def show_edit(page: PageDep, subscriber: PartnerNumber) -> Response:
    """Show the form that changes a partner's details."""
    with page.state.read_session() as session:
        partner = _find_somebody(session, subscriber)
        filled = _fill(page, session, partner)
    return _render(page, partner, filled, [])


def save(page: PageDep, subscriber: PartnerNumber, form: OwnFormDep) -> Response:
    """Change a partner's details, unless somebody else has changed them since the page was opened."""
    filled = _read_form(form)
    errors: list[tuple[str, str]] = []
    changed: frozenset[str] = frozenset()
    try:
        changes = _read_changes(page, filled)
        with page.state.write_session() as session:
            partner = _find_somebody(session, subscriber)
            now = _fill(page, session, partner)
            if filled.seen not in {"", now.seen}:
                errors = [("", page.translator.translate(_CHANGED))]
                filled = _Filled(texts=filled.texts, sectors=filled.sectors, seen=now.seen)
            else:
                changed = edit_subscriber(
                    session,
                    partner.email,
                    changes,
                    sectors=page.settings.sectors,
                    **make_context(page, reason=filled.get("reason")),
                )
            if changed:
                record_activity(
                    session,
                    page.actor,
                    Act.edited_subscriber,
                    subject=partner.email,
                    detail=", ".join(sorted(changed)),
                    now=page.state.clock(),
                )
    except DetailError as error:
        errors = [_explain(page, error)]
    except UnknownSubscriberError as error:
        raise HTTPException(404) from error
    if errors:
        with page.state.read_session() as session:
            return _render(page, _find_somebody(session, subscriber), filled, errors)
    notice = Notice.partner_saved if changed else Notice.nothing_changed
    return page.redirect(f"/partners/{subscriber}", notice)


def _find_somebody(session: Session, number: int) -> Subscriber:
    partner = find_partner(session, number)
    if partner.status in {Status.erased, Status.merged}:
        raise HTTPException(404)
    return partner


def _read_form(form: Form) -> _Filled:
    sectors = frozenset(value for name, value in form.fields if name == "sectors")
    return _Filled(texts={name: form.get(name) for name in _TEXTS}, sectors=sectors, seen=form.get("seen"))


def _fill(page: StudioPage, session: Session, partner: Subscriber) -> _Filled:
    """The form as it is with the details that are stored."""
    number = partner.id or 0
    sectors = frozenset(read_sectors(session, [partner])[number])
    tags = sorted(read_tags(session, [partner])[number])
    texts = {
        "name": partner.name,
        "organisation": partner.organisation,
        "country": page.name_country(partner.country),
        "language": partner.language or "",
        "tags": ", ".join(tags),
        "reason": "",
    }
    stored = [partner.email, partner.name, partner.organisation, partner.country, partner.language]
    told = repr([*stored, sorted(sectors), tags])
    return _Filled(texts=texts, sectors=sectors, seen=hashlib.sha256(told.encode()).hexdigest()[:16])


def _read_changes(page: StudioPage, filled: _Filled) -> DetailChanges:
    clean_line(filled.get("reason"), "reason")
    clean_line(filled.get("basis"), "basis")
    return DetailChanges(
        name=filled.get("name"),
        organisation=filled.get("organisation"),
        country=_read_country(page, filled.get("country")),
        language=filled.get("language"),
        sectors=filled.sectors,
        tags=filled.get("tags").replace(";", ",").split(","),
    )


def _read_country(page: StudioPage, typed: str) -> str:
    """The code of a country: named in the language of the page, or in any way that an import understands."""
    wanted = typed.strip().casefold()
    if not wanted:
        return ""
    for code, name in _list_countries(page):
        if wanted == name.casefold():
            return code
    try:
        return resolve_country(typed)
    except CountryError as error:
        raise DetailError("country", str(error)) from error


def _list_countries(page: StudioPage) -> list[tuple[str, str]]:
    return list_countries(page.translator, own_country_names(page.settings), country_codes())


def _explain(page: StudioPage, error: DetailError) -> tuple[str, str]:
    words = {"country": _BAD_COUNTRY}.get(error.field)
    if words is None:
        words = error.reason if error.field in {"tags", "sectors"} else _TOO_LONG
    return error.field, page.translator.translate(words)


def _render(
    page: StudioPage,
    partner: Subscriber | None,
    filled: _Filled,
    errors: list[tuple[str, str]],
    *,
    known_as: str = "",
) -> Response:
    known = None
    if known_as:
        with page.state.read_session() as session:
            known = find_subscriber(session, known_as).id
    return page.render(
        "partner_form.html",
        status=422 if errors else 200,
        section="partners",
        partner=partner,
        filled=filled,
        errors=errors,
        problems=dict(errors),
        known=known,
        sectors=list_sectors(page.translator, page.settings),
        countries=[name for _, name in _list_countries(page)],
        languages=list_languages(filled.get("language")),
    )


ROUTES = (
    StudioRoute("/partners/new", show_new, GET, Permission.change_partners),
    StudioRoute("/partners/new", add, POST, Permission.change_partners),
    StudioRoute("/partners/{subscriber}/edit", show_edit, GET, Permission.change_partners),
    StudioRoute("/partners/{subscriber}/edit", save, POST, Permission.change_partners),
)
