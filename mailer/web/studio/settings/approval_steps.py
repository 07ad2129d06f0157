"""The steps of an approval: who is asked one after the other, and how many of them have to approve."""

from typing import Annotated, Any

from fastapi import Path as PathParameter
from starlette.responses import Response

from mailer.errors import ConfigurationError
from mailer.i18n import gettext_noop
from mailer.settings.campaigns import MAX_APPROVAL_STEPS, ApprovalStepSettings
from mailer.settings.changes.setting import Setting, describe_model
from mailer.settings.changes.toml_nodes import TomlPath
from mailer.team.members import Permission, list_members
from mailer.web.forms import OwnFormDep
from mailer.web.studio.notices import Notice
from mailer.web.studio.page import or_404
from mailer.web.studio.routing import Routes
from mailer.web.studio.settings.settings_form import SettingsForm, SettingsPage, SettingsPageDep
from mailer.web.studio.sign_in.confirmation import require_confirmed

ROUTES = Routes()

_PATH = "/settings/approval-steps"
_LIST: TomlPath = ("campaigns", "approval_steps")
_FULL = gettext_noop("There can be at most %(count)s steps.")

StepNumber = Annotated[int, PathParameter(ge=1, le=MAX_APPROVAL_STEPS)]
"""A step as its page counts it, from 1."""


@ROUTES.get_route(_PATH, Permission.manage)
def show_steps(page: SettingsPageDep) -> Response:
    return _render_list(page)


@ROUTES.post_route(_PATH, Permission.manage)
def add_step(page: SettingsPageDep, form: OwnFormDep) -> Response:
    """Add a step behind the others, for any one approver at first."""
    require_confirmed(page)
    name = " ".join(form.get("name").split())[:100]
    count = len(page.workspace.settings.campaigns.approval_steps)
    if count >= MAX_APPROVAL_STEPS:
        return _render_list(page, page.translate(_FULL, count=str(MAX_APPROVAL_STEPS)), 422)
    step: dict[str, Any] = {**({"name": name} if name else {}), "roles": ["approver"]}
    try:
        page.save({(*_LIST, count): step}, was={_LIST: page.find(*_LIST)})
    except ConfigurationError as error:
        return _render_list(page, str(error), 409)
    return page.redirect(f"{_PATH}/{count + 1}", Notice.settings_saved)


@ROUTES.get_route(f"{_PATH}/{{step}}", Permission.manage)
def show_step(page: SettingsPageDep, step: StepNumber) -> Response:
    return _render(page, step, page.open_form(_list_settings(page, step)))


@ROUTES.post_route(f"{_PATH}/{{step}}", Permission.manage)
def save_step(page: SettingsPageDep, step: StepNumber, form: OwnFormDep) -> Response:
    settings = _list_settings(page, step)
    require_confirmed(page)
    saved = page.save_form(page.read_form(settings, form))
    if saved.notice is not None:
        return page.redirect(f"{_PATH}/{step}", saved.notice)
    return _render(page, step, saved)


@ROUTES.post_route(f"{_PATH}/{{step}}/move", Permission.manage)
def move_step(page: SettingsPageDep, step: StepNumber, form: OwnFormDep) -> Response:
    _find(page, step)
    require_confirmed(page)
    place = step - 1
    other = place + (1 if form.get("to") == "down" else -1)
    try:
        steps = page.find(*_LIST) or []
        if not 0 <= other < len(steps):
            return page.redirect(_PATH)
        page.save({(*_LIST, place): steps[other], (*_LIST, other): steps[place]}, was={_LIST: steps})
    except ConfigurationError as error:
        return _render_list(page, str(error), 409)
    return page.redirect(_PATH, Notice.settings_saved)


@ROUTES.post_route(f"{_PATH}/{{step}}/remove", Permission.manage)
def delete_step(page: SettingsPageDep, step: StepNumber) -> Response:
    _find(page, step)
    require_confirmed(page)
    try:
        page.save({(*_LIST, step - 1): None}, was={_LIST: page.find(*_LIST)})
    except ConfigurationError as error:
        return _render_list(page, str(error), 409)
    return page.redirect(_PATH, Notice.settings_saved)


def _find(page: SettingsPage, step: int) -> ApprovalStepSettings:
    steps = page.workspace.settings.campaigns.approval_steps
    or_404(step <= len(steps))
    return steps[step - 1]


def _list_settings(page: SettingsPage, step: int) -> tuple[Setting, ...]:
    _find(page, step)
    return describe_model((*_LIST, step - 1), ApprovalStepSettings)


def _render_list(page: SettingsPage, fault: str = "", status: int = 200) -> Response:
    settings = page.workspace.settings.campaigns
    return page.render(
        "settings_steps.html",
        status=status,
        steps=settings.approval_steps,
        is_required=settings.approval == "required",
        most=MAX_APPROVAL_STEPS,
        errors=[("", fault)] if fault else [],
    )


def _render(page: SettingsPage, step: int, form: SettingsForm) -> Response:
    name, members = _find(page, step).name, list_members(page.session)
    return page.render("settings_step.html", step=step, name=name, form=form, members=members)
