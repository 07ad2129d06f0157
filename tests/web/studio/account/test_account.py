"""A member's own account."""

import re
from collections.abc import Iterator

import pytest
from sqlmodel import Session, SQLModel, select

from mailer.database.team_models import SignInLink, SignInLinkPurpose, TeamMember, TeamSession
from mailer.team.members import Member
from mailer.team.passwords import PasswordChecker, find_password
from mailer.team.sessions import describe_browser
from mailer.team.sign_in_links import create_link
from mailer.web.dependencies import utc_now
from tests.web.studio.conftest import Studio
from tests.web.studio.sign_in.visitor import Visitor, visiting

PASSWORD = "correct battery horse"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


@pytest.fixture
def member(studio: Studio) -> Member:
    return studio.add_member()


@pytest.fixture
def visitor(studio: Studio, member: Member) -> Iterator[Visitor]:
    with visiting(studio) as visitor:
        visitor.client.cookies.set("studio", studio.sign_in(member).partition("=")[2])
        yield visitor


def read_row(studio: Studio) -> TeamMember:
    with Session(studio.engine) as session:
        return session.exec(select(TeamMember)).one()


def test_the_name_and_the_language_are_saved(visitor: Visitor) -> None:
    answer = visitor.post("/account", name="  Anne \n Autrice ", language="fr")
    assert answer.headers["location"] == "/studio/account?notice=account-saved"
    row = read_row(visitor.studio)
    assert (row.name, row.language) == ("Anne Autrice", "fr")
    assert visitor.get("/account").headers["content-language"] == "fr"
    visitor.post("/account", name="Anne", language="xx")
    assert read_row(visitor.studio).language == ""


def test_without_a_name_nothing_is_saved_and_the_rest_is_kept(visitor: Visitor) -> None:
    answer = visitor.post("/account", name=" ", language="fr")
    assert answer.status_code == 422
    assert '<option value="fr" lang="fr" selected>' in answer.text
    assert read_row(visitor.studio).name == "Ann Author"


def test_a_new_password_signs_out_everywhere_else_and_ends_links(visitor: Visitor, member: Member) -> None:
    studio = visitor.studio
    with Session(studio.engine) as session:
        create_link(session, SignInLinkPurpose.sign_in, now=utc_now(), member_id=member.id)
        session.commit()
    with visiting(studio) as elsewhere:
        elsewhere.client.cookies.set("studio", studio.sign_in(member).partition("=")[2])
        former = visitor.session
        answer = visitor.post("/account/password", password=PASSWORD)
        assert answer.headers["location"] == "/studio/account?notice=password-changed"
        assert not elsewhere.is_signed_in()
        visitor.client.cookies.clear()
        visitor.client.cookies.set("studio", former)
        assert not visitor.is_signed_in()
    with Session(studio.engine) as session:
        assert PasswordChecker().check(PASSWORD, find_password(session, member.id))
        assert len(session.exec(select(TeamSession)).all()) == 1
        assert session.exec(select(SignInLink)).all() == []


def test_the_browser_that_changed_it_goes_on(visitor: Visitor, member: Member) -> None:
    visitor.post("/account/password", password=PASSWORD)
    assert visitor.is_signed_in()
    answer = visitor.post("/account/password/remove")
    assert answer.headers["location"] == "/studio/account?notice=password-removed"
    assert visitor.is_signed_in()
    with Session(visitor.studio.engine) as session:
        assert find_password(session, member.id) is None


@pytest.mark.parametrize(
    ("password", "words"),
    [
        ("too short", "Use at least 12 characters"),
        ("x" * 300, "Use at most 256 characters"),
        ("password1234", "one of the first passwords"),
        ("ann.author.2026", "made of your name"),
    ],
)
def test_a_weak_password_is_refused_with_what_to_do(visitor: Visitor, password: str, words: str) -> None:
    answer = visitor.post("/account/password", password=password)
    assert answer.status_code == 422
    assert words in answer.text
    assert password not in answer.text


def test_sessions_are_listed_and_ended_one_by_one_and_all_at_once(visitor: Visitor, member: Member) -> None:
    studio = visitor.studio
    other = studio.add_member(name="Ben Author")
    studio.sign_in(other)
    for _ in range(3):
        studio.sign_in(member)
    with Session(studio.engine) as session:
        own = [
            row.id
            for row in session.exec(select(TeamSession).where(TeamSession.member_id == member.id)).all()
        ]
        bens = session.exec(select(TeamSession.id).where(TeamSession.member_id == other.id)).one()
    page = visitor.get("/account").text
    assert page.count('/end"') == 4
    assert page.count("this browser") == 1
    assert visitor.post(f"/account/sessions/{bens}/end").status_code == 404
    assert visitor.post(f"/account/sessions/{own[1]}/end").headers["location"].endswith("session-ended")
    assert visitor.get("/account").text.count('/end"') == 3
    visitor.post("/account/sessions/end-others")
    assert visitor.get("/account").text.count('/end"') == 1
    answer = visitor.post(f"/account/sessions/{own[0]}/end")
    assert answer.headers["location"] == "/studio/sign-in?notice=signed-out"
    assert not visitor.is_signed_in()
    with Session(studio.engine) as session:
        assert session.exec(select(TeamSession.id)).all() == [bens]


@pytest.mark.parametrize("path", ["/account/passkeys/1", "/account/passkeys/99999999999999999999"])
def test_somebody_elses_passkey_is_not_found(visitor: Visitor, path: str) -> None:
    assert visitor.get(path).status_code == 404
    assert visitor.post(path, name="Mine").status_code == 404
    assert visitor.post(f"{path}/remove").status_code == 404


@pytest.mark.parametrize(
    ("user_agent", "names"),
    [
        (FIREFOX, ("Firefox", "Linux")),
        (
            "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/140.0 Safari/537.36 Edg/140.0",
            ("Edge", "Windows"),
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) Version/19.0 Safari/604.1",
            ("Safari", "iPhone"),
        ),
        ("Mozilla/5.0 (Linux; Android 16) Chrome/140.0 Mobile Safari/537.36", ("Chrome", "Android")),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15) Version/19.0 Safari/605.1", ("Safari", "Mac")),
        ("", ("", "")),
        ("curl/8", ("", "")),
    ],
)
def test_a_browser_is_named_by_its_particular_sign(user_agent: str, names: tuple[str, str]) -> None:
    assert describe_browser(user_agent) == names


def test_the_copy_of_ones_data_has_every_table_and_no_secret(visitor: Visitor, member: Member) -> None:
    visitor.post("/account/password", password=PASSWORD)
    answer = visitor.get("/account/data")
    assert answer.headers["content-disposition"] == 'attachment; filename="studio-account.json"'
    known = answer.json()
    assert known["member"]["email"] == member.email
    tables = {
        table.name
        for table in SQLModel.metadata.sorted_tables
        if {"member_id", "email"} & set(table.columns.keys())
        and table.name.startswith(("member_", "sign_in", "team_"))
    } - {"team_member"}
    assert tables <= set(known)
    assert len(known["member_password"]) == len(known["team_session"]) == 1
    assert not re.search(r"argon2|digest|[0-9a-f]{40}", answer.text)
