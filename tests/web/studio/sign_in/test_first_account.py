"""The first account: a link from the terminal, a name and an address, and a manager is signed in."""

import re

import pytest
from sqlmodel import Session, select

from mailer.database.team_models import Role, TeamMember
from mailer.team.sign_in_links import create_first_link
from mailer.web.dependencies import utc_now
from tests.web.studio.conftest import Studio
from tests.web.studio.sign_in.visitor import visiting


def print_link(studio: Studio) -> str:
    with Session(studio.engine) as session:
        secret = create_first_link(session, now=utc_now())
        session.commit()
    assert secret is not None
    return f"/first/{secret}"


def test_the_first_link_makes_a_manager_who_is_signed_in(studio: Studio) -> None:
    path = print_link(studio)
    with visiting(studio) as visitor, visiting(studio) as thief:
        assert "You are the first here" in visitor.get(path).text
        thief.get(path)
        answer = visitor.post(path, name=" Mei  Manager ", email="Mei@example.org")
        assert (answer.status_code, answer.headers["location"]) == (303, "/studio/")
        assert "Mei Manager" in visitor.get("/").text
        assert thief.post(path, name="Eve", email="eve@example.org").status_code == 410
        # A second click, in the same browser, makes no second account.
        assert visitor.post(path, name="Mei", email="mei@example.org").status_code == 303
    with Session(studio.engine) as session:
        (row,) = session.exec(select(TeamMember)).all()
        assert (row.email, row.name, row.role) == ("mei@example.org", "Mei Manager", Role.manager)


def test_what_is_missing_is_asked_for_and_the_link_still_works(studio: Studio) -> None:
    path = print_link(studio)
    with visiting(studio) as visitor:
        visitor.get(path)
        answer = visitor.post(path, name="", email="mei@example.org")
        assert answer.status_code == 422
        assert 'value="mei@example.org"' in answer.text
        answer = visitor.post(path, name="Mei", email="mei")
        assert answer.status_code == 422
        assert 'value="Mei"' in answer.text
        assert visitor.post(path, name="Mei", email="mei@example.org").status_code == 303


def test_each_start_prints_another_link_and_only_the_last_works(studio: Studio) -> None:
    earlier, last = print_link(studio), print_link(studio)
    with visiting(studio) as visitor:
        assert visitor.get(earlier).status_code == 410
        assert visitor.get(last).status_code == 200


def test_no_link_opens_a_team_that_has_somebody(studio: Studio) -> None:
    path = print_link(studio)
    studio.add_member(Role.author)
    with visiting(studio) as visitor:
        assert visitor.get(path).status_code == 410
        assert visitor.post(path, name="Eve", email="eve@example.org").status_code == 410
    with Session(studio.engine) as session:
        assert create_first_link(session, now=utc_now()) is None


@pytest.mark.parametrize("token", ["x", "0" * 48, "%00", "a" * 5000])
def test_links_that_never_were_are_said_to_be_gone(studio: Studio, token: str) -> None:
    with visiting(studio) as visitor:
        assert visitor.get(f"/first/{token}").status_code in {404, 410}
        assert visitor.get(f"/link/{token}").status_code in {404, 410}


def test_the_sign_in_page_of_an_empty_team_says_how_to_begin(studio: Studio) -> None:
    with visiting(studio) as visitor:
        assert re.search("start <code>mailer studio</code>", visitor.get("/sign-in").text)
        studio.add_member(Role.author)
        assert "mailer studio" not in visitor.get("/sign-in").text
