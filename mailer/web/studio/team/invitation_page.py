"""Inviting a person to the team, and mailing an invitation again."""

from starlette.exceptions import HTTPException
from starlette.responses import Response

from mailer.activity.acts import Act
from mailer.activity.record import record_activity
from mailer.database.team_models import Role
from mailer.i18n import LANGUAGES, NATIVE_NAMES, gettext_noop
from mailer.team.invitations import invite_member, resend_invitation
from mailer.team.members import Permission, TeamError
from mailer.web.forms import Form, OwnFormDep
from mailer.web.routing import GET, POST
from mailer.web.studio.notices import Notice
from mailer.web.studio.page import PageDep, StudioPage
from mailer.web.studio.routing import StudioRoute
from mailer.web.studio.sign_in.confirmation import require_confirmed
from mailer.web.studio.team.member_number import MemberNumber
from mailer.web.studio.team.role_field import list_role_choices, read_role
from subscribers.errors import AddressError

_BAD_ADDRESS = gettext_noop("Write their email address in full, such as ann@example.org.")
_NO_ROLE = gettext_noop("Choose what they may do.")
_IS_MEMBER = gettext_noop("%(address)s belongs to the team already.")


def show_invitation(page: PageDep) -> Response:
    """Show the form that invites a person."""
    return _render(page, Form(), [])


def invite(page: PageDep, form: OwnFormDep) -> Response:
    """Add a person to the team, and have a link mailed to them."""
    require_confirmed(page)
    translate, now = page.translator.translate, page.state.clock()
    role, address = read_role(form), form.get("email").strip()
    if role is None:
        return _render(page, form, [("role", translate(_NO_ROLE))])
    try:
        with page.state.write_session() as session:
            member = invite_member(
                session,
                address,
                form.get("name"),
                role,
                invited_by=page.member.id,
                now=now,
                language=_read_language(form) or page.translator.tag,
            )
            record_activity(
                session, page.actor, Act.invited_member, subject=member.email, detail=role.value, now=now
            )
    except AddressError:
        return _render(page, form, [("email", translate(_BAD_ADDRESS))])
    except TeamError:
        return _render(page, form, [("email", translate(_IS_MEMBER, address=address))])
    page.state.sign_in_mailer.wake()
    return page.redirect("/team", Notice.invited)


def resend(page: PageDep, member: MemberNumber) -> Response:
    """Mail an invitation again; the link before it stops working."""
    now = page.state.clock()
    try:
        with page.state.write_session() as session:
            invited = resend_invitation(
                session, member, invited_by=page.member.id, now=now, language=page.translator.tag
            )
            record_activity(
                session,
                page.actor,
                Act.invited_member,
                subject=invited.email,
                detail=f"{invited.role.value}, again",
                now=now,
            )
    except TeamError as error:
        raise HTTPException(404) from error
    page.state.sign_in_mailer.wake()
    return page.redirect("/team", Notice.invited_again)


def _render(page: StudioPage, form: Form, errors: list[tuple[str, str]]) -> Response:
    return page.render(
        "invitation.html",
        status=422 if errors else 200,
        section="team",
        errors=errors,
        problems=dict(errors),
        email=form.get("email"),
        name=form.get("name"),
        role=form.get("role") or Role.author.value,
        language=_read_language(form) or page.translator.tag,
        roles=list_role_choices(page.translator),
        mail_languages=[(tag, NATIVE_NAMES[tag]) for tag in LANGUAGES],
    )


def _read_language(form: Form) -> str:
    language = form.get("language")
    return language if language in LANGUAGES else ""


ROUTES = (
    StudioRoute("/team/invite", show_invitation, GET, Permission.manage),
    StudioRoute("/team/invite", invite, POST, Permission.manage),
    StudioRoute("/team/{member}/resend", resend, POST, Permission.manage),
)
