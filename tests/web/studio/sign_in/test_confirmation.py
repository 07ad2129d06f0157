"""Proving again who one is, before what nobody should do at somebody else's open screen."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlmodel import Session, select

from mailer.database.team_models import TeamSession
from mailer.team.members import Member
from mailer.team.passwords import PasswordChecker, store_password
from mailer.web.dependencies import utc_now
from mailer.workspace import Workspace
from tests.web.studio.conftest import Studio, serve_studio
from tests.web.studio.sign_in.visitor import Visitor, await_mails, find_link, visiting, with_maildir

PASSWORD = "correct battery horse"


@pytest.fixture
def studio(workspace: Workspace) -> Iterator[Studio]:
    with serve_studio(with_maildir(workspace)) as studio:
        yield studio


@pytest.fixture
def visitor(studio: Studio) -> Iterator[Visitor]:
    """A member with a password who signed in eleven minutes ago."""
    member = studio.add_member()
    with visiting(studio) as visitor:
        visitor.client.headers["cookie"] = ""
        del visitor.client.headers["cookie"]
        visitor.client.cookies.set("studio", sign_in_earlier(studio, member, timedelta(minutes=11)))
        yield visitor


def sign_in_earlier(studio: Studio, member: Member, ago: timedelta) -> str:
    secret = studio.sign_in(member).partition("=")[2]
    with Session(studio.engine) as session:
        store_password(session, member.id, PasswordChecker().hash(PASSWORD), now=utc_now())
        for row in session.exec(select(TeamSession)).all():
            row.confirmed_at = utc_now() - ago
            session.add(row)
        session.commit()
    return secret


def test_shortly_after_signing_in_nothing_is_asked(studio: Studio) -> None:
    member = studio.add_member()
    with visiting(studio) as visitor:
        visitor.client.cookies.set("studio", sign_in_earlier(studio, member, timedelta(minutes=9)))
        assert visitor.get("/account/password").status_code == 200


def test_later_the_page_leads_to_the_proof_and_back(visitor: Visitor) -> None:
    answer = visitor.get("/account/password")
    assert answer.headers["location"] == "/studio/confirm?next=%2Faccount%2Fpassword"
    wrong = visitor.post("/confirm", password="not my password", next="/account/password")
    assert (wrong.status_code, "This is not your password" in wrong.text) == (422, True)
    right = visitor.post("/confirm", password=PASSWORD, next="/account/password")
    assert (right.status_code, right.headers["location"]) == (303, "/studio/account/password")
    assert visitor.get("/account/password").status_code == 200


def test_a_form_that_comes_too_late_is_kept_to_be_sent_again(visitor: Visitor) -> None:
    answer = visitor.post("/account/password/remove", note="kept & sent")
    assert answer.status_code == 403
    assert "Show that it is you" in answer.text
    assert 'name="note" value="kept &amp; sent"' in answer.text
    assert "/studio/confirm?next=%2Fsigned-in" in answer.text
    script = visitor.client.post(
        f"{visitor.studio.url}/account/password/remove", headers={"accept": "application/json"}
    )
    assert (script.status_code, script.json()) == (403, {"confirm": "/studio/confirm?next=%2Fsigned-in"})


def test_a_link_by_mail_proves_it_too_and_leads_back(visitor: Visitor) -> None:
    answer = visitor.post("/confirm/link", next="/account/password")
    assert answer.headers["location"] == "/studio/sign-in/sent"
    path = find_link(await_mails(visitor.studio.workspace, 1)[0])
    assert visitor.post(path).headers["location"] == "/studio/account/password"
    assert visitor.get("/account/password").status_code == 200


def test_the_old_secret_of_the_session_is_worth_nothing_after_the_proof(visitor: Visitor) -> None:
    former = visitor.session
    visitor.post("/confirm", password=PASSWORD)
    with visiting(visitor.studio) as thief:
        thief.client.cookies.set("studio", former)
        assert not thief.is_signed_in()


def test_guessing_at_an_open_screen_is_slowed_down(visitor: Visitor) -> None:
    statuses = [visitor.post("/confirm", password=f"wrong password {n}").status_code for n in range(11)]
    assert statuses == [422] * 10 + [429]
