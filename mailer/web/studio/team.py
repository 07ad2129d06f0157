"""The pages of the team: members, invitations, and who did what."""

from collections.abc import Callable, Iterator, Mapping
from datetime import date
from itertools import groupby
from typing import Annotated

from fastapi import Depends
from markupsafe import Markup, escape
from sqlmodel import Session
from starlette.responses import Response, StreamingResponse

from mailer.activity import deeds
from mailer.activity.acts import Act
from mailer.activity.log import (
    COMMAND_LINE,
    LogFilter,
    list_logged_editions,
    read_log,
    write_log_csv,
)
from mailer.database.team_models import ActivityRecord, Role
from mailer.i18n import LANGUAGES, NATIVE_NAMES, Translator, gettext_noop
from mailer.team.invitations import (
    LastManagerError,
    NoMemberError,
    change_role,
    invite_member,
    list_open_invitations,
    remove_member,
    resend_invitation,
)
from mailer.team.members import (
    Member,
    Permission,
    TeamError,
    find_member,
    list_members,
    list_names,
)
from mailer.team.sessions import end_all_sessions, list_team_sessions
from mailer.web.forms import Form, OwnFormDep
from mailer.web.studio.notices import Notice
from mailer.web.studio.page import PageDep, StudioPage, depend_on_number, or_404, read_row_number
from mailer.web.studio.routing import Routes
from mailer.web.studio.sign_in.confirmation import require_confirmed
from mailer.web.studio.waiting_item import WaitingItem
from subscribers.errors import AddressError

ROUTES = Routes()

_BAD_ADDRESS = gettext_noop("Write their email address in full, such as ann@example.org.")
_NO_ROLE = gettext_noop("Choose what they may do.")
_IS_MEMBER = gettext_noop("%(address)s belongs to the team already.")
_LAST_MANAGER = gettext_noop(
    "%(name)s is the only manager. Make somebody else a manager first; then this is possible."
)
_BAD_DAY = gettext_noop("Write the day as year, month and day, such as 2026-03-31.")
_SUBJECT = "%(subject)s"


@ROUTES.get_route("/team", Permission.read)
def show_team(page: PageDep) -> Response:
    invitations = {one.member.id: one for one in list_open_invitations(page.session, now=page.state.clock())}
    members = list_members(page.session)
    return page.render(
        "team.html",
        members=[one for one in members if one.id not in invitations],
        invited=[(one, invitations[one.id]) for one in members if one.id in invitations],
    )


@ROUTES.get_route("/team/invite", Permission.manage)
def show_invitation(page: PageDep) -> Response:
    return _render_invitation(page, Form())


@ROUTES.post_route("/team/invite", Permission.manage)
def invite(page: PageDep, form: OwnFormDep) -> Response:
    require_confirmed(page)
    role, address = _read_role(form), form.get("email").strip()
    if role is None:
        return _render_invitation(page, form, ("role", page.translate(_NO_ROLE)))
    try:
        with page.writing() as session:
            member = invite_member(
                session,
                address,
                form.get("name"),
                role,
                invited_by=page.member.id,
                now=page.state.clock(),
                language=_read_language(page, form),
            )
            page.record(session, deeds.invited_member(member.email, role))
    except AddressError:
        return _render_invitation(page, form, ("email", page.translate(_BAD_ADDRESS)))
    except TeamError:
        return _render_invitation(page, form, ("email", page.translate(_IS_MEMBER, address=address)))
    page.state.sign_in_mailer.wake()
    return page.redirect("/team", Notice.invited)


def _render_invitation(page: StudioPage, form: Form, fault: tuple[str, str] | None = None) -> Response:
    errors = [fault] if fault else []
    return page.render(
        "invitation.html",
        errors=errors,
        email=form.get("email"),
        name=form.get("name"),
        role=form.get("role") or Role.author.value,
        language=_read_language(page, form),
        roles=_list_roles(page),
        mail_languages=[(tag, NATIVE_NAMES[tag]) for tag in LANGUAGES],
    )


def _read_language(page: StudioPage, form: Form) -> str:
    language = form.get("language")
    return language if language in LANGUAGES else page.translator.tag


def _read_role(form: Form) -> Role | None:
    chosen = form.get("role")
    return Role(chosen) if chosen in list(Role) else None


def _list_roles(page: StudioPage) -> list[tuple[str, str, str]]:
    """The roles as triples of value, name and what a member of it may do."""
    return [(role.value, page.translate(role.words), page.translate(role.hint)) for role in Role]


def _open_member(page: PageDep, member: Annotated[int, depend_on_number("member")]) -> Member:
    with page.state.read_session() as session:
        return or_404(find_member(session, member))


MemberDep = Annotated[Member, Depends(_open_member)]


@ROUTES.post_route("/team/{member}/resend", Permission.manage)
def resend(page: PageDep, member: MemberDep) -> Response:
    """Mail an invitation again; the link before it stops working."""
    try:
        with page.writing() as session:
            resend_invitation(
                session,
                member.id,
                invited_by=page.member.id,
                now=page.state.clock(),
                language=page.translator.tag,
            )
            page.record(session, deeds.invited_member(member.email, member.role, again=True))
    except TeamError:
        or_404(None)
    page.state.sign_in_mailer.wake()
    return page.redirect("/team", Notice.invited_again)


@ROUTES.get_route("/team/{member}", Permission.manage)
def show_member(page: PageDep, member: MemberDep) -> Response:
    return _render_member(page, member)


@ROUTES.post_route("/team/{member}/role", Permission.manage)
def give_role(page: PageDep, member: MemberDep, form: OwnFormDep) -> Response:
    """Give a member another role. Their sessions end, but for the one that asks."""
    require_confirmed(page)
    role = _read_role(form)
    if role is None:
        return _render_member(page, member, ("role", page.translate(_NO_ROLE)))

    def change(session: Session) -> None:
        before = change_role(session, member.id, role, keep_session=page.signed_in.session_id)
        if before is not None:
            page.record(session, deeds.changed_role(before.email, before.role, role))

    return _change(page, member, change, Notice.role_changed)


@ROUTES.post_route("/team/{member}/remove", Permission.manage)
def remove(page: PageDep, member: MemberDep) -> Response:
    require_confirmed(page)

    def change(session: Session) -> None:
        before = remove_member(session, member.id, now=page.state.clock())
        page.record(session, deeds.removed_member(before.email, before.role))

    return _change(page, member, change, Notice.member_removed)


@ROUTES.post_route("/team/{member}/end-sessions", Permission.manage)
def end_sessions(page: PageDep, member: MemberDep) -> Response:
    """End all sessions of a member, but for the one that asks."""
    with page.writing() as session:
        end_all_sessions(session, member.id, except_id=page.signed_in.session_id)
        page.record(session, deeds.ended_sessions(member.email))
    return page.redirect("/team", Notice.sessions_ended)


def _change(page: StudioPage, member: Member, change: Callable[[Session], None], notice: Notice) -> Response:
    try:
        with page.writing() as session:
            change(session)
    except NoMemberError:
        or_404(None)
    except LastManagerError:
        return _render_member(page, member, ("", page.translate(_LAST_MANAGER, name=member.name)))
    return page.redirect("/team", notice)


def _render_member(page: StudioPage, member: Member, fault: tuple[str, str] | None = None) -> Response:
    return page.render(
        "member.html",
        person=member,
        is_self=member.id == page.member.id,
        # All that are kept: with a longer lifetime in the settings, one that has ended would be open again.
        sessions=list_team_sessions(page.session, member.id),
        roles=_list_roles(page),
        errors=[fault] if fault else [],
    )


@ROUTES.get_route("/log", Permission.manage)
def show_log(page: PageDep) -> Response:
    query = page.request.query_params
    wanted, errors = _read_filter(page, query)
    before = read_row_number(query.get("before", ""))
    entries, older = read_log(page.session, wanted, before=before)
    chosen = {name: query.get(name, "")[:200] for name in ("person", "act", "edition", "day")}
    given = {name: value for name, value in chosen.items() if value}
    acts = [(act.value, page.translate(act.words, subject="…")) for act in Act]
    lines = ((entry, _describe(entry, page.translator)) for entry in entries)
    days = groupby(lines, key=lambda line: line[0].at.date())
    return page.render(
        "log.html",
        days=[] if errors else [(day, list(lines)) for day, lines in days],
        older="" if older is None else page.make_path("/log", None, **given, before=str(older)),
        is_filtered=bool(given),
        is_later_page=before is not None,
        people=sorted(list_names(page.session).items(), key=lambda one: one[1].lower()),
        command_line=COMMAND_LINE,
        acts=sorted(acts, key=lambda one: one[1]),
        editions=list_logged_editions(page.session),
        chosen=chosen,
        errors=errors,
    )


@ROUTES.post_route("/log/export", Permission.manage)
def export_log(page: PageDep, form: OwnFormDep) -> Response:
    require_confirmed(page)
    wanted, errors = _read_filter(page, dict(form.fields))
    if errors:
        return page.redirect("/log", day=form.get("day")[:200])
    with page.writing() as session:
        chosen = [(name, value) for name, value in form.fields if value]
        page.record(session, deeds.exported_log(chosen))
    headers = {"content-disposition": 'attachment; filename="log.csv"'}
    return StreamingResponse(_write_csv(page, wanted), media_type="text/csv; charset=utf-8", headers=headers)


def _write_csv(page: StudioPage, wanted: LogFilter) -> Iterator[bytes]:
    # Without this mark, Excel reads the file in the system's own encoding instead of UTF-8.
    yield b"\xef\xbb\xbf"
    with page.state.read_session() as session:
        for part in write_log_csv(session, wanted):
            yield part.encode("utf-8")


def _read_filter(page: StudioPage, given: Mapping[str, str]) -> tuple[LogFilter, list[tuple[str, str]]]:
    """What is wanted, and what is wrong with it. A person or an act that does not exist finds nothing."""
    person, act, edition = (given.get(name, "") for name in ("person", "act", "edition"))
    day, errors = None, []
    if given.get("day"):
        try:
            day = date.fromisoformat(given["day"])
        except ValueError:
            day = date.min
        if not 1970 <= day.year <= 9000:
            day, errors = None, [("day", page.translate(_BAD_DAY))]
    is_person = person == COMMAND_LINE or read_row_number(person) is not None
    wanted = LogFilter(
        person=person if is_person else "",
        act=Act(act) if act in list(Act) else None,
        edition=edition.replace("\0", ""),
        day=day,
    )
    return wanted, errors


def _describe(entry: ActivityRecord, translator: Translator) -> Markup:
    # A newer program may have written it.
    words = Act(entry.act).words if entry.act in list(Act) else ""
    subject = Markup("<bdi>{}</bdi>").format(entry.subject)
    if _SUBJECT in words:
        return translator.translate_html(words, subject=subject)
    sentence = translator.translate_html(words) if words else escape(entry.act)
    return Markup("{}: {}").format(sentence, subject) if entry.subject else sentence


def list_invitation_items(page: StudioPage) -> Iterator[WaitingItem]:
    """Invitations whose mail does not leave, or whose link has expired."""
    for one in list_open_invitations(page.session, now=page.state.clock()):
        if one.is_expired or one.reason:
            words = (
                gettext_noop("The link of their invitation has expired")
                if one.is_expired
                else gettext_noop("Their invitation could not be mailed yet")
            )
            yield WaitingItem(
                title=one.member.name,
                words=page.translate(words),
                act=page.translate(gettext_noop("Send it again")),
                path="/team",
                detail=one.member.email,
            )
