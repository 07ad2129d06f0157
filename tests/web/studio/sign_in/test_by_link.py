"""Signing in by a mailed link: asked for by anybody, answered the same, used once, where it was asked for."""

import re
from collections.abc import Iterator

import httpx2
import pytest
from playwright.sync_api import Browser, expect
from sqlmodel import Session, delete, select

from mailer.database.team_models import Role, SignInLink, SignInMail, TeamMember, TeamSession
from mailer.web.dependencies import utc_now
from mailer.web.server import start_in_thread
from mailer.web.site import create_local_studio
from mailer.workspace import Workspace, open_workspace
from tests.servers.process import wait_until
from tests.web.studio.conftest import Studio, serve_studio
from tests.web.studio.sign_in.visitor import (
    Visitor,
    await_mails,
    find_link,
    read_mails,
    visiting,
    with_maildir,
)


@pytest.fixture
def studio(workspace: Workspace) -> Iterator[Studio]:
    with serve_studio(with_maildir(workspace)) as studio:
        studio.add_member(Role.author, "Ann Author")
        yield studio


def ask(visitor: Visitor, email: str = "ann@example.org", next_path: str = "") -> None:
    answer = visitor.post("/sign-in", email=email, next=next_path)
    assert (answer.status_code, answer.headers["location"]) == (303, "/studio/sign-in/sent")


def await_empty_queue(studio: Studio) -> None:
    def is_empty() -> bool:
        with Session(studio.engine) as session:
            return session.exec(select(SignInMail)).first() is None

    wait_until(is_empty, what="the queue")


def test_a_link_signs_in_once_and_leads_to_the_page_that_was_wanted(studio: Studio) -> None:
    with visiting(studio) as visitor, visiting(studio) as other:
        turned_away = visitor.get("/?x=1")
        assert turned_away.headers["location"] == "/studio/sign-in?next=%2F%3Fx%3D1"
        ask(visitor, " Ann@Example.org ", "/editions?x=1")
        (mail,) = await_mails(studio.workspace, 1)
        assert mail["To"] == "ann@example.org"
        path = find_link(mail)
        # A mail program that opens it changes nothing.
        for _ in range(3):
            assert "Ann Author" in visitor.get(path).text
        assert not visitor.is_signed_in()
        answer = visitor.post(path)
        assert (answer.status_code, answer.headers["location"]) == (303, "/studio/editions?x=1")
        assert visitor.is_signed_in()
        assert other.post(path).status_code == 410
        assert not other.is_signed_in()


def test_a_second_click_on_the_button_signs_in_all_the_same(studio: Studio) -> None:
    with visiting(studio) as visitor:
        ask(visitor)
        path = find_link(await_mails(studio.workspace, 1)[0])
        assert [visitor.post(path).status_code for _ in range(2)] == [303, 303]
        with Session(studio.engine) as session:
            (link,) = session.exec(select(SignInLink)).all()
            link.used_at = link.created_at - (link.expires_at - link.created_at)
            session.add(link)
            session.commit()
        visitor.post("/sign-out")
        assert visitor.post(path).status_code == 410


def test_a_link_works_only_in_the_browser_that_asked(studio: Studio) -> None:
    with visiting(studio) as visitor, visiting(studio) as other:
        ask(visitor)
        path = find_link(await_mails(studio.workspace, 1)[0])
        ask(other, "stranger@example.org")
        for answer in (other.get(path), other.post(path)):
            assert answer.status_code == 403
            assert "in the browser in which it was asked for" in answer.text
        assert visitor.post(path).status_code == 303


def test_the_answer_is_the_same_whoever_is_asked_for(studio: Studio) -> None:
    with Session(studio.engine) as session:
        gone = studio.add_member(Role.author, "Gone Author")
        row = session.get_one(TeamMember, gone.id)
        row.removed_at = utc_now()
        session.add(row)
        session.commit()
    answers = []
    for email in ("ann@example.org", "gone@example.org", "nobody@example.org"):
        with visiting(studio) as visitor:
            answer = visitor.post("/sign-in", email=email)
            names = sorted(cookie.name for cookie in visitor.client.cookies.jar)
            text = visitor.get("/sign-in/sent").text.replace(email, "…")
            answers.append((answer.status_code, answer.headers["location"], names, text))
    assert answers[0] == answers[1] == answers[2]
    await_empty_queue(studio)
    assert [mail["To"] for mail in read_mails(studio.workspace)] == ["ann@example.org"]


def test_too_many_links_for_one_address_are_answered_alike_and_not_mailed(studio: Studio) -> None:
    with visiting(studio) as visitor:
        for _ in range(8):
            ask(visitor)
        await_empty_queue(studio)
        assert len(read_mails(studio.workspace)) == 5
    # Somebody else's network has its own share.
    with visiting(studio, **{"x-forwarded-for": "192.0.2.9"}) as elsewhere:
        ask(elsewhere)
        await_mails(studio.workspace, 6)


def test_a_network_that_asks_for_everybody_is_told_to_wait(studio: Studio) -> None:
    with visiting(studio, **{"x-forwarded-for": "192.0.2.66"}) as visitor:
        statuses = [visitor.post("/sign-in", email=f"n{n}@example.org").status_code for n in range(101)]
        assert statuses == [303] * 100 + [429]
        last = visitor.post("/sign-in", email="n@example.org")
        assert int(last.headers["retry-after"]) > 0
        assert 'value="n@example.org"' in last.text
    with visiting(studio) as other:
        ask(other)


def test_what_is_no_address_is_shown_again_with_what_was_wrong(studio: Studio) -> None:
    with visiting(studio) as visitor:
        for wrong in ("", "ann", "ann@", 'a"><script>@x', "a b@example.org"):
            answer = visitor.post("/sign-in", email=wrong, next="/editions")
            assert answer.status_code == 422
            assert "Write your email address in full" in answer.text
            assert '<a href="#email">' in answer.text
            assert 'name="next" value="/editions"' in answer.text
            assert "<script>@x" not in answer.text


@pytest.mark.parametrize(
    "next_path",
    [
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "/../u/x",
        "/%2e%2e/x",
        "javascript:x",
        "/a\r\nb",
    ],
)
def test_signing_in_leads_to_our_own_pages_only(studio: Studio, next_path: str) -> None:
    with visiting(studio) as visitor:
        ask(visitor, next_path=next_path)
        path = find_link(await_mails(studio.workspace, 1)[0])
        assert visitor.post(path).headers["location"] == "/studio/"


def test_the_mail_is_in_the_language_of_the_member(studio: Studio) -> None:
    with Session(studio.engine) as session:
        ann = session.exec(select(TeamMember).where(TeamMember.email == "ann@example.org")).one()
        ann.language = "fr"
        session.add(ann)
        session.commit()
    with visiting(studio, **{"accept-language": "ja"}) as visitor:
        ask(visitor)
        (mail,) = await_mails(studio.workspace, 1)
        assert mail["Content-Language"] == "fr"


def test_a_new_secret_comes_with_every_sign_in_and_an_old_one_is_worth_nothing(studio: Studio) -> None:
    with visiting(studio) as visitor:
        visitor.client.cookies.set("studio", "planted", domain="localhost.local", path="/")
        ask(visitor)
        ask(visitor)
        first, second = map(find_link, await_mails(studio.workspace, 2))
        visitor.post(first)
        former = visitor.session
        assert former
        assert former != "planted"
        visitor.post(second)
        assert visitor.session not in {"", former, "planted"}
        with Session(studio.engine) as session:
            assert len(session.exec(select(TeamSession)).all()) == 1


def test_the_cookies_are_out_of_reach_of_scripts_and_other_sites(studio: Studio) -> None:
    with visiting(studio) as visitor:
        answer = visitor.post("/sign-in", email="ann@example.org")
        visitor.post(find_link(await_mails(studio.workspace, 1)[0]))
        for header in answer.headers.get_list("set-cookie"):
            assert re.search(r"; HttpOnly; .*Path=/; SameSite=lax$", header), header


def test_signing_out_ends_the_session_at_the_server(studio: Studio) -> None:
    with visiting(studio) as visitor:
        ask(visitor)
        visitor.post(find_link(await_mails(studio.workspace, 1)[0]))
        secret = visitor.session
        answer = visitor.post("/sign-out")
        assert answer.headers["location"] == "/studio/sign-in?notice=signed-out"
        assert "You have signed out." in visitor.get("/sign-in?notice=signed-out").text
        visitor.client.cookies.set("studio", secret, domain="localhost.local", path="/")
        assert not visitor.is_signed_in()


def test_the_journey_in_a_browser(studio: Studio, browser: Browser) -> None:
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(f"{studio.url}/")
        page.get_by_label("Your email address").fill("ann@example.org")
        page.get_by_role("button", name="Send me a link").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Look in your mail")
        expect(page.get_by_text("ann@example.org")).to_be_visible()
        page.goto(studio.url + find_link(await_mails(studio.workspace, 1)[0]))
        page.get_by_role("button", name="Sign in").dblclick()
        expect(page.locator(".self")).to_contain_text("Ann Author")


def test_a_relay_that_is_down_is_said_on_the_page_whoever_asks(
    workspace: Workspace, browser: Browser
) -> None:
    # Nothing listens at the port of a relay that has just been given up.
    from tests.servers.process import free_port

    # A variable, so that it stays when the file is read again.
    down = open_workspace(workspace.root, environ={"MAILER_SMTP__URL": f"smtp://127.0.0.1:{free_port()}"})
    for email in ("ann@example.org", "nobody@example.org"):
        with serve_studio(down) as studio, browser.new_context() as context:
            if email.startswith("ann"):
                studio.add_member(Role.author, "Ann Author")
            page = context.new_page()
            page.goto(f"{studio.url}/sign-in")
            page.get_by_label("Your email address").fill(email)
            page.get_by_role("button", name="Send me a link").click()
            expect(page.get_by_text("Mail is not leaving at the moment")).to_be_visible(timeout=20_000)
            page.goto(f"{studio.url}/sign-in")
            expect(page.get_by_text("Mail is not leaving at the moment")).to_be_visible()
            with Session(studio.engine) as session:
                session.exec(delete(SignInMail))
                session.commit()


def test_over_https_no_cookie_goes_over_an_open_line_or_to_another_host(workspace: Workspace) -> None:
    app = create_local_studio(with_maildir(workspace), address="https://news.example.org/studio")
    running = start_in_thread(app)
    try:
        headers = {
            "host": "localhost",
            "sec-fetch-site": "same-origin",
            "content-type": "application/x-www-form-urlencoded",
        }
        answer = httpx2.post(
            f"{running.url}/studio/sign-in", content="email=ann@example.org", headers=headers, trust_env=False
        )
        cookies = answer.headers.get_list("set-cookie")
        assert len(cookies) == 2
        for cookie in cookies:
            assert re.match(
                r"__Host-studio-\w+=[^;]+; HttpOnly; Max-Age=\d+; Path=/; SameSite=lax; Secure$", cookie
            )
        assert answer.headers["strict-transport-security"]
    finally:
        running.stop()
