"""Signing in at the organisation: out to its provider and back, for members alone."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import httpx2
import pytest
from playwright.sync_api import Browser, expect
from sqlmodel import Session, select

from mailer.database.team_models import OrganisationAccount, TeamMember
from mailer.workspace import Workspace, open_workspace
from tests.servers.openid_provider import CLIENT_ID, CLIENT_SECRET, OpenIdServer
from tests.web.studio.conftest import Studio, serve_studio
from tests.web.studio.sign_in.visitor import Visitor, visiting


@pytest.fixture
def server() -> Iterator[OpenIdServer]:
    with OpenIdServer() as server:
        yield server


@contextmanager
def serving(workspace: Workspace, server: OpenIdServer, **more: object) -> Iterator[Studio]:
    (workspace.root / "oidc-secret").write_text(f"{CLIENT_SECRET}\n")
    values = {
        "issuer": server.url,
        "client_id": CLIENT_ID,
        "client_secret_file": "oidc-secret",
        **more,
    }
    with (workspace.root / "mailer.toml").open("a", encoding="utf-8") as file:
        file.write("\n[studio.oidc]\n")
        # Texts, truths and lists are written alike in JSON and in TOML.
        file.writelines(f"{key} = {json.dumps(value)}\n" for key, value in values.items())
    with serve_studio(open_workspace(workspace.root, environ={})) as running:
        yield running


@pytest.fixture
def studio(workspace: Workspace, server: OpenIdServer) -> Iterator[Studio]:
    with serving(workspace, server) as studio:
        yield studio


def go_and_come_back(visitor: Visitor, next_path: str = "/account") -> httpx2.Response:
    gone = visitor.client.get(f"{visitor.studio.url}/sign-in/organisation", params={"next": next_path})
    assert gone.status_code == 303
    back = httpx2.get(gone.headers["location"], trust_env=False).headers["location"]
    return visitor.client.get(back)


def test_the_journey_in_a_browser(studio: Studio, browser: Browser) -> None:
    studio.add_member()
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(f"{studio.url}/account")
        page.get_by_role("link", name="Use your account at UNESCO Office in Beijing").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Your account")
        expect(page.get_by_role("heading", name="Account at the organisation")).to_be_visible()
        page.get_by_role("button", name="Forget this account").click()
        expect(page.get_by_text("Your account at the organisation is forgotten")).to_be_visible()


def test_only_a_member_with_an_address_that_is_vouched_for_comes_in(
    studio: Studio, server: OpenIdServer
) -> None:
    with visiting(studio) as visitor:
        answer = go_and_come_back(visitor)
        assert (answer.status_code, "belongs to nobody of the team" in answer.text) == (403, True)
        studio.add_member()
        server.claims = {"email_verified": False}
        assert go_and_come_back(visitor).status_code == 403
        server.claims = {}
        assert go_and_come_back(visitor).headers["location"] == "/studio/account"
        assert visitor.is_signed_in()


def test_the_account_is_kept_from_the_first_time_on(studio: Studio, server: OpenIdServer) -> None:
    ann = studio.add_member()
    with visiting(studio) as visitor:
        assert go_and_come_back(visitor).status_code == 303
    # The address passes to a newcomer, and Ann has another: the accounts stay whose they are.
    server.claims = {"sub": "subject-2"}
    with visiting(studio) as newcomer:
        answer = go_and_come_back(newcomer)
        assert (answer.status_code, "with another account before" in answer.text) == (403, True)
    server.claims = {"email": "ann.married@example.org", "email_verified": None}
    with visiting(studio) as visitor:
        assert go_and_come_back(visitor).status_code == 303
        assert "Ann Author" in visitor.get("/").text
    with Session(studio.engine) as session:
        (account,) = session.exec(select(OrganisationAccount)).all()
        assert (account.member_id, account.subject) == (ann.id, "subject-1")
        row = session.get_one(TeamMember, ann.id)
        row.removed_at = row.created_at
        session.add(row)
        session.commit()
    with visiting(studio) as visitor:
        assert go_and_come_back(visitor).status_code == 403


def test_addresses_of_other_domains_are_not_accepted(workspace: Workspace, server: OpenIdServer) -> None:
    with serving(workspace, server, domains=("example.net",)) as studio, visiting(studio) as visitor:
        studio.add_member()
        assert go_and_come_back(visitor).status_code == 403


def test_coming_back_does_nothing_in_another_browser_or_twice(studio: Studio) -> None:
    studio.add_member()
    with visiting(studio) as visitor, visiting(studio) as other:
        gone = visitor.get("/sign-in/organisation")
        back = httpx2.get(gone.headers["location"], trust_env=False).headers["location"]
        # A link that somebody else has prepared signs nobody in to their account.
        assert other.client.get(back).status_code == 422
        other.get("/sign-in/organisation")
        assert other.client.get(back).status_code == 422
        assert not other.is_signed_in()
        assert visitor.client.get(back).status_code == 303
        assert visitor.client.get(back).status_code == 422


@pytest.mark.parametrize("query", ["", "?state=", "?error=access_denied&state=x", "?code=x&state=%00"])
def test_coming_back_with_nothing_is_answered_in_words(studio: Studio, query: str) -> None:
    with visiting(studio) as visitor:
        visitor.get("/sign-in/organisation")
        answer = visitor.get(f"/sign-in/organisation/back{query}")
        assert (answer.status_code, "Try again, or have a link mailed" in answer.text) == (422, True)


def test_a_provider_that_is_down_leaves_the_other_ways(studio: Studio, server: OpenIdServer) -> None:
    server.status = 503
    with visiting(studio) as visitor:
        answer = visitor.get("/sign-in/organisation")
        assert answer.status_code == 503
        assert "does not answer at the moment" in answer.text
        assert "Send me a link" in answer.text


def test_without_a_provider_there_is_no_such_page(workspace: Workspace) -> None:
    with serve_studio(workspace) as studio, visiting(studio) as visitor:
        assert visitor.get("/sign-in/organisation").status_code == 404
        assert visitor.get("/sign-in/organisation/back?state=x").status_code == 404
        assert "Use your account at" not in visitor.get("/sign-in").text


def test_what_goes_out_comes_back_to_the_address_that_people_open(
    studio: Studio, server: OpenIdServer
) -> None:
    with visiting(studio) as visitor:
        go_and_come_back(visitor)
    asked = server.requests[0][1]
    assert asked["redirect_uri"] == f"{studio.url}/sign-in/organisation/back"
    assert urlsplit(asked["redirect_uri"]).hostname == "localhost"
