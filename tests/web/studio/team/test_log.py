"""The log's page: filtered, paged, and taken away as a file, which is itself written down."""

import csv
import io
from datetime import timedelta

from playwright.sync_api import Browser, expect
from sqlmodel import Session

from mailer.activity.acts import Act
from mailer.activity.deeds import Deed
from mailer.activity.record import Actor, record_activity
from mailer.database.team_models import Role
from mailer.team.members import Member
from mailer.web.dependencies import utc_now
from tests.web.studio.conftest import Studio


def fill(studio: Studio, mei: Member, number: int = 0) -> None:
    now = utc_now()
    ann = Actor.from_member(studio.add_member(Role.author, "Ann Author"))
    shell = Actor.from_command_line("root")
    with Session(studio.engine) as session:
        for one in range(number):
            record_activity(
                session, shell, Deed(act=Act.sent_test, edition="2025-9", detail=f"to {one}"), now=now
            )
        record_activity(session, shell, Deed(act=Act.rotated_keys), now=now - timedelta(days=2))
        record_activity(session, ann, Deed(act=Act.created_edition, edition="2026-1"), now=now)
        record_activity(
            session,
            Actor.from_member(mei),
            Deed(act=Act.invited_member, subject="<i>=1+1</i>", detail="=cmd()"),
            now=now,
        )
        session.commit()


def test_the_log_is_filtered_by_person_act_edition_and_day(studio: Studio, browser: Browser) -> None:
    mei = studio.add_member(Role.manager, "Mei Manager")
    fill(studio, mei)
    with studio.browse(browser, mei, java_script_enabled=False) as page:
        page.goto(f"{studio.url}/log")
        lines = page.locator(".log > li")
        expect(lines).to_have_count(3)
        expect(lines.first).to_contain_text("Invited <i>=1+1</i>")
        expect(lines.last).to_contain_text("(command line)")
        for label, choice, words in (
            ("Person", "Ann Author", "Began the edition"),
            ("Person", "The command line", "Made a new key for links"),
            ("What was done", "Invited …", "Invited"),
            ("Edition", "2026-1", "Began the edition"),
        ):
            page.get_by_label(label).select_option(choice)
            page.get_by_role("button", name="Show", exact=True).click()
            expect(lines).to_have_count(1)
            expect(lines.first).to_contain_text(words)
            page.get_by_role("link", name="Show everything").click()
        page.get_by_label("Day (UTC)").fill((utc_now() - timedelta(days=2)).date().isoformat())
        page.get_by_role("button", name="Show", exact=True).click()
        expect(lines).to_have_count(1)
        page.goto(f"{studio.url}/log?day=soon")
        expect(page.locator("#errors")).to_contain_text("such as 2026-03-31")
        page.goto(f"{studio.url}/log?edition=nowhere")
        expect(page.locator("main")).to_contain_text("Nothing like that was done.")


def test_older_lines_are_a_page_away_and_keep_the_filter(studio: Studio, browser: Browser) -> None:
    mei = studio.add_member(Role.manager, "Mei Manager")
    fill(studio, mei, number=120)
    with studio.browse(browser, mei) as page:
        page.goto(f"{studio.url}/log?act=sent_test")
        seen = []
        while True:
            seen += [words.split()[-1] for words in page.locator(".log .small:last-child").all_inner_texts()]
            older = page.get_by_role("link", name="Older")
            if not older.count():
                break
            older.click()
        assert seen == [str(number) for number in reversed(range(120))]


def test_the_file_has_the_chosen_lines_without_formulas_and_taking_it_is_written_down(
    studio: Studio, browser: Browser
) -> None:
    mei = studio.add_member(Role.manager, "Mei Manager")
    fill(studio, mei)
    with studio.browse(browser, mei) as page:
        page.goto(f"{studio.url}/log?person={mei.id}")
        with page.expect_download() as download:
            page.get_by_role("button", name="Download as CSV").click()
        assert download.value.suggested_filename == "log.csv"
        text = download.value.path().read_bytes().decode("utf-8-sig")
        rows = list(csv.DictReader(io.StringIO(text)))
        assert next((row["who"], row["place"], row["act"], row["detail"]) for row in rows) == (
            "Mei Manager",
            "studio",
            "invited_member",
            "'=cmd()",
        )
        page.goto(f"{studio.url}/log")
        expect(page.locator(".log > li").first).to_contain_text("Downloaded the log")
        expect(page.locator(".log > li").first).to_contain_text(f"person: {mei.id}")
