"""A copy of what Studio holds about the member, and forgetting their account at the organisation."""

import json

from starlette.responses import Response

from mailer.activity.acts import Act
from mailer.team.member_data import export_member_data
from mailer.team.members import Permission
from mailer.team.openid_provider import delete_organisation_account
from mailer.web.routing import GET, POST
from mailer.web.studio.account.renewal import renew_sessions
from mailer.web.studio.notices import Notice
from mailer.web.studio.page import PageDep
from mailer.web.studio.routing import StudioRoute
from mailer.web.studio.sign_in.arrival import set_session_cookie
from mailer.web.studio.sign_in.confirmation import require_confirmed


def download_data(page: PageDep) -> Response:
    """Give the member a copy of what is known about them."""
    with page.state.read_session() as session:
        known = export_member_data(session, page.member.id)
    return Response(
        json.dumps(known, ensure_ascii=False, indent=2) + "\n",
        media_type="application/json",
        headers={"content-disposition": 'attachment; filename="studio-account.json"'},
    )


def forget_organisation_account(page: PageDep) -> Response:
    """Forget the member's account at the organisation, and sign them out everywhere else."""
    require_confirmed(page)
    with page.state.write_session() as session:
        delete_organisation_account(session, page.member.id)
        secret = renew_sessions(page, session, Act.forgot_account)
    response = page.redirect("/account", Notice.account_forgotten)
    set_session_cookie(response, page.state, secret)
    return response


ROUTES = (
    StudioRoute("/account/data", download_data, GET, Permission.read),
    StudioRoute("/account/organisation/remove", forget_organisation_account, POST, Permission.read),
)
