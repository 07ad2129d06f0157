"""The steps of an approval: who is asked one after the other, and how many of them have to approve."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import Path as PathParameter
from starlette.exceptions import HTTPException
from starlette.responses import Response

from mailer.errors import ConfigurationError
from mailer.i18n import gettext_noop
from mailer.settings.campaigns import MAX_APPROVAL_STEPS, ApprovalStepSettings
from mailer.settings.changes.setting import describe_model
from mailer.settings.changes.settings_file import read_settings_file
from mailer.settings.changes.toml_nodes import TomlPath
from mailer.team.members import list_members
from mailer.web.forms import OwnFormDep
from mailer.web.studio.notices import Notice
from mailer.web.studio.page import PageDep, StudioPage
from mailer.web.studio.settings.fields import (
    Errors,
    Field,
    FieldForm,
    find_fault,
    find_workspace,
    save_changes,
)
from mailer.web.studio.settings.words import find_words, list_choices
from mailer.web.studio.sign_in.confirmation import require_confirmed

_LIST: TomlPath = ("campaigns", "approval_steps")
_FULL = gettext_noop("There can be at most %(count)s steps.")

StepNumber = Annotated[int, PathParameter(ge=1, le=MAX_APPROVAL_STEPS)]
"""A step as its page counts it, from 1."""


def show_steps(page: PageDep) -> Response:
    """Show all steps in their order."""
    return _render_list(page, [])


def add_step(page: PageDep, form: OwnFormDep) -> Response:
    """Add a step behind the others, for any one approver at first."""
    require_confirmed(page)
    name = " ".join(form.get("name").split())[:100]
    count = len(find_workspace(page).settings.campaigns.approval_steps)
    if count >= MAX_APPROVAL_STEPS:
        words = page.translator.translate(_FULL, count=str(MAX_APPROVAL_STEPS))
        return _render_list(page, [("", words)])
    step: dict[str, Any] = {"name": name, "roles": ["approver"]} if name else {"roles": ["approver"]}
    try:
        was = read_settings_file(find_workspace(page).root).find(_LIST)
        save_changes(page, {(*_LIST, count): step}, was={_LIST: was})
    except ConfigurationError as error:
        return _render_list(page, [("", str(error))], status=409)
    return page.redirect(f"/settings/approval-steps/{count + 1}", Notice.settings_saved)


def show_step(page: PageDep, step: StepNumber) -> Response:
    """Show a step."""
    return _make_form(page, step).open()


def save_step(page: PageDep, step: StepNumber, form: OwnFormDep) -> Response:
    """Save what was changed of a step."""
    found = _make_form(page, step)
    require_confirmed(page)
    return found.save(form)


def move_step(page: PageDep, step: StepNumber, form: OwnFormDep) -> Response:
    """Move a step one place up or down."""
    _find(page, step)
    require_confirmed(page)
    place = step - 1
    other = place + (1 if form.get("to") == "down" else -1)
    try:
        steps = read_settings_file(find_workspace(page).root).find(_LIST) or []
        if not 0 <= other < len(steps):
            return page.redirect("/settings/approval-steps")
        changes = {(*_LIST, place): steps[other], (*_LIST, other): steps[place]}
        save_changes(page, changes, was={_LIST: steps})
    except ConfigurationError as error:
        return _render_list(page, [("", str(error))], status=409)
    return page.redirect("/settings/approval-steps", Notice.settings_saved)


def delete_step(page: PageDep, step: StepNumber) -> Response:
    """Take a step out."""
    _find(page, step)
    require_confirmed(page)
    try:
        was = read_settings_file(find_workspace(page).root).find(_LIST)
        save_changes(page, {(*_LIST, step - 1): None}, was={_LIST: was})
    except ConfigurationError as error:
        return _render_list(page, [("", str(error))], status=409)
    return page.redirect("/settings/approval-steps", Notice.settings_saved)


def _find(page: StudioPage, step: int) -> ApprovalStepSettings:
    steps = find_workspace(page).settings.campaigns.approval_steps
    if step > len(steps):
        raise HTTPException(404)
    return steps[step - 1]


def _make_form(page: StudioPage, step: int) -> FieldForm:
    _find(page, step)
    return FieldForm(
        page=page,
        settings=describe_model((*_LIST, step - 1), ApprovalStepSettings),
        show=lambda fields, errors, status: _render(page, step, fields, errors, status),
        path=f"/settings/approval-steps/{step}",
    )


def _render_list(page: StudioPage, errors: Errors, *, status: int | None = None) -> Response:
    settings = find_workspace(page).settings.campaigns
    return page.render(
        "settings_steps.html",
        status=(422 if errors else 200) if status is None else status,
        section="settings",
        steps=settings.approval_steps,
        is_required=settings.approval == "required",
        most=MAX_APPROVAL_STEPS,
        errors=errors,
        fault=find_fault(page),
    )


def _render(page: StudioPage, step: int, fields: Sequence[Field], errors: Errors, status: int) -> Response:
    with page.state.read_session() as session:
        members = list_members(session)
    return page.render(
        "settings_step.html",
        status=status,
        section="settings",
        step=step,
        name=_find(page, step).name,
        fields=fields,
        words={one.name: find_words(one.setting) for one in fields},
        choices={one.name: list_choices(one.setting) for one in fields},
        members=members,
        errors=errors,
        wrong=dict(errors),
        fault=find_fault(page),
    )
