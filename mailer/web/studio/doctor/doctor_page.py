"""The page of the doctor. Opening it looks at nothing: the last result is shown, with its time."""

from starlette.responses import Response

from mailer.activity.acts import Act
from mailer.activity.record import record_activity
from mailer.doctor.diagnosis import read_diagnosis
from mailer.team.members import Permission
from mailer.web.routing import GET, POST
from mailer.web.studio.doctor.finding_groups import group_findings
from mailer.web.studio.page import PageDep
from mailer.web.studio.routing import StudioRoute


def show_doctor(page: PageDep) -> Response:
    """Show what the doctor found last; htmx asks for it again while a look is under way."""
    kept = read_diagnosis(page.state.workspace)
    return page.render(
        "doctor_findings.html" if page.is_fragment else "doctor.html",
        section="doctor",
        began_at=page.state.examination.began_at,
        fault=page.state.examination.fault,
        looked_at=None if kept is None else kept.looked_at,
        groups=[] if kept is None else list(group_findings(kept.findings, page.translator)),
    )


def look_again(page: PageDep) -> Response:
    """Have the doctor look. While it does, another request begins no second look."""
    if page.state.examination.begin():
        with page.state.write_session() as session:
            record_activity(session, page.actor, Act.asked_doctor, now=page.state.clock())
    return page.redirect("/doctor")


ROUTES = (
    StudioRoute("/doctor", show_doctor, GET, Permission.manage),
    StudioRoute("/doctor", look_again, POST, Permission.manage),
)
