"""Sessions of members: found by the cookie's secret alone, and never after they have ended."""

from datetime import datetime, timedelta

from sqlmodel import Session, select

from mailer.database.team_models import Role, SignInMethod, TeamMember, TeamSession
from mailer.team.members import Member, add_member
from mailer.team.sessions import (
    end_all_sessions,
    end_team_session,
    find_signed_in,
    mark_seen,
    open_team_session,
)

LIFETIME = timedelta(days=14)


def add_ann(session: Session, now: datetime) -> Member:
    return add_member(session, "Ann@Example.org", "  Ann   Author ", Role.author, now=now)


def sign_in(session: Session, member: Member, now: datetime) -> str:
    return open_team_session(session, member.id, SignInMethod.link, browser="x" * 999, now=now)


def test_the_secret_of_a_session_is_not_in_the_database(session: Session, now: datetime) -> None:
    secret = sign_in(session, add_ann(session, now), now)
    row = session.exec(select(TeamSession)).one()
    assert secret not in str(row.model_dump())
    found = find_signed_in(session, secret, lifetime=LIFETIME, now=now)
    assert found is not None
    assert (found.member.name, found.member.email, found.method) == (
        "Ann Author",
        "ann@example.org",
        SignInMethod.link,
    )
    assert find_signed_in(session, secret + "x", lifetime=LIFETIME, now=now) is None
    assert find_signed_in(session, "", lifetime=LIFETIME, now=now) is None


def test_a_session_ends_when_it_was_not_used_for_its_lifetime(session: Session, now: datetime) -> None:
    secret = sign_in(session, add_ann(session, now), now)
    later = now + LIFETIME - timedelta(seconds=1)
    found = find_signed_in(session, secret, lifetime=LIFETIME, now=later)
    assert found is not None
    assert not found.is_seen_lately
    mark_seen(session, found.session_id, now=later)
    assert find_signed_in(session, secret, lifetime=LIFETIME, now=later + LIFETIME / 2) is not None
    assert find_signed_in(session, secret, lifetime=LIFETIME, now=later + LIFETIME) is None


def test_ended_sessions_and_members_who_have_left_are_not_found(session: Session, now: datetime) -> None:
    ann = add_ann(session, now)
    first, second, third = (sign_in(session, ann, now) for _ in range(3))

    def count_open() -> int:
        found = (find_signed_in(session, one, lifetime=LIFETIME, now=now) for one in (first, second, third))
        return sum(one is not None for one in found)

    opened = find_signed_in(session, first, lifetime=LIFETIME, now=now)
    assert opened is not None
    end_team_session(session, opened.session_id)
    assert count_open() == 2
    kept = find_signed_in(session, second, lifetime=LIFETIME, now=now)
    assert kept is not None
    assert end_all_sessions(session, ann.id, except_id=kept.session_id) == 1
    assert count_open() == 1
    row = session.get(TeamMember, ann.id)
    assert row is not None
    row.removed_at = now
    session.add(row)
    session.flush()
    assert count_open() == 0
