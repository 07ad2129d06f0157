"""One member of the team: their role, where they are signed in, and removing them."""

from collections.abc import Callable, Sequence
from datetime import datetime

from sqlmodel import Session, col, select
from starlette.exceptions import HTTPException
from starlette.responses import Response

from mailer.activity.acts import Act
from mailer.activity.record import record_activity
from mailer.database.team_models import Role, TeamSession
from mailer.i18n import gettext_noop
from mailer.team.invitations import LastManagerError, NoMemberError, change_role, remove_member
from mailer.team.members import ROLE_NAMES, Member, Permission, find_member
from mailer.team.sessions import end_all_sessions
from mailer.web.forms import OwnFormDep
from mailer.web.routing import GET, POST
from mailer.web.studio.notices import Notice
from mailer.web.studio.page import PageDep, StudioPage
from mailer.web.studio.routing import StudioRoute
from mailer.web.studio.sign_in.confirmation import require_confirmed
from mailer.web.studio.team.member_number import MemberNumber
from mailer.web.studio.team.role_field import list_role_choices, read_role

_NO_ROLE = gettext_noop("Choose what they may do.")
_LAST_MANAGER = gettext_noop(
    "%(name)s is the only manager. Make somebody else a manager first; then this is possible."
)


def show_member(page: PageDep, member: MemberNumber) -> Response:
    """Show a member to a manager."""
    with page.state.read_session() as session:
        return _render(page, session, member, [])


def give_role(page: PageDep, member: MemberNumber, form: OwnFormDep) -> Response:
    """Give a member another role. Their sessions end, but for the one that asks."""
    require_confirmed(page)
    role = read_role(form)
    if role is None:
        with page.state.read_session() as session:
            return _render(page, session, member, [("role", page.translator.translate(_NO_ROLE))])
    now = page.state.clock()

    def change(session: Session) -> None:
        before = change_role(session, member, role, keep_session=page.signed_in.session_id)
        if before is not None:
            record_activity(
                session,
                page.actor,
                Act.changed_role,
                subject=before.email,
                detail=f"{before.role.value} → {role.value}",
                now=now,
            )

    return _change(page, member, change, Notice.role_changed)


def remove(page: PageDep, member: MemberNumber) -> Response:
    """Remove a member from the team."""
    require_confirmed(page)
    now = page.state.clock()

    def change(session: Session) -> None:
        before = remove_member(session, member, now=now)
        record_activity(
            session, page.actor, Act.removed_member, subject=before.email, detail=before.role.value, now=now
        )

    return _change(page, member, change, Notice.member_removed)


def end_sessions(page: PageDep, member: MemberNumber) -> Response:
    """End all sessions of a member, but for the one that asks."""
    now = page.state.clock()

    def change(session: Session) -> None:
        person = _find(session, member)
        end_all_sessions(session, member, except_id=page.signed_in.session_id)
        record_activity(session, page.actor, Act.ended_sessions, subject=person.email, now=now)

    return _change(page, member, change, Notice.sessions_ended)


def _change(page: StudioPage, member: int, change: Callable[[Session], None], notice: Notice) -> Response:
    try:
        with page.state.write_session() as session:
            change(session)
    except NoMemberError as error:
        raise HTTPException(404) from error
    except LastManagerError:
        with page.state.read_session() as session:
            name = _find(session, member).name
            errors = [("", page.translator.translate(_LAST_MANAGER, name=name))]
            return _render(page, session, member, errors)
    return page.redirect("/team", notice)


def _find(session: Session, number: int) -> Member:
    member = find_member(session, number)
    if member is None:
        raise HTTPException(404)
    return member


def _render(page: StudioPage, session: Session, number: int, errors: list[tuple[str, str]]) -> Response:
    person = _find(session, number)
    return page.render(
        "member.html",
        status=422 if errors else 200,
        section="team",
        person=person,
        role_name=ROLE_NAMES[person.role],
        is_self=person.id == page.member.id,
        is_manager=person.role is Role.manager,
        sessions=_list_visits(session, number),
        roles=list_role_choices(page.translator),
        errors=errors,
    )


def _list_visits(session: Session, number: int) -> Sequence[tuple[str, datetime]]:
    """The browser and the last visit of each session, the latest first."""
    found = select(TeamSession).where(TeamSession.member_id == number)
    rows = session.exec(found.order_by(col(TeamSession.last_seen_at).desc())).all()
    return [(row.browser, row.last_seen_at) for row in rows]


ROUTES = (
    StudioRoute("/team/{member}", show_member, GET, Permission.manage),
    StudioRoute("/team/{member}/role", give_role, POST, Permission.manage),
    StudioRoute("/team/{member}/remove", remove, POST, Permission.manage),
    StudioRoute("/team/{member}/end-sessions", end_sessions, POST, Permission.manage),
)
