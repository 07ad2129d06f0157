"""Trial mode: whether campaigns go to test readers alone, and ending or beginning it."""

import contextlib
from collections.abc import Sequence

from starlette.responses import Response

from mailer.activity.acts import Act
from mailer.campaigns.trial import TrialError, begin_trial, end_trial, read_trial
from mailer.database.engine import read_clock
from mailer.doctor import Health, diagnose_workspace
from mailer.doctor.diagnosis import keep_diagnosis
from mailer.team.members import Permission
from mailer.web.studio.notices import Notice
from mailer.web.studio.page import PageDep, StudioPage
from mailer.web.studio.routing import Routes
from mailer.web.studio.sign_in.confirmation import require_confirmed

ROUTES = Routes()


@ROUTES.get_route("/trial", Permission.read)
def show_trial(page: PageDep) -> Response:
    return _render(page)


@ROUTES.post_route("/trial/end", Permission.manage)
def end(page: PageDep) -> Response:
    """End trial mode, if the doctor finds nothing bad: it looks now, which takes some seconds."""
    require_confirmed(page)
    findings = diagnose_workspace(page.state.workspace)
    # The doctor's page then explains the same findings. A full disk hinders the page alone.
    with contextlib.suppress(OSError):
        keep_diagnosis(page.state.workspace, findings, now=page.state.clock())
    faults = [f"{one.subject}: {one.message}" for one in findings if one.verdict is Health.bad]
    try:
        with page.writing() as session:
            connection, settings = session.connection(), page.settings
            before, now = read_trial(connection, settings), read_clock(connection)
            if end_trial(connection, settings, by=page.member.name, now=now, faults=faults) != before:
                page.record(session, Act.ended_trial)
    except TrialError:
        return _render(page, faults)
    return page.redirect("/trial", Notice.trial_ended)


@ROUTES.post_route("/trial/begin", Permission.manage)
def begin(page: PageDep) -> Response:
    require_confirmed(page)
    try:
        with page.writing() as session:
            connection, settings = session.connection(), page.settings
            before, now = read_trial(connection, settings), read_clock(connection)
            if begin_trial(connection, settings, by=page.member.name, now=now) != before:
                page.record(session, Act.began_trial)
    except TrialError:
        return _render(page)
    return page.redirect("/trial", Notice.trial_begun)


def _render(page: StudioPage, faults: Sequence[str] = ()) -> Response:
    trial = read_trial(page.session.connection(), page.settings)
    return page.render(
        "trial.html", status=422 if faults else 200, section="campaigns", trial=trial, faults=faults
    )
