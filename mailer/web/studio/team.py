"""The pages of the team: members, invitations, and who did what."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import groupby
from typing import Annotated

from markupsafe import Markup, escape
from sqlalchemy import func
from sqlmodel import Session, col, select
from starlette.exceptions import HTTPException
from starlette.responses import Response, StreamingResponse

from mailer.activity.acts import Act
from mailer.activity.log import (
    COMMAND_LINE,
    LogEntry,
    LogFilter,
    list_logged_editions,
    read_log,
    write_log_csv,
)
from mailer.activity.record import record_activity
from mailer.database.team_models import Role, TeamMember, TeamSession
from mailer.i18n import LANGUAGES, NATIVE_NAMES, Translator, gettext_noop
from mailer.team.invitations import (
    LastManagerError,
    NoMemberError,
    OpenInvitation,
    change_role,
    invite_member,
    list_open_invitations,
    remove_member,
    resend_invitation,
)
from mailer.team.members import (
    ROLE_HINTS,
    ROLE_NAMES,
    Member,
    Permission,
    TeamError,
    find_member,
    list_members,
)
from mailer.team.sessions import end_all_sessions
from mailer.web.forms import Form, OwnFormDep
from mailer.web.routing import GET, POST
from mailer.web.studio.notices import Notice
from mailer.web.studio.page import PageDep, StudioPage
from mailer.web.studio.routing import StudioRoute
from mailer.web.studio.row_number import depend_on_number, read_row_number
from mailer.web.studio.sign_in.confirmation import require_confirmed
from mailer.web.studio.waiting_item import WaitingItem, WaitingSource
from subscribers.errors import AddressError

"""Its routes. "invite" comes before the members' numbers."""

MemberNumber = Annotated[int, depend_on_number("member")]
"""The path's ``member``, if it can be the number of one; otherwise the answer is 404."""


def list_role_choices(translator: Translator) -> list[tuple[str, str, str]]:
    """The roles as triples of value, name and what a member of it may do."""
    translate = translator.translate
    return [(role.value, translate(ROLE_NAMES[role]), translate(ROLE_HINTS[role])) for role in Role]


def read_role(form: Form) -> Role | None:
    """The role that was chosen; None if none was."""
    chosen = form.get("role")
    return Role(chosen) if chosen in list(Role) else None


@dataclass(frozen=True, kw_only=True)
class TeamRow:
    """A member as the team's page lists them. ``last_seen`` is None if they are signed in nowhere;
    ``invitation`` is None once they have signed in."""

    member: Member
    role: str
    last_seen: datetime | None
    invitation: OpenInvitation | None


def show_team(page: PageDep) -> Response:
    """Show who belongs to the team."""
    with page.state.read_session() as session:
        rows = _list_rows(session, page.state.clock())
    present = [row for row in rows if row.invitation is None]
    return page.render(
        "team.html",
        section="team",
        rows=present,
        invited=[row for row in rows if row.invitation is not None],
        own_id=page.member.id,
    )


def _list_rows(session: Session, now: datetime) -> list[TeamRow]:
    seen = dict(
        session.exec(
            select(TeamSession.member_id, func.max(TeamSession.last_seen_at)).group_by(
                col(TeamSession.member_id)
            )
        ).all()
    )
    invitations = {one.member.id: one for one in list_open_invitations(session, now=now)}
    return [
        TeamRow(
            member=member,
            role=ROLE_NAMES[member.role],
            last_seen=seen.get(member.id),
            invitation=invitations.get(member.id),
        )
        for member in list_members(session)
    ]


_BAD_ADDRESS = gettext_noop("Write their email address in full, such as ann@example.org.")
_NO_ROLE = gettext_noop("Choose what they may do.")
_IS_MEMBER = gettext_noop("%(address)s belongs to the team already.")


def show_invitation(page: PageDep) -> Response:
    """Show the form that invites a person."""
    return _render_invitation(page, Form(), [])


def invite(page: PageDep, form: OwnFormDep) -> Response:
    """Add a person to the team, and have a link mailed to them."""
    require_confirmed(page)
    translate, now = page.translator.translate, page.state.clock()
    role, address = read_role(form), form.get("email").strip()
    if role is None:
        return _render_invitation(page, form, [("role", translate(_NO_ROLE))])
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
        return _render_invitation(page, form, [("email", translate(_BAD_ADDRESS))])
    except TeamError:
        return _render_invitation(page, form, [("email", translate(_IS_MEMBER, address=address))])
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


def _render_invitation(page: StudioPage, form: Form, errors: list[tuple[str, str]]) -> Response:
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


_LAST_MANAGER = gettext_noop(
    "%(name)s is the only manager. Make somebody else a manager first; then this is possible."
)


def show_member(page: PageDep, member: MemberNumber) -> Response:
    """Show a member to a manager."""
    with page.state.read_session() as session:
        return _render_member(page, session, member, [])


def give_role(page: PageDep, member: MemberNumber, form: OwnFormDep) -> Response:
    """Give a member another role. Their sessions end, but for the one that asks."""
    require_confirmed(page)
    role = read_role(form)
    if role is None:
        with page.state.read_session() as session:
            return _render_member(page, session, member, [("role", page.translator.translate(_NO_ROLE))])
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
            return _render_member(page, session, member, errors)
    return page.redirect("/team", notice)


def _find(session: Session, number: int) -> Member:
    member = find_member(session, number)
    if member is None:
        raise HTTPException(404)
    return member


def _render_member(
    page: StudioPage, session: Session, number: int, errors: list[tuple[str, str]]
) -> Response:
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


_BAD_DAY = gettext_noop("Write the day as year, month and day, such as 2026-03-31.")
_SUBJECT = "%(subject)s"


@dataclass(frozen=True, kw_only=True)
class LogLine:
    """An entry as the page shows it: a sentence with its subject marked up, and links where there are."""

    entry: LogEntry
    sentence: Markup
    is_command_line: bool


def show_log(page: PageDep) -> Response:
    """Show the log, newest first."""
    query = page.request.query_params
    wanted, errors = _read_filter(page, query)
    before = read_row_number(query.get("before", ""))
    with page.state.read_session() as session:
        found = read_log(session, wanted, before=before)
        people = _list_people(session)
        editions = list_logged_editions(session)
    chosen = {name: query.get(name, "")[:200] for name in ("person", "act", "edition", "day")}
    given = {name: value for name, value in chosen.items() if value}
    return page.render(
        "log.html",
        status=422 if errors else 200,
        section="team",
        days=[] if errors else _group_by_day(found.entries, page.translator),
        older="" if found.older is None else page.make_path("/log", None, **given, before=str(found.older)),
        is_filtered=bool(given),
        is_later_page=before is not None,
        people=people,
        command_line=COMMAND_LINE,
        acts=_list_acts(page.translator),
        editions=editions,
        chosen=chosen,
        errors=errors,
        problems=dict(errors),
    )


def export_log(page: PageDep, form: OwnFormDep) -> Response:
    """Send the chosen part of the log as CSV, and write down that it was taken."""
    require_confirmed(page)
    wanted, errors = _read_filter(page, dict(form.fields))
    if errors:
        return page.redirect("/log", day=form.get("day")[:200])
    chosen = "; ".join(f"{name}: {value}" for name, value in form.fields if value)
    with page.state.write_session() as session:
        record_activity(session, page.actor, Act.exported_log, detail=chosen, now=page.state.clock())
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
            errors = [("day", page.translator.translate(_BAD_DAY))]
    if day is not None and not 1970 <= day.year <= 9000:
        day, errors = None, [("day", page.translator.translate(_BAD_DAY))]
    if person != COMMAND_LINE and read_row_number(person) is None:
        person = ""
    return (
        LogFilter(
            person=person,
            act=Act(act) if act in list(Act) else None,
            edition=edition.replace("\0", ""),
            day=day,
        ),
        errors,
    )


def _list_people(session: Session) -> Sequence[tuple[int, str]]:
    """All who ever belonged to the team, by name."""
    rows = session.exec(select(TeamMember.id, TeamMember.name)).all()
    return sorted(((number or 0, name) for number, name in rows), key=lambda one: one[1].lower())


def _list_acts(translator: Translator) -> list[tuple[str, str]]:
    """The acts with their words, by the words; an ellipsis stands for the subject."""
    named = [(act.value, translator.translate(act.words, subject="…")) for act in Act]
    return sorted(named, key=lambda one: one[1])


def _group_by_day(entries: Sequence[LogEntry], translator: Translator) -> list[tuple[date, list[LogLine]]]:
    lines = (_describe(entry, translator) for entry in entries)
    return [(day, list(group)) for day, group in groupby(lines, key=lambda line: line.entry.at.date())]


def _describe(entry: LogEntry, translator: Translator) -> LogLine:
    words = entry.act.words if entry.act is not None else ""
    subject = Markup("<bdi>{}</bdi>").format(entry.subject)
    if _SUBJECT in words:
        sentence = translator.translate_html(words, subject=subject)
    else:
        sentence = translator.translate_html(words) if words else escape(entry.act_name)
        if entry.subject:
            sentence = Markup("{}: {}").format(sentence, subject)
    return LogLine(entry=entry, sentence=sentence, is_command_line=entry.member_id is None)


def _list_stuck_invitations(page: StudioPage) -> Iterator[WaitingItem]:
    """Invitations whose mail does not leave, or whose link has expired."""
    translate = page.translator.translate
    with page.state.read_session() as session:
        invitations = list_open_invitations(session, now=page.state.clock())
    for one in invitations:
        if one.is_expired or one.reason:
            words = (
                translate(gettext_noop("The link of their invitation has expired"))
                if one.is_expired
                else translate(gettext_noop("Their invitation could not be mailed yet"))
            )
            yield WaitingItem(
                title=one.member.name,
                words=words,
                act=translate(gettext_noop("Send it again")),
                path="/team",
                detail=one.member.email,
            )


WAITING_INVITATIONS = WaitingSource(
    name=gettext_noop("Invitations"), permission=Permission.manage, list_items=_list_stuck_invitations
)


ROUTES = (
    StudioRoute("/team", show_team, GET, Permission.read),
    StudioRoute("/team/invite", show_invitation, GET, Permission.manage),
    StudioRoute("/team/invite", invite, POST, Permission.manage),
    StudioRoute("/team/{member}/resend", resend, POST, Permission.manage),
    StudioRoute("/team/{member}", show_member, GET, Permission.manage),
    StudioRoute("/team/{member}/role", give_role, POST, Permission.manage),
    StudioRoute("/team/{member}/remove", remove, POST, Permission.manage),
    StudioRoute("/team/{member}/end-sessions", end_sessions, POST, Permission.manage),
    StudioRoute("/log", show_log, GET, Permission.manage),
    StudioRoute("/log/export", export_log, POST, Permission.manage),
)
