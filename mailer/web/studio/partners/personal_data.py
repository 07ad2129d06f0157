"""What a partner can ask for by law: a copy of their data, and to be erased. Only managers answer it."""

import json

from sqlmodel import Session
from starlette.exceptions import HTTPException
from starlette.responses import Response

from mailer.activity.acts import Act
from mailer.activity.record import record_activity
from mailer.database.secure_delete import IncompleteErasureError
from mailer.i18n import gettext_noop
from mailer.privacy.address_search import FileAction
from mailer.privacy.data_export import export_personal_data
from mailer.privacy.erasure import ErasureError, erase_person, list_out_of_reach, plan_erasure
from mailer.team.members import Permission
from mailer.web.forms import OwnFormDep
from mailer.web.routing import GET, POST
from mailer.web.studio.notices import Notice
from mailer.web.studio.page import PageDep, StudioPage
from mailer.web.studio.partners.partner_page import METHOD, PartnerNumber, find_partner
from mailer.web.studio.routing import StudioRoute
from mailer.web.studio.sign_in.confirmation import require_confirmed
from subscribers.errors import UnknownSubscriberError
from subscribers.models import Status, Subscriber
from subscribers.queries import list_merged_subscribers

_NOT_CLEANED = gettext_noop(
    "A file that names them could not be cleaned, so nothing is erased yet. Make it writable and press the "
    "button again."
)
_INCOMPLETE = gettext_noop(
    "They are off the list, but traces are left in freed pages of the database, because another program kept "
    "it busy or the disk is full. Press the button again in a moment to finish."
)
_ACTIONS = {
    FileAction.delete: gettext_noop("is deleted"),
    FileAction.shorten: gettext_noop("loses the rows about them"),
    FileAction.mask: gettext_noop("has their address masked"),
    FileAction.leave: gettext_noop("has to be edited by you"),
}


def send_data(page: PageDep, subscriber: PartnerNumber) -> Response:
    """Send everything that is kept about a partner as a file of JSON, and write down that it was taken."""
    require_confirmed(page)
    key, now = page.state.workspace.keys.suppression, page.state.clock()
    with page.state.write_session() as session:
        partner = _find_somebody(session, subscriber)
        known = export_personal_data(session, partner.email, key=key, now=now)
        record_activity(session, page.actor, Act.exported_person, subject=partner.email, now=now)
    headers = {"content-disposition": f'attachment; filename="partner-{subscriber}.json"'}
    body = json.dumps(known, ensure_ascii=False, indent=2)
    return Response(body, media_type="application/json", headers=headers)


def show_erasure(page: PageDep, subscriber: PartnerNumber) -> Response:
    """Show what erasing a partner does, and what it cannot reach. The files that name them come late, by a
    second request, for all files of the workspace are read for them."""
    with page.state.read_session() as session:
        address = _find_somebody(session, subscriber).email
    return _render(page, subscriber, address, [], is_searched="files" in page.request.query_params)


def erase(page: PageDep, subscriber: PartnerNumber, form: OwnFormDep) -> Response:
    """Erase a partner; asked again, finish what could not be finished."""
    require_confirmed(page)
    with page.state.read_session() as session:
        partner = find_partner(session, subscriber)
        is_gone = partner.status is Status.erased
        # An erasure that was interrupted is finished by the address, which only the form still has.
        address = form.get("address") if is_gone else _find_somebody(session, subscriber).email
    state, translate = page.state, page.translator.translate
    if is_gone and not address:
        return page.redirect(f"/partners/{subscriber}", Notice.nothing_changed)
    try:
        erase_person(
            state.workspace,
            state.engine,
            address,
            method=METHOD,
            now=state.clock(),
            source=f"by {page.member.name}",
            on_erased=lambda session: _note(page, session),
        )
    except UnknownSubscriberError:
        return page.redirect(f"/partners/{subscriber}", Notice.nothing_changed)
    except ErasureError:
        return _render(page, subscriber, address, [("", translate(_NOT_CLEANED))])
    except IncompleteErasureError:
        return _render(page, subscriber, address, [("", translate(_INCOMPLETE))])
    return page.redirect(f"/partners/{subscriber}", Notice.partner_erased)


def _note(page: StudioPage, session: Session) -> None:
    # Without the address: it is to be nowhere.
    record_activity(session, page.actor, Act.erased_person, now=page.state.clock())


def _find_somebody(session: Session, number: int) -> Subscriber:
    partner = find_partner(session, number)
    if partner.status in {Status.erased, Status.merged}:
        raise HTTPException(404)
    return partner


def _render(
    page: StudioPage, number: int, address: str, errors: list[tuple[str, str]], *, is_searched: bool = True
) -> Response:
    with page.state.read_session() as session:
        partner = find_partner(session, number)
        merged = [one.email for one in list_merged_subscribers(session, number)]
    workspace, engine = page.state.workspace, page.state.engine
    files = plan_erasure(workspace, engine, address).files if is_searched else ()
    root = workspace.root
    return page.render(
        "partner_erase.html",
        status=422 if errors else 200,
        section="partners",
        partner=partner,
        address=address,
        merged=merged,
        errors=errors,
        is_searched=is_searched,
        files=[
            (
                match.path.relative_to(root) if match.path.is_relative_to(root) else match.path,
                _ACTIONS[match.action],
            )
            for match in files
        ],
        out_of_reach=list_out_of_reach(engine),
    )


DATA_ROUTES = (
    StudioRoute("/partners/{subscriber}/data", send_data, POST, Permission.manage),
    StudioRoute("/partners/{subscriber}/erase", show_erasure, GET, Permission.manage),
    StudioRoute("/partners/{subscriber}/erase", erase, POST, Permission.manage),
)
