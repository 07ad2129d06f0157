"""Sign-ups that wait to be admitted."""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Any

from sqlalchemy import Row
from sqlmodel import Session
from starlette.responses import Response

from mailer.activity import deeds
from mailer.activity.deeds import Deed
from mailer.i18n import gettext_noop
from mailer.team.members import Permission
from mailer.web.forms import Form, OwnFormDep
from mailer.web.studio.notices import Notice
from mailer.web.studio.page import PageDep, StudioPage
from mailer.web.studio.routing import Routes
from mailer.web.studio.waiting_item import WaitingItem
from subscribers.consent.sign_ups import (
    admit_sign_up,
    count_waiting_sign_ups,
    decline_sign_up,
    list_waiting_sign_ups,
)
from subscribers.errors import StatusError, UnknownSubscriberError
from subscribers.models import Subscriber

ROUTES = Routes()

PAGE_SIZE = 50

_NUMBER = re.compile(r"[1-9][0-9]{0,17}", re.ASCII)
_AFTER = re.compile(r"([0-9]{4}-[0-9T:.+-]{10,40})_([1-9][0-9]{0,17})", re.ASCII)
_NOBODY_CHOSEN = gettext_noop("Choose at least one person.")
_NOT_ADMITTED = gettext_noop(
    "%(address)s was not admitted: they have left since, or the address must not get mail."
)


@ROUTES.get_route("/sign-ups", Permission.see_partners)
def show_sign_ups(page: PageDep) -> Response:
    return _render(page)


@ROUTES.post_route("/sign-ups/admit", Permission.change_partners)
def admit(page: PageDep, form: OwnFormDep) -> Response:
    key, now = page.state.workspace.keys.suppression, page.state.clock()
    admit_one = partial(admit_sign_up, key=key, by=page.member.name, method="studio", now=now)
    return _decide(page, form, admit_one, deeds.admitted_sign_up, Notice.sign_ups_admitted)


@ROUTES.post_route("/sign-ups/decline", Permission.change_partners)
def decline(page: PageDep, form: OwnFormDep) -> Response:
    decline_one = partial(decline_sign_up, now=page.state.clock())
    return _decide(page, form, decline_one, deeds.declined_sign_up, Notice.sign_ups_declined)


def _decide(
    page: StudioPage,
    form: Form,
    decide: Callable[[Session, int], bool],
    make: Callable[[str], Deed],
    notice: Notice,
) -> Response:
    """Decide about each chosen person in a transaction of its own, so that one who has left since keeps
    nobody else waiting. A second click changes nothing."""
    chosen = [int(value) for name, value in form.fields if name == "who" and _NUMBER.fullmatch(value)]
    if not chosen:
        return _render(page, [("who", page.translate(_NOBODY_CHOSEN))])
    is_done, refused = False, []
    for number in dict.fromkeys(chosen):
        try:
            with page.writing() as session:
                if decide(session, number):
                    page.record(session, make(session.get_one(Subscriber, number).email))
                    is_done = True
        except UnknownSubscriberError:
            continue
        except StatusError:
            if (person := page.session.get(Subscriber, number)) is not None:
                refused.append(("", page.translate(_NOT_ADMITTED, address=person.email)))
    if refused:
        return _render(page, refused)
    # Somebody else may have decided the other way meanwhile.
    return page.redirect("/sign-ups", notice if is_done else Notice.nothing_changed)


def _render(page: StudioPage, errors: list[tuple[str, str]] | None = None) -> Response:
    after = _read_after(page.request.query_params.get("after", ""))
    found = list_waiting_sign_ups(page.session, after=after, limit=PAGE_SIZE + 1)
    return page.render(
        "sign_ups.html",
        people=found[:PAGE_SIZE],
        older=_make_next_path(page, found[PAGE_SIZE - 1]) if len(found) > PAGE_SIZE else "",
        is_later_page=after is not None,
        is_open=page.settings.web.reviews_sign_ups,
        errors=errors or (),
    )


def _make_next_path(page: StudioPage, last: Row[Any]) -> str:
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


def list_sign_up_items(page: StudioPage) -> Iterator[WaitingItem]:
    number = count_waiting_sign_ups(page.session)
    if not number:
        return
    ngettext = page.translator.translations.ngettext
    yield WaitingItem(
        title=page.translate(gettext_noop("Sign-ups")),
        words=ngettext("%(num)s person wants to sign up", "%(num)s people want to sign up", number)
        % {"num": f"{number:,}"},
        act=ngettext("Decide about the sign-up", "Decide about the sign-ups", number),
        path="/sign-ups",
    )
