"""Sign-ups that wait to be admitted."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlmodel import Session
from starlette.responses import Response

from mailer.activity.acts import Act
from mailer.activity.record import record_activity
from mailer.i18n import gettext_noop
from mailer.team.members import Permission
from mailer.web.forms import Form, OwnFormDep, own_language_name
from mailer.web.routing import GET, POST
from mailer.web.studio.notices import Notice
from mailer.web.studio.page import PageDep, StudioPage
from mailer.web.studio.routing import StudioRoute
from mailer.web.studio.waiting_item import WaitingItem, WaitingSource
from subscribers.consent.sign_ups import (
    WaitingSignUp,
    admit_sign_up,
    count_waiting_sign_ups,
    decline_sign_up,
    list_waiting_sign_ups,
)
from subscribers.errors import StatusError, UnknownSubscriberError
from subscribers.models import Subscriber

PAGE_SIZE = 50

_NUMBER = re.compile(r"[1-9][0-9]{0,17}", re.ASCII)
_AFTER = re.compile(r"([0-9]{4}-[0-9T:.+-]{10,40})_([1-9][0-9]{0,17})", re.ASCII)
_NOBODY_CHOSEN = gettext_noop("Choose at least one person.")
_NOT_ADMITTED = gettext_noop(
    "%(address)s was not admitted: they have left since, or the address must not get mail."
)


@dataclass(frozen=True, kw_only=True)
class _Outcome:
    """Whether a decision about one person has changed something; ``refused`` is their address if it cannot be
    carried out."""

    is_done: bool = False
    refused: str = ""


def show_sign_ups(page: PageDep) -> Response:
    """Show the sign-ups that wait, those who have waited longest first."""
    return _render(page)


def admit(page: PageDep, form: OwnFormDep) -> Response:
    """Put the chosen people on the list."""
    key, now = page.state.workspace.keys.suppression, page.state.clock()

    def admit_one(session: Session, number: int) -> bool:
        method = "studio"
        return admit_sign_up(session, number, key=key, by=page.member.name, method=method, now=now).changed

    return _decide(page, form, admit_one, Act.admitted_sign_up, Notice.sign_ups_admitted)


def decline(page: PageDep, form: OwnFormDep) -> Response:
    """Decline the chosen people."""
    now = page.state.clock()

    def decline_one(session: Session, number: int) -> bool:
        return decline_sign_up(session, number, now=now)

    return _decide(page, form, decline_one, Act.declined_sign_up, Notice.sign_ups_declined)


def _decide(
    page: StudioPage, form: Form, decide: Callable[[Session, int], bool], act: Act, notice: Notice
) -> Response:
    """Decide about each chosen person in a transaction of its own, so that one who has left since keeps
    nobody else waiting."""
    chosen = list(
        dict.fromkeys(int(value) for name, value in form.fields if name == "who" and _NUMBER.fullmatch(value))
    )
    if not chosen:
        return _render(page, [("who", page.translator.translate(_NOBODY_CHOSEN))])
    outcomes = [_decide_one(page, number, decide, act) for number in chosen]
    if refused := [one.refused for one in outcomes if one.refused]:
        translate = page.translator.translate
        return _render(page, [("", translate(_NOT_ADMITTED, address=address)) for address in refused])
    # Somebody else may have decided the other way meanwhile.
    is_done = any(one.is_done for one in outcomes)
    return page.redirect("/sign-ups", notice if is_done else Notice.nothing_changed)


def _decide_one(page: StudioPage, number: int, decide: Callable[[Session, int], bool], act: Act) -> _Outcome:
    """Decide about one person. A second click changes nothing."""
    try:
        with page.state.write_session() as session:
            is_done = decide(session, number)
            if is_done:
                address = session.get_one(Subscriber, number).email
                record_activity(session, page.actor, act, subject=address, now=page.state.clock())
    except UnknownSubscriberError:
        return _Outcome()
    except StatusError:
        with page.state.read_session() as session:
            person = session.get(Subscriber, number)
            return _Outcome(refused=person.email if person is not None else "")
    return _Outcome(is_done=is_done)


def _render(page: StudioPage, errors: Sequence[tuple[str, str]] = ()) -> Response:
    after = _read_after(page.request.query_params.get("after", ""))
    with page.state.read_session() as session:
        found = list_waiting_sign_ups(session, after=after, limit=PAGE_SIZE + 1)
    shown = found[:PAGE_SIZE]
    return page.render(
        "sign_ups.html",
        status=422 if errors else 200,
        section="partners",
        people=[(one, own_language_name(one.language) if one.language else "") for one in shown],
        older=_make_next_path(page, shown[-1]) if len(found) > PAGE_SIZE else "",
        is_later_page=after is not None,
        is_open=page.settings.web.reviews_sign_ups,
        errors=errors,
    )


def _make_next_path(page: StudioPage, last: WaitingSignUp) -> str:
    at = last.confirmed_at.astimezone(UTC).isoformat()
    return page.make_path("/sign-ups", after=f"{at}_{last.subscriber_id}")


def _read_after(text: str) -> tuple[datetime, int] | None:
    found = _AFTER.fullmatch(text)
    if found is None:
        return None
    try:
        at = datetime.fromisoformat(found[1])
    except ValueError:
        return None
    return (at, int(found[2])) if at.tzinfo is not None else None


ROUTES = (
    StudioRoute("/sign-ups", show_sign_ups, GET, Permission.see_partners),
    StudioRoute("/sign-ups/admit", admit, POST, Permission.change_partners),
    StudioRoute("/sign-ups/decline", decline, POST, Permission.change_partners),
)


def _list_sign_ups(page: StudioPage) -> Iterator[WaitingItem]:
    with page.state.read_session() as session:
        number = count_waiting_sign_ups(session)
    if not number:
        return
    translate, plural = page.translator.translate, page.translator.translations.ngettext
    yield WaitingItem(
        title=translate(gettext_noop("Sign-ups")),
        words=plural("%(num)s person wants to sign up", "%(num)s people want to sign up", number)
        % {"num": f"{number:,}"},
        act=plural("Decide about the sign-up", "Decide about the sign-ups", number),
        path="/sign-ups",
    )


WAITING_SIGN_UPS = WaitingSource(
    name=gettext_noop("Sign-ups"), permission=Permission.change_partners, list_items=_list_sign_ups
)
