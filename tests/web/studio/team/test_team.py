"""The team's pages: inviting, roles, removing, and the last manager who stays."""

import re
from datetime import timedelta

import pytest
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import text, update
from sqlmodel import Session, col, select

from mailer.database.team_models import ActivityRecord, Role, TeamMember, TeamSession
from mailer.team.invitations import accept_invitation, invite_member
from mailer.team.members import find_member_by_address
from mailer.web.dependencies import utc_now
from mailer.web.studio.state import leads_here_alone
from tests.web.studio.conftest import Studio


def list_acts(studio: Studio) -> list[tuple[str, str, str, str]]:
    with Session(studio.engine) as session:
        rows = session.exec(select(ActivityRecord).order_by(col(ActivityRecord.id))).all()
        return [(row.name, row.act, row.subject, row.detail) for row in rows]


def invite(page: Page, address: str, name: str, role: str) -> None:
    page.get_by_role("link", name="Team", exact=True).click()
    page.get_by_role("link", name="Invite a person").click()
    expect(page.locator("main")).to_contain_text("Studio can be opened on this machine alone")
    expect(page.get_by_label("Author")).to_have_accessible_name(re.compile("changes partners"))
    page.get_by_label("Their email address").fill(address)
    page.get_by_label("Their name").fill(name)
    page.get_by_label(role).check()
    page.get_by_role("button", name="Invite this person").click()


@pytest.mark.parametrize(
    ("address", "is_so"),
    [
        ("http://localhost:8028/studio", True),
        ("http://127.0.0.1:8025/studio", True),
        ("http://[::1]:8025/studio", True),
        ("https://news.example.org/studio", False),
        ("http://localhost.example.org/studio", False),
    ],
)
def test_a_mailed_link_is_known_to_lead_nowhere_else(address: str, is_so: bool) -> None:
    assert leads_here_alone(address) is is_so


def test_a_manager_invites_a_person_changes_their_role_and_removes_them(
    studio: Studio, browser: Browser
) -> None:
    mei = studio.add_member(Role.manager, "Mei Manager")
    with studio.browse(browser, mei, java_script_enabled=False) as page:
        page.goto(f"{studio.url}/team")
        expect(page.get_by_text("Only you belong to the team")).to_be_visible()
        invite(page, "Kim@Example.org", "Kim <b>Minseo</b>", "Author")
        expect(page.get_by_role("status")).to_contain_text("The invitation is on its way")
        invited = page.locator("section", has_text="Invited")
        expect(invited).to_contain_text("kim@example.org")
        expect(invited).to_contain_text("Kim <b>Minseo</b>")
        invited.get_by_role("button", name=re.compile("Send again")).click()
        expect(page.get_by_role("status")).to_contain_text("no longer works")
        page.get_by_role("link", name="Kim <b>Minseo</b>").click()
        page.get_by_label("Approver").check()
        page.get_by_role("button", name="Change the role").click()
        expect(page.get_by_role("status")).to_contain_text("The role is changed")
        page.get_by_role("link", name="Kim <b>Minseo</b>").click()
        page.get_by_role("button", name="Remove Kim").click()
        expect(page.get_by_role("status")).to_contain_text("no longer belong to the team")
        expect(page.locator("main")).not_to_contain_text("Kim")
    assert list_acts(studio) == [
        ("Mei Manager", "invited_member", "kim@example.org", "author"),
        ("Mei Manager", "invited_member", "kim@example.org", "author, again"),
        ("Mei Manager", "changed_role", "kim@example.org", "author → approver"),
        ("Mei Manager", "removed_member", "kim@example.org", "approver"),
    ]


def test_who_has_not_shown_lately_that_it_is_them_is_asked_first(studio: Studio, browser: Browser) -> None:
    mei = studio.add_member(Role.manager, "Mei Manager")
    ann = studio.add_member(Role.author, "Ann Author")
    with studio.browse(browser, mei) as page:
        page.goto(f"{studio.url}/team/{ann.id}")
        page.get_by_label("Manager").check()
        with Session(studio.engine) as session:
            session.execute(text("UPDATE team_session SET confirmed_at = '2020-01-01 00:00:00+00:00'"))
            session.commit()
        page.get_by_role("button", name="Change the role").click()
        expect(page.get_by_role("heading", level=1)).not_to_have_text("Ann Author")
        for path in (f"team/{ann.id}/role", f"team/{ann.id}/remove", "team/invite", "log/export"):
            page.goto(f"{studio.url}/team")
            answer = page.evaluate(
                "path => fetch(path, {method: 'POST', redirect: 'manual', body: "
                "new URLSearchParams({role: 'manager', email: 'eve@example.org'})}).then(one => one.status)",
                f"/studio/{path}",
            )
            assert answer not in {200, 422}, path
    assert list_acts(studio) == []


def test_a_refused_invitation_keeps_what_was_typed_and_leads_to_the_field(
    studio: Studio, browser: Browser
) -> None:
    mei = studio.add_member(Role.manager, "Mei Manager")
    with studio.browse(browser, mei) as page:
        page.goto(f"{studio.url}/team/invite")
        page.get_by_label("Their email address").fill("kim@nowhere")
        page.get_by_label("Their name").fill("Kim")
        page.get_by_label("Approver").check()
        page.get_by_role("button", name="Invite this person").click()
        expect(page.locator("#errors")).to_be_focused()
        page.get_by_role("link", name=re.compile("Write their email address in full")).click()
        expect(page.get_by_label("Their email address")).to_be_focused()
        expect(page.get_by_label("Their email address")).to_have_value("kim@nowhere")
        expect(page.get_by_label("Their name")).to_have_value("Kim")
        expect(page.get_by_label("Approver")).to_be_checked()
        page.get_by_label("Their email address").fill(mei.email)
        page.get_by_role("button", name="Invite this person").click()
        expect(page.locator("#errors")).to_contain_text("belongs to the team already")
    assert list_acts(studio) == []


def test_the_only_manager_is_told_why_they_stay(studio: Studio, browser: Browser) -> None:
    mei = studio.add_member(Role.manager, "Mei Manager")
    with Session(studio.engine) as session:
        invite_member(session, "max@example.org", "Max", Role.manager, invited_by=mei.id, now=utc_now())
        session.commit()
    with studio.browse(browser, mei) as page:
        page.goto(f"{studio.url}/team/{mei.id}")
        page.get_by_role("button", name="Remove Mei Manager").click()
        expect(page.locator("#errors")).to_contain_text("Mei Manager is the only manager")
        page.get_by_label("Guest").check()
        page.get_by_role("button", name="Change the role").click()
        expect(page.locator("#errors")).to_contain_text("Make somebody else a manager first")
        with Session(studio.engine) as session:
            kept = session.get(TeamMember, mei.id)
            assert kept is not None
            assert (kept.role, kept.removed_at) == (Role.manager, None)
            arrived = find_member_by_address(session, "max@example.org")
            assert arrived is not None
            accept_invitation(session, arrived.id)
            session.commit()
        page.get_by_label("Guest").check()
        page.get_by_role("button", name="Change the role").click()
        expect(page.get_by_role("status")).to_contain_text("The role is changed")
        expect(page.get_by_role("link", name="Invite a person")).to_have_count(0)


def test_others_see_who_belongs_to_the_team_and_change_nothing(studio: Studio, browser: Browser) -> None:
    studio.add_member(Role.manager, "Mei Manager")
    guest = studio.add_member(Role.guest, "Gus Guest")
    with studio.browse(browser, guest) as page:
        page.goto(f"{studio.url}/team")
        expect(page.locator("main")).to_contain_text("Mei Manager")
        expect(page.locator("main").get_by_role("link")).to_have_count(0)
        expect(page.locator("main").get_by_role("button")).to_have_count(0)


def test_whose_sessions_a_manager_ends_has_to_sign_in_again(studio: Studio, browser: Browser) -> None:
    mei, ann = studio.add_member(Role.manager, "Mei Manager"), studio.add_member(Role.author, "Ann Author")
    with studio.browse(browser, ann) as hers, studio.browse(browser, mei) as page:
        hers.goto(f"{studio.url}/team")
        page.goto(f"{studio.url}/team/{ann.id}")
        expect(page.locator("section", has_text="Where they are signed in")).to_contain_text("A browser")
        page.get_by_role("button", name="Sign them out everywhere").click()
        expect(page.get_by_role("status")).to_contain_text("signed out everywhere")
        hers.reload()
        expect(hers).to_have_url(re.compile("/studio/sign-in"))
    assert list_acts(studio) == [("Mei Manager", "ended_sessions", ann.email, "")]


def test_a_manager_sees_sessions_that_have_ended_until_they_are_deleted(
    studio: Studio, browser: Browser
) -> None:
    mei, ann = studio.add_member(Role.manager, "Mei Manager"), studio.add_member(Role.author, "Ann Author")
    studio.sign_in(ann)
    with Session(studio.engine) as session:
        session.exec(update(TeamSession).values(last_seen_at=utc_now() - timedelta(days=400)))
        session.commit()
    with studio.browse(browser, mei) as page:
        page.goto(f"{studio.url}/team/{ann.id}")
        expect(page.locator("section", has_text="Where they are signed in")).to_contain_text("A browser")
