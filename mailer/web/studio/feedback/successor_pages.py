"""The pages of people who answered for somebody who left."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Annotated

from starlette.exceptions import HTTPException
from starlette.responses import Response

from mailer.activity.acts import Act
from mailer.activity.record import record_activity
from mailer.feedback.successors import (
    SuccessorError,
    SuccessorProposal,
    accept_successor,
    find_proposal,
    is_proposal_decided,
    refuse_successor,
)
from mailer.i18n import gettext_noop
from mailer.team.members import Permission
from mailer.web.forms import Form, OwnFormDep, list_sectors, own_country_names, render_country_options
from mailer.web.routing import GET, POST
from mailer.web.studio.notices import Notice
from mailer.web.studio.page import PageDep, StudioPage
from mailer.web.studio.routing import StudioRoute
from mailer.web.studio.row_number import depend_on_number
from subscribers.consent.team_changes import DetailChanges
from subscribers.errors import CountryError, OnListError, SubscriberError, SuppressionError

_MAX_LENGTH = 300


@dataclass(frozen=True, kw_only=True)
class SuccessorForm:
    """The details of the new partner as the form has them; ``has_left`` ends the mail to the one before."""

    name: str
    organisation: str
    country: str
    sectors: frozenset[str]
    basis: str = ""
    has_left: bool = False

    @property
    def changes(self) -> DetailChanges:
        """All details, as they are to be stored."""
        return DetailChanges(
            name=self.name,
            organisation=self.organisation,
            country=self.country,
            sectors=sorted(self.sectors),
        )


def propose_form(proposal: SuccessorProposal, sectors: Collection[str]) -> SuccessorForm:
    """The form as it is proposed: with the details of the predecessor, and those ``sectors`` that exist."""
    return SuccessorForm(
        name=proposal.name,
        organisation=proposal.organisation,
        country=proposal.country,
        sectors=frozenset(proposal.sectors) & frozenset(sectors),
    )


def read_successor(form: Form, sectors: Collection[str]) -> SuccessorForm:
    """Read the form as it was sent."""
    chosen = frozenset(value for name, value in form.fields if name == "sector")
    return SuccessorForm(
        name=form.get("name").strip()[:_MAX_LENGTH],
        organisation=form.get("organisation").strip()[:_MAX_LENGTH],
        country=form.get("country").strip()[:_MAX_LENGTH],
        sectors=chosen & frozenset(sectors),
        basis=form.get("basis").strip()[:_MAX_LENGTH],
        has_left=form.get("left") == "yes",
    )


_METHOD = "Studio"
_NO_BASIS = gettext_noop("Say why you may write to this person. It is kept on record.")
_ON_LIST = gettext_noop("This person is on the list already. Refuse the proposal.")
_SUPPRESSED = gettext_noop("This person must not get mail. Refuse the proposal.")
_NO_COUNTRY = gettext_noop("Choose a country from the list.")


SuccessorNumber = Annotated[int, depend_on_number("number")]
"""The path's ``number``, if it can be that of a proposal; otherwise the answer is 404."""


def show_successor(page: PageDep, number: SuccessorNumber) -> Response:
    """Show a proposal with the words that name the person; one that was decided leads to those that wait."""
    with page.state.read_session() as session:
        is_decided = is_proposal_decided(session, number)
    return page.redirect("/feedback", Notice.successor_decided) if is_decided else _render(page, number)


def accept(page: PageDep, number: SuccessorNumber, form: OwnFormDep) -> Response:
    """Add the person to the list, with a consent record that says who decided it and why, and show them."""
    given = read_successor(form, page.settings.sectors)
    if not given.basis:
        return _render(page, number, form=given, errors=[("basis", page.translator.translate(_NO_BASIS))])
    now = page.state.clock()
    try:
        with page.state.write_session() as session:
            decision = accept_successor(
                session,
                page.state.workspace,
                number,
                by=page.member.name,
                basis=given.basis,
                changes=given.changes,
                has_left=given.has_left,
                now=now,
                method=_METHOD,
            )
            record_activity(session, page.actor, Act.accepted_successor, subject=str(number), now=now)
    except SuccessorError as error:
        return _tell_decided(page, error)
    except SubscriberError as error:
        return _render(page, number, form=given, errors=[_explain(page, error)])
    return page.redirect(f"/partners/{decision.subscriber_id}", Notice.successor_added)


def refuse(page: PageDep, number: SuccessorNumber) -> Response:
    """Refuse the person, who is not proposed for this partner again."""
    now = page.state.clock()
    try:
        with page.state.write_session() as session:
            refuse_successor(session, number, by=page.member.name, now=now)
            record_activity(session, page.actor, Act.refused_successor, subject=str(number), now=now)
    except SuccessorError as error:
        return _tell_decided(page, error)
    return page.redirect("/feedback", Notice.successor_refused)


def _tell_decided(page: StudioPage, error: SuccessorError) -> Response:
    if not error.decided_by:
        raise HTTPException(404) from error
    return page.redirect("/feedback", Notice.successor_decided)


def _explain(page: StudioPage, error: SubscriberError) -> tuple[str, str]:
    """The field that an error is about, and its words."""
    translate = page.translator.translate
    match error:
        case OnListError():
            return "", translate(_ON_LIST)
        case SuppressionError():
            return "", translate(_SUPPRESSED)
        case CountryError():
            return "country", translate(_NO_COUNTRY)
        case _:
            return "", str(error)


def _render(
    page: StudioPage,
    number: int,
    *,
    form: SuccessorForm | None = None,
    errors: list[tuple[str, str]] | None = None,
) -> Response:
    with page.state.read_session() as session:
        proposal = find_proposal(session, number)
    if proposal is None:
        raise HTTPException(404)
    shown = form or propose_form(proposal, page.settings.sectors)
    return page.render(
        "feedback_successor.html",
        status=422 if errors else 200,
        section="feedback",
        proposal=proposal,
        form=shown,
        sectors=list_sectors(page.translator, page.settings),
        countries=render_country_options(page.translator, own_country_names(page.settings), shown.country),
        may_decide=page.may(Permission.change_partners),
        errors=errors or [],
        problems=dict(errors or []),
    )


SUCCESSOR_ROUTES = (
    StudioRoute("/feedback/successors/{number}", show_successor, GET, Permission.see_partners),
    StudioRoute("/feedback/successors/{number}", accept, POST, Permission.change_partners),
    StudioRoute("/feedback/successors/{number}/refuse", refuse, POST, Permission.change_partners),
)
