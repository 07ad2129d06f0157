"""The page of a partner, the changes made on it, and what they can ask for by law."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from types import MappingProxyType
from typing import Annotated, Any

from sqlmodel import Session, col, select
from starlette.exceptions import HTTPException
from starlette.responses import Response

from mailer.activity.acts import Act
from mailer.activity.record import record_activity
from mailer.campaigns.subscriber_history import (
    list_returned_messages,
    list_sent_campaigns,
    list_sent_tests,
)
from mailer.database.feedback_models import Consequence, FeedbackKind
from mailer.database.secure_delete import IncompleteErasureError
from mailer.i18n import gettext_noop
from mailer.privacy.address_search import FileAction
from mailer.privacy.data_export import export_personal_data
from mailer.privacy.erasure import ErasureError, erase_person, list_out_of_reach, plan_erasure
from mailer.team.members import Permission
from mailer.web.forms import OwnFormDep, list_sectors, own_language_name
from mailer.web.routing import GET, POST
from mailer.web.studio.notices import Notice
from mailer.web.studio.page import PageDep, StudioPage
from mailer.web.studio.routing import StudioRoute
from mailer.web.studio.row_number import depend_on_number
from mailer.web.studio.sign_in.confirmation import require_confirmed
from mailer.web.studio.status_words import DELIVERY_WORDS, STATUS_WORDS
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
    DetailError,
    StatusError,
    SubscriberError,
    SuppressionError,
    UnknownSubscriberError,
)
from subscribers.models import ConsentEvent, ConsentRecord, ImportBatch, Status, Subscriber
from subscribers.queries import find_kept_subscriber, list_merged_subscribers, read_sectors, read_tags
from subscribers.validation import clean_line, clean_tags

EVENT_WORDS: Mapping[ConsentEvent, str] = MappingProxyType(
    {
        ConsentEvent.imported: gettext_noop("Added by the team"),
        ConsentEvent.requested: gettext_noop("Signed up, to be confirmed"),
        ConsentEvent.subscribed: gettext_noop("Subscribed"),
        ConsentEvent.updated: gettext_noop("Details changed"),
        ConsentEvent.paused: gettext_noop("Mail paused"),
        ConsentEvent.resumed: gettext_noop("Pause ended"),
        ConsentEvent.unsubscribed: gettext_noop("Unsubscribed"),
        ConsentEvent.bounced: gettext_noop("Address found not to work"),
        ConsentEvent.complained: gettext_noop("Reported our mail as spam"),
        ConsentEvent.suppressed: gettext_noop("Blocked by the team"),
        ConsentEvent.unsuppressed: gettext_noop("No longer blocked"),
        ConsentEvent.erased: gettext_noop("Erased"),
        ConsentEvent.reconfirmed: gettext_noop("Said that they still want it"),
        ConsentEvent.merged: gettext_noop("Merged with another address of theirs"),
    }
)
"""What a consent record says has happened."""

SUPPRESSION_WORDS: Mapping[ConsentEvent, str] = MappingProxyType(
    {
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
)
"""Why an address must not get mail."""


PartnerNumber = Annotated[int, depend_on_number("subscriber")]
"""The path's ``subscriber``, if it can be the number of one; otherwise the answer is 404."""


def find_partner(session: Session, number: int) -> Subscriber:
    """Return the subscriber with a number.

    Raises:
        HTTPException: 404, there is none.
    """
    found = session.get(Subscriber, number)
    if found is None:
        raise HTTPException(404)
    return found


_MOST = 20
_MOST_RECORDS = 100
_STATUS_EVENTS = frozenset(
    {
        *(ConsentEvent.imported, ConsentEvent.requested, ConsentEvent.subscribed, ConsentEvent.paused),
        *(ConsentEvent.resumed, ConsentEvent.unsubscribed, ConsentEvent.bounced, ConsentEvent.complained),
        *(ConsentEvent.suppressed, ConsentEvent.erased, ConsentEvent.reconfirmed, ConsentEvent.merged),
    }
)
_KIND_WORDS: Mapping[FeedbackKind, str] = {
    FeedbackKind.bounce: gettext_noop("Their mail server wrote back"),
    FeedbackKind.complaint: gettext_noop("Their provider reported a complaint"),
    FeedbackKind.auto_reply: gettext_noop("An automatic reply"),
    FeedbackKind.reply: gettext_noop("They replied"),
    FeedbackKind.leave: gettext_noop("They asked to leave by mail"),
    FeedbackKind.other: gettext_noop("A message that was not understood"),
    FeedbackKind.dmarc: gettext_noop("A report on our mail"),
}
_CONSEQUENCE_WORDS: Mapping[Consequence, str] = {
    Consequence.bounced: gettext_noop("The address gets no more mail."),
    Consequence.complained: gettext_noop("They get no more mail."),
    Consequence.unsubscribed: gettext_noop("They were unsubscribed."),
    Consequence.held: gettext_noop("It waits for a person to judge it."),
    Consequence.alarm: gettext_noop("It is about us, not about them."),
}


@dataclass(frozen=True, kw_only=True)
class _Person:
    """A partner with the addresses that were merged with theirs."""

    subscriber: Subscriber
    merged: Sequence[Subscriber]

    @property
    def numbers(self) -> list[int]:
        return [one.id or 0 for one in (self.subscriber, *self.merged)]

    @property
    def addresses(self) -> list[str]:
        return [one.email for one in (self.subscriber, *self.merged)]


def show_partner(page: PageDep, subscriber: PartnerNumber) -> Response:
    """Show a partner."""
    return render_partner(page, subscriber, [])


def render_partner(page: StudioPage, number: int, errors: list[tuple[str, str]], **typed: object) -> Response:
    """Render a partner's page; with ``errors`` as the answer to a form of it, with what was ``typed``."""
    with page.state.read_session() as session:
        subscriber = find_partner(session, number)
        kept = find_kept_subscriber(session, subscriber)
        person = _Person(subscriber=subscriber, merged=list_merged_subscribers(session, number))
        values = {
            "partner": subscriber,
            "kept": None if kept is subscriber else kept,
            "merged": person.merged,
            **_describe_details(page, session, subscriber),
            **_describe_status(page, session, subscriber),
            **_describe_history(session, person),
            "records": _list_records(session, person),
        }
    return page.render(
        "partner.html",
        status=422 if errors else 200,
        section="partners",
        errors=errors,
        problems=dict(errors),
        typed=typed,
        tomorrow=(page.state.clock() + timedelta(days=1)).date().isoformat(),
        out_of_reach=list_out_of_reach(page.state.engine),
        **values,
    )


def _describe_details(page: StudioPage, session: Session, subscriber: Subscriber) -> dict[str, Any]:
    number, translator = subscriber.id or 0, page.translator
    names = dict(list_sectors(translator, page.settings))
    followed = sorted(read_sectors(session, [subscriber])[number])
    countries = sorted(read_countries(session, number))
    return {
        "country": page.name_country(subscriber.country),
        "language": own_language_name(subscriber.language) if subscriber.language else "",
        "sectors": [(slug, names.get(slug, slug)) for slug in followed],
        "countries": [page.name_country(code) for code in countries],
        "tags": sorted(read_tags(session, [subscriber])[number]),
    }


def _describe_status(page: StudioPage, session: Session, subscriber: Subscriber) -> dict[str, Any]:
    words, tone = STATUS_WORDS[Status(subscriber.status)]
    since = session.exec(
        select(ConsentRecord)
        .where(
            col(ConsentRecord.subscriber_id) == subscriber.id,
            col(ConsentRecord.event).in_(_STATUS_EVENTS - _list_irrelevant(subscriber)),
        )
        .order_by(col(ConsentRecord.id).desc())
        .limit(1)
    ).first()
    suppression = read_suppression(session, page.state.workspace.keys.suppression, subscriber.email)
    status = Status(subscriber.status)
    return {
        "status_words": words,
        "tone": tone,
        "since": since,
        "since_words": EVENT_WORDS[ConsentEvent(since.event)] if since is not None else "",
        "suppression": ""
        if suppression is None
        else SUPPRESSION_WORDS.get(ConsentEvent(suppression.reason), ""),
        "may_lift": suppression is not None
        and suppression.reason in {ConsentEvent.suppressed, ConsentEvent.bounced, ConsentEvent.erased},
        "is_on_list": status in {Status.active, Status.paused, Status.pending},
        "may_pause": status in {Status.active, Status.paused},
        "is_somebody": status not in {Status.erased, Status.merged},
    }


def _list_irrelevant(subscriber: Subscriber) -> frozenset[ConsentEvent]:
    """That somebody was merged into a partner is not why that one has their status."""
    return frozenset() if subscriber.status is Status.merged else frozenset({ConsentEvent.merged})


def _describe_history(session: Session, person: _Person) -> dict[str, Any]:
    addresses = dict(zip(person.numbers, person.addresses, strict=True))
    own = person.subscriber.id
    return {
        "deliveries": [
            {
                "sent": sent,
                "words": DELIVERY_WORDS[sent.state][0],
                "tone": DELIVERY_WORDS[sent.state][1],
                "address": "" if sent.subscriber_id == own else addresses[sent.subscriber_id],
            }
            for sent in list_sent_campaigns(session, person.numbers, limit=_MOST)
        ],
        "returned": [
            (one, _KIND_WORDS[one.kind], _CONSEQUENCE_WORDS.get(one.consequence, ""))
            for one in list_returned_messages(session, person.numbers, limit=_MOST)
        ],
        "tests": list_sent_tests(session, person.addresses, limit=_MOST),
    }


def _list_records(session: Session, person: _Person) -> list[dict[str, Any]]:
    addresses = dict(zip(person.numbers, person.addresses, strict=True))
    found = session.exec(
        select(ConsentRecord, ImportBatch.source)
        .join(ImportBatch, col(ImportBatch.id) == col(ConsentRecord.import_id), isouter=True)
        .where(col(ConsentRecord.subscriber_id).in_(person.numbers))
        .order_by(col(ConsentRecord.at).desc(), col(ConsentRecord.id).desc())
        .limit(_MOST_RECORDS)
    )
    return [
        {
            "record": record,
            "words": EVENT_WORDS[ConsentEvent(record.event)],
            "address": ""
            if record.subscriber_id == person.subscriber.id
            else addresses[record.subscriber_id],
        }
        for record, _ in found
    ]


ROUTES = (StudioRoute("/partners/{subscriber}", show_partner, GET, Permission.see_partners),)

METHOD = "studio"


def make_context(page: StudioPage, *, reason: str = "", basis: str = "") -> ConsentContext:
    """The context of a change by the member who makes the request.

    Raises:
        DetailError: the reason or the basis is too long, or has characters that no text has.
    """
    return {
        "method": METHOD,
        "now": page.state.clock(),
        "source": f"by {page.member.name}",
        "evidence": clean_line(reason, "reason"),
        "basis": clean_line(basis, "basis"),
    }


_BAD_DAY = gettext_noop("Write the day on which mail resumes as year, month and day, such as 2026-12-31.")
_PAST_DAY = gettext_noop("Choose a day that has not come yet.")
_NO_MAIL = gettext_noop("They get no mail that could be paused.")
_NO_REASON = gettext_noop("Write a few words: they are kept on record.")
_ONLY_OWNER = gettext_noop("Only the owner of the address can undo that.")
_GONE = gettext_noop("This partner was erased in the meantime.")
_BAD_TEXT = gettext_noop("This text cannot be stored. Shorten it, or type it again.")

_Change = Callable[[Session, str], bool]
"""Changes the partner with an address; returns whether anything changed."""


def save_tags(page: PageDep, subscriber: PartnerNumber, form: OwnFormDep) -> Response:
    """Add and remove the tags that the form has changed. Those that others change meanwhile stay so."""
    text, was = form.get("tags"), form.get("was")

    def change(session: Session, address: str) -> bool:
        wanted, before = _split_tags(text), _split_tags(was)
        changes = DetailChanges(add_tags=wanted - before, remove_tags=before - wanted)
        sectors = page.settings.sectors
        changed = edit_subscriber(session, address, changes, sectors=sectors, **make_context(page))
        return _note(page, session, Act.edited_subscriber, address, "tags") if changed else False

    return _apply(page, subscriber, change, Notice.partner_saved, field="tags", tags=text)


def _split_tags(text: str) -> frozenset[str]:
    return clean_tags(text.replace(";", ",").split(","))


def pause(page: PageDep, subscriber: PartnerNumber, form: OwnFormDep) -> Response:
    """Pause a partner's mail until a day."""
    typed, reason = form.get("until").strip(), form.get("pause-reason")
    try:
        until = date.fromisoformat(typed)
    except ValueError:
        return _refuse(page, subscriber, "until", _BAD_DAY, until=typed, reason=reason)

    def change(session: Session, address: str) -> bool:
        done = pause_subscriber(session, address, until, **make_context(page, reason=reason))
        if not done.changed:
            return False
        return _note(page, session, Act.paused_subscriber, address, f"until {until.isoformat()}")

    return _apply(page, subscriber, change, Notice.partner_paused, field="until", until=typed, reason=reason)


def resume(page: PageDep, subscriber: PartnerNumber) -> Response:
    """End a partner's pause."""

    def change(session: Session, address: str) -> bool:
        done = pause_subscriber(session, address, None, **make_context(page))
        return _note(page, session, Act.paused_subscriber, address, "ended") if done.changed else False

    return _apply(page, subscriber, change, Notice.partner_resumed)


def unsubscribe(page: PageDep, subscriber: PartnerNumber, form: OwnFormDep) -> Response:
    """Unsubscribe a partner who asked the team for it."""
    reason = form.get("leave-reason")

    def change(session: Session, address: str) -> bool:
        done = unsubscribe_address(session, address, **make_context(page, reason=reason))
        return _note(page, session, Act.unsubscribed_subscriber, address) if done.changed else False

    return _apply(page, subscriber, change, Notice.partner_unsubscribed, field="leave-reason", reason=reason)


def block(page: PageDep, subscriber: PartnerNumber, form: OwnFormDep) -> Response:
    """Block a partner's address."""
    reason = form.get("block-reason")
    key = page.state.workspace.keys.suppression

    def change(session: Session, address: str) -> bool:
        done = suppress(session, address, key=key, **make_context(page, reason=reason))
        return _note(page, session, Act.suppressed_address, address) if done.changed else False

    return _apply(page, subscriber, change, Notice.partner_blocked, field="block-reason", reason=reason)


def lift(page: PageDep, subscriber: PartnerNumber, form: OwnFormDep) -> Response:
    """Lift the block of a partner's address."""
    reason = form.get("lift-reason")
    key = page.state.workspace.keys.suppression
    if not reason.strip():
        return _refuse(page, subscriber, "lift-reason", _NO_REASON)

    def change(session: Session, address: str) -> bool:
        context = make_context(page)
        del context["evidence"]
        unsuppress(session, address, key=key, by=page.member.name, why=reason, **context)
        return _note(page, session, Act.unsuppressed_address, address)

    return _apply(page, subscriber, change, Notice.partner_unblocked, field="lift-reason", reason=reason)


def _apply(
    page: StudioPage, number: int, change: _Change, notice: Notice, *, field: str = "", **typed: object
) -> Response:
    """Change a partner with a record and a line in the log; without a change, say so."""
    try:
        with page.state.write_session() as session:
            changed = change(session, find_partner(session, number).email)
    except SubscriberError as error:
        return _refuse(page, number, field, _explain(error), **typed)
    return page.redirect(f"/partners/{number}", notice if changed else Notice.nothing_changed)


def _note(page: StudioPage, session: Session, act: Act, address: str, detail: str = "") -> bool:
    record_activity(session, page.actor, act, subject=address, detail=detail, now=page.state.clock())
    return True


def _refuse(page: StudioPage, number: int, field: str, words: str, **typed: object) -> Response:
    return render_partner(page, number, [(field, page.translator.translate(words))], **typed)


def _explain(error: SubscriberError) -> str:
    """Why a change was refused, in words of ours where there are."""
    match error:
        case StatusError():
            return _NO_MAIL
        case SuppressionError():
            return _ONLY_OWNER
        case UnknownSubscriberError():
            return _GONE
        case DetailError(field="until"):
            return _PAST_DAY
        case DetailError(field="tags"):
            return error.reason
        case _:
            return _BAD_TEXT


_PATH = "/partners/{subscriber}"
CHANGE_ROUTES = (
    StudioRoute(f"{_PATH}/tags", save_tags, POST, Permission.change_partners),
    StudioRoute(f"{_PATH}/pause", pause, POST, Permission.change_partners),
    StudioRoute(f"{_PATH}/resume", resume, POST, Permission.change_partners),
    StudioRoute(f"{_PATH}/unsubscribe", unsubscribe, POST, Permission.change_partners),
    StudioRoute(f"{_PATH}/block", block, POST, Permission.change_partners),
    StudioRoute(f"{_PATH}/lift", lift, POST, Permission.change_partners),
)

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
    return _render_erasure(page, subscriber, address, [], is_searched="files" in page.request.query_params)


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
            on_erased=lambda session: _note_erasure(page, session),
        )
    except UnknownSubscriberError:
        return page.redirect(f"/partners/{subscriber}", Notice.nothing_changed)
    except ErasureError:
        return _render_erasure(page, subscriber, address, [("", translate(_NOT_CLEANED))])
    except IncompleteErasureError:
        return _render_erasure(page, subscriber, address, [("", translate(_INCOMPLETE))])
    return page.redirect(f"/partners/{subscriber}", Notice.partner_erased)


def _note_erasure(page: StudioPage, session: Session) -> None:
    # Without the address: it is to be nowhere.
    record_activity(session, page.actor, Act.erased_person, now=page.state.clock())


def _find_somebody(session: Session, number: int) -> Subscriber:
    partner = find_partner(session, number)
    if partner.status in {Status.erased, Status.merged}:
        raise HTTPException(404)
    return partner


def _render_erasure(
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
