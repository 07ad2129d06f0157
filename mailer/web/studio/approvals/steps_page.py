"""Choosing who approves one campaign: its own steps, in the place of those of the settings."""

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.responses import Response

from locales.phrase import read_error
from mailer.activity.acts import Act
from mailer.campaigns.approvals.answers import list_asked, queue_asked
from mailer.campaigns.approvals.approval import ApprovalRefusedError
from mailer.campaigns.approvals.people import (
    WantedStep,
    change_steps,
    describe_steps,
    parse_reviewer,
    read_step_settings,
)
from mailer.campaigns.approvals.rounds import find_last_round
from mailer.campaigns.approvals.steps import Needs
from mailer.campaigns.edition_lock import acquire_edition_lock
from mailer.database.team_models import Role
from mailer.errors import ConfigurationError
from mailer.i18n import gettext_noop
from mailer.settings.campaigns import MAX_APPROVAL_STEPS
from mailer.team.members import ROLE_NAMES, Permission, list_members
from mailer.web.forms import Form, OwnFormDep, read_number
from mailer.web.studio.approvals.approval_page import REFUSED, ask, log
from mailer.web.studio.campaign_place import CampaignPage, CampaignPageDep
from mailer.web.studio.notices import Notice
from mailer.web.studio.page import RefusedFormError
from mailer.web.studio.routing import Routes

ROUTES = Routes()
_MAX_REVIEWERS = 20
_ROLES = (Role.author, Role.approver, Role.manager)
_NOBODY = gettext_noop("Choose who is asked in at least one step.")
_NO_ADDRESS = gettext_noop("“%(text)s” has no address. Write a person as Ana Diaz <ana@example.org>.")
_TOO_MANY = gettext_noop("A step may ask at most 20 people outside the team.")


@dataclass(frozen=True, kw_only=True)
class StepForm:
    """The form of one step. ``reviewers`` is a person a line."""

    number: int
    name: str = ""
    needs: Needs = Needs.any
    members: Sequence[int] = ()
    roles: Sequence[Role] = ()
    reviewers: str = ""

    @property
    def asks_somebody(self) -> bool:
        return bool(self.members or self.roles or self.reviewers.strip())


@ROUTES.get_route("/campaigns/{campaign}/approval/steps", Permission.approve)
def show_steps(page: CampaignPageDep) -> Response:
    return _render(page, _fill_forms(_find_steps(page)))


@ROUTES.post_route("/campaigns/{campaign}/approval/steps", Permission.approve)
def post_steps(page: CampaignPageDep, form: OwnFormDep) -> Response:
    """Change the steps of the request that waits for answers; without one, ask with these."""
    forms = [_read_form(form, number) for number in range(1, MAX_APPROVAL_STEPS + 1)]
    note = form.get("note")
    try:
        steps = _read_steps(page, forms)
        if _change_open_round(page, steps):
            return page.redirect(f"{page.path}/approval", Notice.approval_steps_changed)
        return ask(page, note=note, steps=steps)
    except RefusedFormError as error:
        return _render(page, forms, (error.field, page.translate(error.words, **error.values)), note=note)
    except REFUSED as error:
        return _render(page, forms, ("", read_error(error)), note=note)


def _change_open_round(page: CampaignPage, steps: Sequence[WantedStep]) -> bool:
    """Change the steps of the round that waits for answers; return False if there is none."""
    with page.writing() as session:
        connection, settings = session.connection(), page.settings
        acquire_edition_lock(connection, page.campaign.edition)
        asked = find_last_round(connection, page.number)
        if asked is None or not asked.is_open:
            return False
        told = list_asked(connection, settings, asked)
        changed = change_steps(connection, asked, steps)
        queue_asked(connection, settings, changed, told=told, now=page.state.clock())
        detail = f"{len(asked.steps)} → {len(changed.steps)}"
        log(page, session, Act.changed_approval_steps, changed, detail)
    page.state.sign_in_mailer.wake()
    return True


def _find_steps(page: CampaignPage) -> Sequence[WantedStep]:
    connection = page.session.connection()
    asked = find_last_round(connection, page.number)
    if asked is not None and (asked.is_open or asked.has_own_steps):
        return describe_steps(connection, asked)
    try:
        return read_step_settings(connection, page.settings)
    except ConfigurationError:
        return ()


def _fill_forms(steps: Sequence[WantedStep]) -> list[StepForm]:
    forms = [StepForm(number=number) for number in range(1, MAX_APPROVAL_STEPS + 1)]
    for place, step in enumerate(steps):
        people = (
            f"{one.name} <{one.email}>" if one.name != one.email else one.email for one in step.reviewers
        )
        forms[place] = StepForm(
            number=place + 1,
            name=step.name,
            needs=step.needs,
            members=step.members,
            roles=step.roles,
            reviewers="\n".join(people),
        )
    return forms


def _read_form(form: Form, number: int) -> StepForm:
    def read_all(name: str) -> list[str]:
        return [value for key, value in form.fields if key == f"{name}-{number}"]

    roles, needs = read_all("role"), form.get(f"needs-{number}")
    return StepForm(
        number=number,
        name=" ".join(form.get(f"name-{number}").split())[:100],
        needs=Needs(needs) if needs in list(Needs) else Needs.any,
        members=sorted({one for text in read_all("member") if (one := read_number(text)) is not None}),
        roles=[role for role in _ROLES if role.value in roles],
        reviewers=form.get(f"reviewers-{number}").replace("\r\n", "\n"),
    )


def _read_steps(page: CampaignPage, forms: Sequence[StepForm]) -> list[WantedStep]:
    """Return the steps that ask somebody, in their order. Raise RefusedFormError if none does, or a person
    outside has no address.
    """
    known = {one.id for one in list_members(page.session)}
    steps = [_read_step(one, known) for one in forms if one.asks_somebody]
    if not steps:
        raise RefusedFormError("step-1", _NOBODY)
    return steps


def _read_step(form: StepForm, known: set[int]) -> WantedStep:
    field = f"reviewers-{form.number}"
    lines = [line.strip() for line in form.reviewers.splitlines() if line.strip()]
    if len(lines) > _MAX_REVIEWERS:
        raise RefusedFormError(field, _TOO_MANY)
    reviewers = []
    for line in lines:
        try:
            reviewers.append(parse_reviewer(line))
        except ApprovalRefusedError as error:
            raise RefusedFormError(field, _NO_ADDRESS, text=line[:100]) from error
    return WantedStep(
        name=form.name,
        needs=form.needs,
        # Somebody may have left while the page was open.
        members=tuple(one for one in form.members if one in known),
        roles=tuple(form.roles),
        reviewers=tuple(reviewers),
    )


def _render(
    page: CampaignPage, forms: Sequence[StepForm], *errors: tuple[str, str], note: str = ""
) -> Response:
    asked = find_last_round(page.session.connection(), page.number)
    return page.render(
        "approval_steps.html",
        forms=forms,
        first_empty=max(2, sum(one.asks_somebody for one in forms) + 1),
        members=list_members(page.session),
        roles=[(role, ROLE_NAMES[role]) for role in _ROLES],
        is_open=asked is not None and asked.is_open,
        note=note,
        errors=errors,
        back=page.make_path(f"{page.path}/approval"),
    )
