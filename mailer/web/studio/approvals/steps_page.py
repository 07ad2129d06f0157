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
from mailer.database.team_models import Role
from mailer.errors import ConfigurationError, MailerError
from mailer.i18n import gettext_noop
from mailer.settings.campaigns import MAX_APPROVAL_STEPS
from mailer.team.members import ROLE_NAMES, Permission, list_members
from mailer.web.forms import Form, OwnFormDep, read_number
from mailer.web.studio.approvals.approval_page import ask, lock_campaign, record
from mailer.web.studio.approvals.asked import ApprovalPlace, ApprovalPlaceDep
from mailer.web.studio.notices import Notice
from mailer.web.studio.page import PageDep, StudioPage
from mailer.web.studio.routing import Routes
from subscribers.errors import SubscriberError

ROUTES = Routes()

_MAX_REVIEWERS = 20
_ROLES = (Role.author, Role.approver, Role.manager)
_FIRST_STEP = "step-1"
_NOBODY = gettext_noop("Choose who is asked in at least one step.")
_NO_ADDRESS = gettext_noop("“%(text)s” has no address. Write a person as Ana Diaz <ana@example.org>.")
_TOO_MANY = gettext_noop("A step may ask at most 20 people outside the team.")


@dataclass(frozen=True, kw_only=True)
class StepForm:
    """The form of one step. ``reviewers`` is a person a line."""

    number: int
    name: str = ""
    needs: Needs = Needs.any
    members: frozenset[int] = frozenset()
    roles: frozenset[Role] = frozenset()
    reviewers: str = ""

    @property
    def asks_somebody(self) -> bool:
        return bool(self.members or self.roles or self.reviewers.strip())


@ROUTES.get_route("/campaigns/{campaign}/approval/steps", Permission.approve)
def show_steps(page: PageDep, place: ApprovalPlaceDep) -> Response:
    """Show the steps of a campaign's approval, to be changed."""
    return _render(page, place, _begin_forms(page, place), note="")


@ROUTES.post_route("/campaigns/{campaign}/approval/steps", Permission.approve)
def post_steps(page: PageDep, place: ApprovalPlaceDep, form: OwnFormDep) -> Response:
    """Change the steps of the request that waits for answers; without one, ask with these."""
    forms = tuple(_read_form(form, number) for number in range(1, MAX_APPROVAL_STEPS + 1))
    note = form.get("note")
    try:
        steps = _read_steps(page, forms)
    except _FieldError as error:
        return _render(page, place, forms, note=note, errors=[(error.field, error.words)])
    try:
        if _change_open_round(page, place, steps):
            return page.redirect(place.path, Notice.approval_steps_changed)
        asked = ask(page, place, note=note, steps=steps)
    except (MailerError, ConfigurationError, SubscriberError) as error:
        return _render(page, place, forms, note=note, errors=[("", read_error(error))])
    return page.redirect(f"/campaigns/{asked.campaign_id}/approval", Notice.approval_asked)


class _FieldError(Exception):
    def __init__(self, field: str, words: str) -> None:
        self.field = field
        self.words = words
        super().__init__(words)


def _change_open_round(page: StudioPage, place: ApprovalPlace, steps: Sequence[WantedStep]) -> bool:
    """Change the steps of the round that waits for answers; return False if there is none."""
    now = page.state.clock()
    with lock_campaign(page, place) as connection:
        asked = find_last_round(connection, place.number)
        if asked is None or not asked.is_open:
            return False
        told = list_asked(connection, page.settings, asked)
        changed = change_steps(connection, asked, steps)
        queue_asked(connection, page.settings, changed, told=told, now=now)
        detail = f"{len(asked.steps)} → {len(changed.steps)}"
        record(page, connection, Act.changed_approval_steps, changed, detail)
    page.state.sign_in_mailer.wake()
    return True


def _begin_forms(page: StudioPage, place: ApprovalPlace) -> tuple[StepForm, ...]:
    with page.state.read_session() as session:
        connection = session.connection()
        asked = find_last_round(connection, place.number)
        steps: tuple[WantedStep, ...] = ()
        if asked is not None and (asked.is_open or asked.has_own_steps):
            steps = describe_steps(connection, asked)
        else:
            try:
                steps = read_step_settings(connection, page.settings)
            except ConfigurationError:
                steps = ()
    filled = [_fill_form(number, step) for number, step in enumerate(steps, start=1)]
    empty = [StepForm(number=number) for number in range(len(filled) + 1, MAX_APPROVAL_STEPS + 1)]
    return (*filled, *empty)


def _fill_form(number: int, step: WantedStep) -> StepForm:
    people = "\n".join(
        f"{one.name} <{one.email}>" if one.name != one.email else one.email for one in step.reviewers
    )
    return StepForm(
        number=number,
        name=step.name,
        needs=step.needs,
        members=frozenset(step.members),
        roles=frozenset(step.roles),
        reviewers=people,
    )


def _read_form(form: Form, number: int) -> StepForm:
    def read_all(name: str) -> list[str]:
        return [value for key, value in form.fields if key == f"{name}-{number}"]

    members = (read_number(one) for one in read_all("member"))
    needs = form.get(f"needs-{number}")
    return StepForm(
        number=number,
        name=" ".join(form.get(f"name-{number}").split())[:100],
        needs=Needs(needs) if needs in list(Needs) else Needs.any,
        members=frozenset(one for one in members if one is not None),
        roles=frozenset(Role(one) for one in read_all("role") if one in [role.value for role in _ROLES]),
        reviewers=form.get(f"reviewers-{number}").replace("\r\n", "\n"),
    )


def _read_steps(page: StudioPage, forms: Sequence[StepForm]) -> tuple[WantedStep, ...]:
    """The steps that ask somebody, in their order.

    Raises:
        _FieldError: none does, or a person outside has no address.
    """
    with page.state.read_session() as session:
        known = {one.id for one in list_members(session)}
    steps = tuple(_read_step(page, one, known) for one in forms if one.asks_somebody)
    if not steps:
        raise _FieldError(_FIRST_STEP, page.translator.translate(_NOBODY))
    return steps


def _read_step(page: StudioPage, form: StepForm, known: set[int]) -> WantedStep:
    field, translate = f"reviewers-{form.number}", page.translator.translate
    lines = [line.strip() for line in form.reviewers.splitlines() if line.strip()]
    if len(lines) > _MAX_REVIEWERS:
        raise _FieldError(field, translate(_TOO_MANY))
    reviewers = []
    for line in lines:
        try:
            reviewers.append(parse_reviewer(line))
        except ApprovalRefusedError as error:
            raise _FieldError(field, translate(_NO_ADDRESS) % {"text": line[:100]}) from error
    return WantedStep(
        name=form.name,
        needs=form.needs,
        # Somebody may have left while the page was open.
        members=tuple(sorted(form.members & known)),
        roles=tuple(role for role in _ROLES if role in form.roles),
        reviewers=tuple(reviewers),
    )


def _render(
    page: StudioPage,
    place: ApprovalPlace,
    forms: Sequence[StepForm],
    *,
    note: str,
    errors: Sequence[tuple[str, str]] = (),
) -> Response:
    with page.state.read_session() as session:
        asked = find_last_round(session.connection(), place.number)
        members = list_members(session)
    is_open = asked is not None and asked.is_open
    return page.render(
        "approval_steps.html",
        status=422 if errors else 200,
        section="campaigns",
        place=place,
        forms=forms,
        first_empty=max(2, sum(one.asks_somebody for one in forms) + 1),
        members=members,
        roles=[(role, ROLE_NAMES[role]) for role in _ROLES],
        is_open=is_open,
        note=note,
        errors=errors,
        back=page.make_path(place.path),
    )


_STEPS = "/campaigns/{campaign}/approval/steps"
