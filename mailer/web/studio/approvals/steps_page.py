"""The page to choose who approves a campaign, in which steps."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from starlette.responses import Response

from locales.phrase import read_error
from mailer.activity import deeds
from mailer.campaigns.approvals.answers import AnswerFault, find_author_fault, list_asked, queue_asked
from mailer.campaigns.approvals.approval import ApprovalRefusedError
from mailer.campaigns.approvals.people import (
    WantedReviewer,
    WantedStep,
    change_steps,
    describe_steps,
    find_writers,
    parse_reviewer,
    read_step_settings,
)
from mailer.campaigns.approvals.rounds import Round, find_last_round
from mailer.campaigns.approvals.steps import Needs, Person
from mailer.campaigns.launch_lock import acquire_launch_lock
from mailer.database.team_models import Role
from mailer.errors import ConfigurationError
from mailer.i18n import gettext_noop
from mailer.settings.campaigns import MAX_APPROVAL_STEPS
from mailer.team.members import Permission, list_members
from mailer.web.forms import Form, OwnFormDep, read_number
from mailer.web.studio.approvals.request import REFUSED, send_request
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
_StepForm = tuple[WantedStep, str]
"""A step without its people outside the team, and those people as they were typed, one per line."""


def list_steps(page: CampaignPage, former: Round | None) -> tuple[WantedStep, ...]:
    """Return the steps of a round, or without one those of the settings; none for anybody who may approve,
    and where the settings are wrong, which asking says."""
    connection = page.session.connection()
    if former is not None:
        return describe_steps(connection, former)
    try:
        return read_step_settings(connection, page.settings)
    except ConfigurationError:
        return ()


@ROUTES.get_route("/campaigns/{campaign}/approval/steps", Permission.approve)
def show_steps(page: CampaignPageDep) -> Response:
    asked = find_last_round(page.session.connection(), page.number)
    is_own = asked is not None and (asked.is_open or asked.has_own_steps)
    steps = list_steps(page, asked if is_own else None)
    forms = [(step, "\n".join(map(_write_reviewer, step.reviewers))) for step in steps]
    return _render_steps(page, [*forms, *[(WantedStep(), "")] * (MAX_APPROVAL_STEPS - len(forms))])


def _write_reviewer(one: WantedReviewer) -> str:
    return f"{one.name} <{one.email}>" if one.name != one.email else one.email


@ROUTES.post_route("/campaigns/{campaign}/approval/steps", Permission.approve)
def post_steps(page: CampaignPageDep, form: OwnFormDep) -> Response:
    """Change the steps of the request that waits for answers; without one, ask with these."""
    forms = [_read_form(form, number) for number in range(1, MAX_APPROVAL_STEPS + 1)]
    note = form.get("note")
    try:
        steps = _read_steps(page, forms)
        if _change_open_round(page, steps):
            return page.go_back(Notice.approval_steps_changed, "/approval")
        return send_request(page, note=note, steps=steps)
    except RefusedFormError as error:
        refused = (error.field, page.translate(error.words, **error.values))
        return _render_steps(page, forms, refused, note=note)
    except REFUSED as error:
        return _render_steps(page, forms, ("", read_error(error)), note=note)


def may_choose_steps(page: CampaignPage, asked: Round | None) -> bool:
    """Return whether a member may choose who approves. Where another person has to, neither whoever wrote or
    asked may, nor whoever would ask with these steps."""
    settings, person = page.settings, Person.of_member(page.member)
    if settings.campaigns.approval_by != "another":
        return True
    if asked is None or not asked.is_open:
        return False
    writers = find_writers(page.session.connection(), asked.edition, asked.facts.authors)
    return find_author_fault(settings, asked, person, writers) is not AnswerFault.author


def _change_open_round(page: CampaignPage, steps: Sequence[WantedStep]) -> bool:
    """Change the steps of the round that waits for answers; return False if there is none."""
    with page.writing() as session:
        connection, settings = session.connection(), page.settings
        acquire_launch_lock(connection, page.campaign.edition)
        asked = find_last_round(connection, page.number)
        if not may_choose_steps(page, asked):
            raise ApprovalRefusedError(AnswerFault.author.words)
        if asked is None or not asked.is_open:
            return False
        told = list_asked(connection, settings, asked)
        changed = change_steps(connection, asked, steps)
        queue_asked(connection, settings, changed, told=told, now=page.state.clock())
        page.log(session, deeds.changed_approval_steps, len(asked.steps), len(changed.steps))
    page.state.sign_in_mailer.wake()
    return True


def _read_form(form: Form, number: int) -> _StepForm:
    def read_all(name: str) -> list[str]:
        return [value for key, value in form.fields if key == f"{name}-{number}"]

    roles, needs = read_all("role"), form.get(f"needs-{number}")
    members = {one for text in read_all("member") if (one := read_number(text)) is not None}
    step = WantedStep(
        name=" ".join(form.get(f"name-{number}").split())[:100],
        needs=Needs(needs) if needs in list(Needs) else Needs.any,
        members=tuple(sorted(members)),
        roles=tuple(role for role in _ROLES if role.value in roles),
    )
    return step, form.get(f"reviewers-{number}").replace("\r\n", "\n")


def _read_steps(page: CampaignPage, forms: Sequence[_StepForm]) -> list[WantedStep]:
    """Return the steps that ask somebody, in their order. Raise RefusedFormError if none does, or a person
    outside has no address.
    """
    known = {one.id for one in list_members(page.session)}
    steps = []
    for number, (step, text) in enumerate(forms, start=1):
        if _asks_somebody((step, text)):
            # Somebody may have left while the page was open.
            members = tuple(one for one in step.members if one in known)
            reviewers = tuple(_read_reviewers(f"reviewers-{number}", text))
            steps.append(replace(step, members=members, reviewers=reviewers))
    if not steps:
        raise RefusedFormError("step-1", _NOBODY)
    return steps


def _asks_somebody(form: _StepForm) -> bool:
    step, reviewers = form
    return bool(step.members or step.roles or reviewers.strip())


def _read_reviewers(field: str, text: str) -> Iterator[WantedReviewer]:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if len(lines) > _MAX_REVIEWERS:
        raise RefusedFormError(field, _TOO_MANY)
    for line in lines:
        try:
            yield parse_reviewer(line)
        except ApprovalRefusedError as error:
            raise RefusedFormError(field, _NO_ADDRESS, text=line[:100]) from error


def _render_steps(
    page: CampaignPage, forms: Sequence[_StepForm], *errors: tuple[str, str], note: str = ""
) -> Response:
    asked = find_last_round(page.session.connection(), page.number)
    return page.render(
        "approval_steps.html",
        forms=forms,
        first_empty=max(2, sum(map(_asks_somebody, forms)) + 1),
        members=list_members(page.session),
        roles=_ROLES,
        is_open=asked is not None and asked.is_open,
        note=note,
        errors=errors,
        back=page.make_path(f"{page.path}/approval"),
    )
