"""What is kept about a member: deleted with their leaving, erased when they ask, and never a secret."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import Engine
from sqlmodel import Session, SQLModel, select

from mailer.activity.acts import Act
from mailer.activity.deeds import Deed
from mailer.activity.record import Actor, record_activity
from mailer.database.backup import backup
from mailer.database.team_models import (
    ActivityRecord,
    MemberPasskey,
    OrganisationAccount,
    Role,
    SignInLinkPurpose,
    SignInMethod,
    TeamMember,
)
from mailer.privacy.erasure import erase_person, overwrite_freed_pages
from mailer.team.invitations import invite_member
from mailer.team.member_data import erase_member
from mailer.team.members import Member, TeamError, find_member_by_address
from mailer.team.passwords import store_password
from mailer.team.sessions import open_team_session
from mailer.team.sign_in_links import create_link
from mailer.team.sign_in_mails import delete_what_is_past
from mailer.web.dependencies import utc_now
from mailer.workspace import Workspace
from tests.web.site import add_reader, dump_tables, opened_engine

ADDRESS = "leaver@example.org"
OWN_TABLES = ("member_passkey", "member_password", "organisation_account", "sign_in_link", "team_session")


@pytest.fixture
def engine(either_workspace: Workspace) -> Iterator[Engine]:
    with opened_engine(either_workspace) as engine:
        yield engine


def live(engine: Engine) -> tuple[Member, list[str]]:
    """Leave a row in every table, and return the secrets of their links and sessions."""
    now = utc_now()
    with Session(engine) as session:
        member = invite_member(session, ADDRESS, "Lea Leaver", Role.author, invited_by=None, now=now)
        secrets = [
            open_team_session(session, member.id, SignInMethod.link, browser="A browser", now=now),
            create_link(session, SignInLinkPurpose.sign_in, now=now, member_id=member.id),
        ]
        store_password(session, member.id, "$argon2id$hash", now=now)
        session.add(
            MemberPasskey(member_id=member.id, credential_id="x", public_key=b"x", name="Key", created_at=now)
        )
        session.add(OrganisationAccount(member_id=member.id, issuer="i", subject="s", linked_at=now))
        record_activity(
            session, Actor.from_member(member), Deed(act=Act.joined_team, subject=ADDRESS), now=now
        )
        session.commit()
        return member, secrets


def leave(engine: Engine, member: Member) -> None:
    with Session(engine) as session:
        row = session.get_one(TeamMember, member.id)
        row.removed_at = utc_now()
        session.add(row)
        session.commit()


def test_who_leaves_keeps_no_way_in_and_who_stays_keeps_theirs(
    either_workspace: Workspace, engine: Engine
) -> None:
    member, _ = live(engine)
    delete_what_is_past(engine, either_workspace, now=utc_now())
    assert all(dump_tables(engine)[name] for name in OWN_TABLES)
    leave(engine, member)
    delete_what_is_past(engine, either_workspace, now=utc_now())
    assert [name for name in OWN_TABLES if dump_tables(engine)[name]] == []


def test_what_is_past_its_time_is_deleted(either_workspace: Workspace, engine: Engine) -> None:
    live(engine)
    delete_what_is_past(engine, either_workspace, now=utc_now() + timedelta(days=14))
    dumped = dump_tables(engine)
    assert not any(dumped[name] for name in ("sign_in_link", "sign_in_mail", "team_session", "throttle"))
    assert dumped["member_password"]


def test_an_erased_member_is_nobody_and_what_they_did_stays(engine: Engine) -> None:
    member, _ = live(engine)
    with Session(engine) as session:
        with pytest.raises(TeamError, match="remove them first"):
            erase_member(session, ADDRESS)
        with pytest.raises(TeamError, match="never belonged"):
            erase_member(session, "nobody@example.org")
    leave(engine, member)
    with Session(engine) as session:
        erase_member(session, "Leaver@Example.org")
        session.commit()
    overwrite_freed_pages(engine)
    assert "leaver" not in repr(dump_tables(engine)).lower()
    if engine.dialect.name == "sqlite":
        database = engine.url.database or ""
        with open(database, "rb") as file:  # noqa: PTH123 - the path is text
            assert b"eaver@example" not in file.read()
    with Session(engine) as session:
        assert session.exec(select(ActivityRecord.member_id)).one() == member.id
        # The address is free again.
        invite_member(session, ADDRESS, "Another", Role.guest, invited_by=None, now=utc_now())


def test_a_colleague_who_reads_stays_a_colleague_when_the_reader_is_erased(
    either_workspace: Workspace, engine: Engine
) -> None:
    live(engine)
    add_reader(engine, either_workspace.keys, ADDRESS)
    erase_person(either_workspace, engine, ADDRESS, method="command line", now=utc_now())
    with Session(engine) as session:
        found = find_member_by_address(session, ADDRESS)
        assert found is not None
        assert found.name == "Lea Leaver"


def test_a_backup_signs_in_nobody(workspace: Workspace) -> None:
    with opened_engine(workspace) as engine:
        _, secrets = live(engine)
        backup(engine, workspace.root / "copy.db")
    copy = (workspace.root / "copy.db").read_bytes()
    assert ADDRESS.encode() in copy
    assert not any(secret.encode() in copy for secret in secrets)


def test_every_table_of_a_member_is_known_here() -> None:
    tables = {
        table.name
        for table in SQLModel.metadata.sorted_tables
        if any(
            key.column.table.name == "team_member" and key.ondelete == "CASCADE" for key in table.foreign_keys
        )
    }
    assert {*OWN_TABLES, "team_invitation"} <= tables
