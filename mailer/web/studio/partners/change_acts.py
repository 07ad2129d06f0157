"""Changes of one partner by a form on their page: tags, a pause, leaving, blocking; each with its record."""

from collections.abc import Callable
from datetime import date

from sqlmodel import Session
from starlette.responses import Response

from mailer.activity.acts import Act
from mailer.activity.record import record_activity
from mailer.i18n import gettext_noop
from mailer.team.members import Permission
from mailer.web.forms import OwnFormDep
from mailer.web.routing import POST
from mailer.web.studio.notices import Notice
from mailer.web.studio.page import PageDep, StudioPage
from mailer.web.studio.partners.partner_page import PartnerNumber, find_partner, make_context, render_partner
from mailer.web.studio.routing import StudioRoute
from subscribers.consent.status_changes import suppress
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
from subscribers.validation import clean_tags

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
