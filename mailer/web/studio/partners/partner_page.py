"""The page of a partner, the changes made on it, and what they can ask for by law."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import partial
from typing import Annotated, Self, Unpack

from fastapi import Depends
from sqlmodel import Session
from starlette.responses import Response

from mailer.activity import deeds
from mailer.activity.deeds import Deed
from mailer.campaigns.subscriber_history import (
    list_returned_messages,
    list_sent_campaigns,
    list_sent_tests,
)
from mailer.database.feedback_models import Consequence, FeedbackKind
from mailer.database.secure_delete import IncompleteErasureError
from mailer.i18n import gettext_noop
from mailer.privacy.data_export import export_personal_data
from mailer.privacy.erasure import ErasureError, erase_person, list_out_of_reach, plan_erasure
from mailer.team.members import Permission
from mailer.web.forms import Form, OwnFormDep
from mailer.web.studio.notices import Notice
from mailer.web.studio.page import PageDep, StudioPage, depend_on_number, or_404
from mailer.web.studio.routing import Routes
from mailer.web.studio.sign_in.confirmation import require_confirmed
from subscribers.consent.preferences import read_countries
from subscribers.consent.status_changes import ConsentContext, suppress
from subscribers.consent.suppression import read_suppression
from subscribers.consent.team_changes import (
    DetailChanges,
    edit_subscriber,
    pause_subscriber,
    unsubscribe_address,
    unsuppress,
)
from subscribers.errors import (
    AddressError,
    DetailError,
    OnListError,
    StatusError,
    SubscriberError,
    SuppressionError,
    UnknownSubscriberError,
)
from subscribers.models import ConsentEvent, Status, Subscriber
from subscribers.queries import (
    find_kept_subscriber,
    find_status_record,
    list_consent_records,
    list_merged_subscribers,
    read_details,
)
from subscribers.validation import clean_line, clean_tags

_SUPPRESSION_WORDS = {
    ConsentEvent.suppressed: gettext_noop(
        "The team blocked this address. No import and no form brings it back."
    ),
    ConsentEvent.bounced: gettext_noop("Mail to this address came back, so it gets no more."),
    ConsentEvent.complained: gettext_noop(
        "They reported our mail as spam. Only they can come back, by the link in a newsletter."
    ),
    ConsentEvent.unsubscribed: gettext_noop("They unsubscribed elsewhere. Only they can come back."),
    ConsentEvent.erased: gettext_noop("Somebody with this address was erased."),
}
"""Why an address must not get mail."""

_KIND_WORDS = {
    FeedbackKind.bounce: gettext_noop("Their mail server wrote back"),
    FeedbackKind.complaint: gettext_noop("Their provider reported a complaint"),
    FeedbackKind.auto_reply: gettext_noop("An automatic reply"),
    FeedbackKind.reply: gettext_noop("They replied"),
    FeedbackKind.leave: gettext_noop("They asked to leave by mail"),
    FeedbackKind.other: gettext_noop("A message that was not understood"),
    FeedbackKind.dmarc: gettext_noop("A report on our mail"),
}
_CONSEQUENCE_WORDS = {
    Consequence.bounced: gettext_noop("The address gets no more mail."),
    Consequence.complained: gettext_noop("They get no more mail."),
    Consequence.unsubscribed: gettext_noop("They were unsubscribed."),
    Consequence.held: gettext_noop("It waits for a person to judge it."),
    Consequence.alarm: gettext_noop("It is about us, not about them."),
}
_BAD_DAY = gettext_noop("Write the day on which mail resumes as year, month and day, such as 2026-12-31.")
_NO_REASON = gettext_noop("Write a few words: they are kept on record.")
_NOT_CLEANED = gettext_noop(
    "A file that names them could not be cleaned, so nothing is erased yet. Make it writable and press the "
    "button again."
)
_INCOMPLETE = gettext_noop(
    "They are off the list, but traces are left in freed pages of the database, because another program kept "
    "it busy or the disk is full. Press the button again in a moment to finish."
)
_METHOD = "studio"
_MOST = 20
_MOST_RECORDS = 100

ROUTES = Routes()


def explain(error: SubscriberError) -> str:
    match error:
        case DetailError(field="country"):
            return gettext_noop(
                "This is no country we know. Choose one of the names that are offered, or its code."
            )
        case DetailError(field="until"):
            return gettext_noop("Choose a day that has not come yet.")
        case DetailError(field="tags" | "sectors"):
            return error.reason
        case AddressError():
            return gettext_noop("Write the email address in full, such as mei@example.org.")
        case OnListError():
            return gettext_noop("This address is on the list already.")
        case StatusError():
            return gettext_noop("They get no mail that could be paused.")
        case SuppressionError():
            return gettext_noop("Only the owner of the address can undo that.")
        case UnknownSubscriberError():
            return gettext_noop("This partner was erased in the meantime.")
        case _:
            return gettext_noop("This text cannot be stored. Shorten it, or type it again.")


def make_context(page: StudioPage, *, reason: str = "", basis: str = "") -> ConsentContext:
    """Return the context of a change by the member who makes the request. Raise DetailError if the reason or
    the basis is too long, or has characters that no text has.
    """
    return {
        "method": _METHOD,
        "now": page.state.clock(),
        "source": f"by {page.member.name}",
        "evidence": clean_line(reason, "reason"),
        "basis": clean_line(basis, "basis"),
    }


@dataclass(frozen=True, kw_only=True)
class PartnerPage(StudioPage):
    partner: Subscriber

    @property
    def number(self) -> int:
        return self.partner.id or 0

    @property
    def is_somebody(self) -> bool:
        return self.partner.status not in {Status.erased, Status.merged}

    def render(self, template: str, *, status: int = 0, **values: object) -> Response:
        return super().render(template, status=status, **{"partner": self.partner, **values})

    def read_again(self, session: Session) -> Self:
        """Return this request about the partner as they are now, to be read while ``session`` is open. They
        may have been erased meanwhile, and then their address is to be nowhere."""
        return replace(self, partner=or_404(session.get(Subscriber, self.number)))

    def go_back(self, notice: Notice) -> Response:
        return self.redirect(f"/partners/{self.number}", notice)


def _open_partner(page: PageDep, number: Annotated[int, depend_on_number("subscriber")]) -> PartnerPage:
    with page.state.read_session() as session:
        return page.about(PartnerPage, partner=or_404(session.get(Subscriber, number)))


PartnerPageDep = Annotated[PartnerPage, Depends(_open_partner)]


def _open_somebody(page: PartnerPageDep) -> PartnerPage:
    or_404(page.is_somebody)
    return page


SomebodyPageDep = Annotated[PartnerPage, Depends(_open_somebody)]
"""A request about a partner who was neither erased nor merged."""


@ROUTES.get_route("/partners/{subscriber}", Permission.see_partners)
def show_partner(page: PartnerPageDep) -> Response:
    return _render(page)


def _render(page: PartnerPage, form: Form | None = None, field: str = "", words: str = "") -> Response:
    """Render the page of a partner; with ``words``, as the answer to a ``form`` of it."""
    session, partner = page.session, page.partner
    kept = find_kept_subscriber(session, partner)
    merged = list_merged_subscribers(session, page.number)
    people = [partner, *merged]
    numbers = [one.id or 0 for one in people]
    errors = [(field, page.translate(words))] if words else []
    return page.render(
        "partner.html",
        errors=errors,
        typed=dict(form.fields) if form else {},
        is_somebody=page.is_somebody,
        kept=None if kept is partner else kept,
        merged=merged,
        addresses={one.id: one.email for one in merged},
        details=read_details(session, partner),
        countries=sorted(read_countries(session, page.number)),
        since=find_status_record(session, partner),
        suppression=read_suppression(session, page.state.workspace.keys.suppression, partner.email),
        suppression_words=_SUPPRESSION_WORDS,
        deliveries=list_sent_campaigns(session, numbers, limit=_MOST),
        tests=list_sent_tests(session, [one.email for one in people], limit=_MOST),
        returned=list_returned_messages(session, numbers, limit=_MOST),
        kind_words=_KIND_WORDS,
        consequence_words=_CONSEQUENCE_WORDS,
        records=list_consent_records(session, numbers, limit=_MOST_RECORDS),
        tomorrow=(page.state.clock() + timedelta(days=1)).date().isoformat(),
        out_of_reach=list_out_of_reach(page.state.engine),
    )


def _change(
    page: PartnerPage,
    form: Form,
    field: str,
    change: Callable[..., bool],
    make: Callable[[str], Deed],
    notice: Notice,
    *,
    reason: str = "",
) -> Response:
    """Do ``change``, which takes a session, an address and the parts of a :class:`ConsentContext`, to the
    partner; if anything changed, ``make`` says what the log has of it. ``field`` has what may be wrong."""
    try:
        with page.writing() as session:
            address = page.read_again(session).partner.email
            changed = change(session, address, **make_context(page, reason=reason))
            if changed:
                page.record(session, make(address))
    except SubscriberError as error:
        return _render(page.read_again(page.session), form, field, explain(error))
    return page.go_back(notice if changed else Notice.nothing_changed)


@ROUTES.post_route("/partners/{subscriber}/tags", Permission.change_partners)
def save_tags(page: PartnerPageDep, form: OwnFormDep) -> Response:
    """Add and remove the tags that the form has changed. Those that others change meanwhile stay so."""

    def read_changes() -> tuple[frozenset[str], frozenset[str]]:
        wanted, before = (frozenset(clean_tags(split_tags(form.get(name)))) for name in ("tags", "was"))
        return wanted - before, before - wanted

    def change(session: Session, address: str, **context: Unpack[ConsentContext]) -> bool:
        added, removed = read_changes()
        changes = DetailChanges(add_tags=added, remove_tags=removed)
        return bool(edit_subscriber(session, address, changes, sectors=page.settings.sectors, **context))

    def make(address: str) -> Deed:
        added, removed = read_changes()
        return deeds.edited_subscriber(address, added=added, removed=removed)

    return _change(page, form, "tags", change, make, Notice.partner_saved)


def split_tags(text: str) -> list[str]:
    return text.replace(";", ",").split(",")


@ROUTES.post_route("/partners/{subscriber}/pause", Permission.change_partners)
def pause(page: PartnerPageDep, form: OwnFormDep) -> Response:
    try:
        until = date.fromisoformat(form.get("until").strip())
    except ValueError:
        return _render(page, form, "until", _BAD_DAY)
    change, reason = partial(pause_subscriber, until=until), form.get("pause-reason")
    make = partial(deeds.paused_subscriber, until=until)
    return _change(page, form, "until", change, make, Notice.partner_paused, reason=reason)


@ROUTES.post_route("/partners/{subscriber}/resume", Permission.change_partners)
def resume(page: PartnerPageDep, form: OwnFormDep) -> Response:
    change = partial(pause_subscriber, until=None)
    return _change(
        page, form, "", change, partial(deeds.paused_subscriber, until=None), Notice.partner_resumed
    )


@ROUTES.post_route("/partners/{subscriber}/unsubscribe", Permission.change_partners)
def unsubscribe(page: PartnerPageDep, form: OwnFormDep) -> Response:
    make, notice, field = deeds.unsubscribed_subscriber, Notice.partner_unsubscribed, "leave-reason"
    return _change(page, form, field, unsubscribe_address, make, notice, reason=form.get(field))


@ROUTES.post_route("/partners/{subscriber}/block", Permission.change_partners)
def block(page: PartnerPageDep, form: OwnFormDep) -> Response:
    change = partial(suppress, key=page.state.workspace.keys.suppression)
    make, notice, field = deeds.suppressed_address, Notice.partner_blocked, "block-reason"
    return _change(page, form, field, change, make, notice, reason=form.get(field))


@ROUTES.post_route("/partners/{subscriber}/lift", Permission.change_partners)
def lift(page: PartnerPageDep, form: OwnFormDep) -> Response:
    why = form.get("lift-reason")
    if not why.strip():
        return _render(page, form, "lift-reason", _NO_REASON)

    def change(session: Session, address: str, **context: Unpack[ConsentContext]) -> bool:
        key = page.state.workspace.keys.suppression
        del context["evidence"]
        unsuppress(session, address, key=key, by=page.member.name, why=why, **context)
        return True

    return _change(page, form, "lift-reason", change, deeds.unsuppressed_address, Notice.partner_unblocked)


@ROUTES.post_route("/partners/{subscriber}/data", Permission.manage)
def send_data(page: SomebodyPageDep) -> Response:
    require_confirmed(page)
    key, now = page.state.workspace.keys.suppression, page.state.clock()
    with page.writing() as session:
        current = page.read_again(session)
        or_404(current.is_somebody)
        address = current.partner.email
        known = export_personal_data(session, address, key=key, now=now)
        page.record(session, deeds.exported_person(address))
    headers = {"content-disposition": f'attachment; filename="partner-{page.number}.json"'}
    body = json.dumps(known, ensure_ascii=False, indent=2)
    return Response(body, media_type="application/json", headers=headers)


@ROUTES.get_route("/partners/{subscriber}/erase", Permission.manage)
def show_erasure(page: SomebodyPageDep) -> Response:
    """Show what erasing a partner does, and what it cannot reach. The files that name them come late, by a
    second request, for all files of the workspace are read for them."""
    return _render_erasure(page, page.partner.email, is_searched="files" in page.request.query_params)


@ROUTES.post_route("/partners/{subscriber}/erase", Permission.manage)
def erase(page: PartnerPageDep, form: OwnFormDep) -> Response:
    """Erase a partner; asked again, finish what could not be finished."""
    require_confirmed(page)
    or_404(page.partner.status is not Status.merged)
    # An erasure that was interrupted is finished by the address, which only the form still has.
    address = page.partner.email if page.is_somebody else form.get("address")
    if not address:
        return page.go_back(Notice.nothing_changed)
    try:
        erase_person(
            page.state.workspace,
            page.state.engine,
            address,
            method=_METHOD,
            now=page.state.clock(),
            source=f"by {page.member.name}",
            on_erased=lambda session: page.record(session, deeds.erased_person()),
        )
    except UnknownSubscriberError:
        return page.go_back(Notice.nothing_changed)
    except ErasureError:
        return _render_erasure(page, address, _NOT_CLEANED)
    except IncompleteErasureError:
        return _render_erasure(page, address, _INCOMPLETE)
    return page.go_back(Notice.partner_erased)


def _render_erasure(
    page: PartnerPage, address: str, words: str = "", *, is_searched: bool = True
) -> Response:
    workspace, engine = page.state.workspace, page.state.engine
    files = plan_erasure(workspace, engine, address).files if is_searched else ()
    return page.render(
        "partner_erase.html",
        # The one who was just erased has no name any more.
        partner=page.session.get_one(Subscriber, page.number),
        address=address,
        merged=[one.email for one in list_merged_subscribers(page.session, page.number)],
        errors=[("", page.translate(words))] if words else [],
        is_searched=is_searched,
        files=files,
        root=workspace.root,
        out_of_reach=list_out_of_reach(engine),
    )
