"""Roles and leaving: sessions end, what was done keeps its name, and a manager stays whatever happens."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine
from sqlmodel import Session, col, select

from mailer.activity.acts import Act
from mailer.activity.deeds import Deed
from mailer.activity.record import Actor, record_activity
from mailer.database.team_models import ActivityRecord, Role, SignInMethod, TeamMember, TeamSession
from mailer.team.invitations import LastManagerError, NoMemberError, change_role, remove_member
from mailer.team.members import (
    Member,
    TeamError,
    add_member,
    find_member,
    list_members,
)
from mailer.team.sessions import find_signed_in, open_team_session


def add(session: Session, name: str, role: Role, now: datetime) -> Member:
    member = add_member(session, f"{name}@example.org", name.title(), role, now=now)
    session.commit()
    return member


def sign_in(session: Session, member: Member, now: datetime) -> str:
    secret = open_team_session(session, member.id, SignInMethod.link, browser="x", now=now)
    session.commit()
    return secret


def is_open(session: Session, secret: str, now: datetime) -> bool:
    return find_signed_in(session, secret, lifetime=timedelta(days=1), now=now) is not None


def test_another_role_ends_all_sessions_but_that_of_who_changes_their_own(
    session: Session, now: datetime
) -> None:
    add(session, "max", Role.manager, now)
    mei, ann = add(session, "mei", Role.manager, now), add(session, "ann", Role.author, now)
    hers = [sign_in(session, ann, now) for _ in range(2)]
    own, other = (sign_in(session, mei, now) for _ in range(2))
    before = change_role(session, ann.id, Role.approver)
    assert before is not None
    assert before.role is Role.author
    assert [is_open(session, secret, now) for secret in hers] == [False, False]
    found = find_signed_in(session, own, lifetime=timedelta(days=1), now=now)
    assert found is not None
    change_role(session, mei.id, Role.author, keep_session=found.session_id)
    assert [is_open(session, secret, now) for secret in (own, other)] == [True, False]
    after = find_member(session, ann.id)
    assert after is not None
    assert after.role is Role.approver


def test_the_same_role_again_signs_nobody_out(session: Session, now: datetime) -> None:
    ann = add(session, "ann", Role.author, now)
    secret = sign_in(session, ann, now)
    assert change_role(session, ann.id, Role.author) is None
    assert is_open(session, secret, now)


def test_who_is_removed_is_signed_out_and_keeps_their_name_in_the_log(
    session: Session, now: datetime
) -> None:
    ann = add(session, "ann", Role.author, now)
    secret = sign_in(session, ann, now)
    record_activity(session, Actor.from_member(ann), Deed(act=Act.created_edition, edition="2026-1"), now=now)
    remove_member(session, ann.id, now=now)
    session.commit()
    assert not is_open(session, secret, now)
    assert list_members(session) == []
    record = session.exec(select(ActivityRecord)).one()
    assert (record.name, record.member_id) == ("Ann", ann.id)
    with pytest.raises(NoMemberError):
        remove_member(session, ann.id, now=now)
    with pytest.raises(NoMemberError):
        change_role(session, ann.id, Role.manager)
    with pytest.raises(NoMemberError):
        change_role(session, 4711, Role.manager)


def test_who_comes_back_is_the_same_person_with_the_new_role(session: Session, now: datetime) -> None:
    ann = add(session, "ann", Role.manager, now)
    add(session, "mei", Role.manager, now)
    remove_member(session, ann.id, now=now)
    session.commit()
    back = add(session, "ann", Role.guest, now)
    assert (back.id, back.role) == (ann.id, Role.guest)


def test_the_last_manager_stays(session: Session, now: datetime) -> None:
    mei = add(session, "mei", Role.manager, now)
    add(session, "ann", Role.approver, now)
    left = add(session, "left", Role.manager, now)
    remove_member(session, left.id, now=now)
    session.commit()
    for change in (
        lambda: change_role(session, mei.id, Role.approver),
        lambda: remove_member(session, mei.id, now=now),
    ):
        with pytest.raises(LastManagerError):
            change()
        session.rollback()
    assert change_role(session, mei.id, Role.manager) is None


@pytest.mark.parametrize("act", ["demote", "remove"])
def test_of_two_managers_who_put_each_other_out_at_once_one_stays(
    engine: Engine, now: datetime, act: str
) -> None:
    with Session(engine) as session:
        one, two = add(session, "mei", Role.manager, now), add(session, "max", Role.manager, now)
    for _ in range(5):
        barrier = threading.Barrier(2)

        def put_out(member_id: int, barrier: threading.Barrier = barrier) -> bool:
            with Session(engine) as session:
                barrier.wait(timeout=120)
                try:
                    if act == "demote":
                        change_role(session, member_id, Role.author)
                    else:
                        remove_member(session, member_id, now=now)
                except TeamError:
                    return False
                session.commit()
                return True

        with ThreadPoolExecutor(2) as pool:
            done = list(pool.map(put_out, (one.id, two.id)))
        assert sorted(done) == [False, True]
        with Session(engine) as session:
            managers = [row for row in list_members(session) if row.role is Role.manager]
            assert len(managers) == 1
            for row in session.exec(select(TeamMember).order_by(col(TeamMember.id))):
                row.role, row.removed_at = Role.manager, None
                session.add(row)
            session.commit()


def test_every_role_has_words() -> None:
    assert all(role.words and role.hint for role in Role)


def test_no_session_of_anybody_else_ends(session: Session, now: datetime) -> None:
    ann, kim = add(session, "ann", Role.author, now), add(session, "kim", Role.author, now)
    sign_in(session, ann, now)
    secret = sign_in(session, kim, now)
    change_role(session, ann.id, Role.guest)
    assert is_open(session, secret, now)
    assert len(session.exec(select(TeamSession)).all()) == 1
