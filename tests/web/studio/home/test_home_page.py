"""The first page: what waits for the member, and the editions that were worked on lately."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect
from sqlalchemy import text
from sqlmodel import Session

from editions.source.text_file import text_digest
from mailer.comments.threads import begin_thread
from mailer.database.edition_models import EditionRevision, RevisionKind, UnsavedReason, UnsavedText
from mailer.database.models import Campaign, CampaignState, DeliveryState
from mailer.database.team_models import Role
from mailer.team.invitations import invite_member
from mailer.web.dependencies import utc_now
from mailer.web.studio import home
from mailer.web.studio.page import StudioPage
from mailer.web.studio.waiting_item import WaitingItem
from subscribers.models import SignUpReview
from tests.factories.deliveries import add_campaign, add_subscribers
from tests.factories.feedback import set_deliveries
from tests.factories.small_edition import SLUG, write_edition
from tests.web.studio.conftest import Studio
from tests.web.studio.editions.studio_client import StudioClient


def test_the_first_page_names_who_is_signed_in_and_begins_with_the_first_edition(
    studio: Studio, browser: Browser
) -> None:
    member = studio.add_member(Role.author, "Ann Author")
    with studio.browse(browser, member) as page:
        page.goto(f"{studio.url}/")
        expect(page.get_by_role("heading", level=1)).to_have_text("Home")
        expect(page.locator(".self")).to_contain_text("Ann Author")
        expect(page.locator("main")).to_contain_text("There is no edition yet.")
        expect(page.get_by_role("link", name="New edition")).to_be_visible()
    guest = studio.add_member(Role.guest, "Gus Guest")
    with studio.browse(browser, guest) as page:
        page.goto(f"{studio.url}/")
        expect(page.get_by_role("link", name="New edition")).to_have_count(0)


def test_editions_come_in_the_order_in_which_they_were_written_in(studio: Studio, browser: Browser) -> None:
    for slug in ("2026-1", "2026-2", "2026-10"):
        write_edition(studio.workspace.editions, slug)
    ann = studio.add_member(Role.author, "Ann Author")
    now = utc_now()
    with Session(studio.engine) as session:
        for slug, kind, number in (
            ("2026-1", RevisionKind.written, ann.id),
            ("2026-2", RevisionKind.outside, None),
            ("2026-10", RevisionKind.found, None),
            ("gone", RevisionKind.written, ann.id),
        ):
            session.add(
                EditionRevision(edition=slug, kind=kind, member_id=number, began_at=now, ended_at=now)
            )
        session.commit()
    with studio.browse(browser, ann, java_script_enabled=False) as page:
        page.goto(f"{studio.url}/")
        expect(page.get_by_role("link", name="Prepare a campaign")).to_be_visible()
        editions = page.locator("section", has_text="Latest editions").locator("li")
        assert [re.findall(r"2026-\d+", words)[0] for words in editions.all_inner_texts()] == [
            "2026-2",
            "2026-1",
            "2026-10",
        ]
        expect(editions.nth(1)).to_contain_text("Ann Author")
        expect(editions.nth(0)).not_to_contain_text("Ann Author")
        expect(page.locator("main")).to_contain_text("Nothing waits.")


def test_what_waits_leads_to_where_it_is_settled(studio: Studio, browser: Browser) -> None:
    folder = write_edition(studio.workspace.editions)
    broken = write_edition(studio.workspace.editions, "2026-2")
    (broken / "edition.md").write_bytes(b"\xff\xfe")
    (folder / "stories" / "010-teachers.md").write_text("---\ntitle: T\nsector: nothing\n---\n\nText.\n")
    mei, now = studio.add_member(Role.manager, "Mei Manager"), utc_now()
    with Session(studio.engine) as session:
        invite_member(session, "kim@example.org", "Kim", Role.author, invited_by=mei.id, now=now)
        session.execute(text("UPDATE team_invitation SET invited_at = '2020-01-01 00:00:00+00:00'"))
        session.add(
            UnsavedText(
                edition=SLUG,
                story="teachers",
                name="stories/010-teachers.md",
                member_id=mei.id,
                reason=UnsavedReason.changed,
                mine="What I wrote",
                created_at=now,
                updated_at=now,
            )
        )
        session.commit()
    with studio.browse(browser, mei) as page:
        page.goto(f"{studio.url}/")
        waiting = page.locator("section", has_text="Waits for you")
        expect(waiting.get_by_role("link", name="teachers")).to_have_attribute(
            "href", f"/studio/editions/{SLUG}/conflicts/1"
        )
        expect(waiting).to_contain_text("What you wrote is not in the file yet")
        expect(waiting.get_by_role("link", name="2026-2")).to_have_attribute(
            "href", "/studio/editions/2026-2"
        )
        expect(waiting).to_contain_text("The link of their invitation has expired")
        latest = page.locator("section", has_text="Latest editions")
        expect(latest).to_contain_text(re.compile(r"\d+ errors?"))
        page.reload()
        expect(waiting).to_contain_text(re.compile(r"\d+ errors?"))
        waiting.get_by_role("link", name="Partner News").click()
        expect(page).to_have_url(f"{studio.url}/editions/{SLUG}/problems")
    guest = studio.add_member(Role.guest, "Gus Guest")
    with studio.browse(browser, guest) as page:
        page.goto(f"{studio.url}/")
        expect(page.locator("main")).to_contain_text("Nothing waits.")


def test_a_comment_that_speaks_to_a_member_waits_for_them_alone(studio: Studio, browser: Browser) -> None:
    write_edition(studio.workspace.editions)
    mei, ann = studio.add_member(Role.approver, "Mei Manager"), studio.add_member(Role.author, "Ann Author")
    with Session(studio.engine) as session:
        begin_thread(
            session,
            mei,
            "@Ann Author is <b>this</b> right?",
            edition=SLUG,
            story="teachers",
            mentioned=[ann.id],
            request="a",
            now=utc_now(),
        )
        session.commit()
    with studio.browse(browser, mei, java_script_enabled=False) as page:
        page.goto(f"{studio.url}/")
        expect(page.locator("main")).to_contain_text("Nothing waits.")
    with studio.browse(browser, ann, java_script_enabled=False) as page:
        page.goto(f"{studio.url}/")
        waiting = page.locator("section", has_text="Waits for you")
        expect(waiting).to_contain_text("Mei Manager wrote to you")
        waiting.get_by_role("link", name="is <b>this</b> right?").click()
        expect(page).to_have_url(re.compile(r"/stories/teachers/comments#thread-\d+$"))


def test_a_source_that_cannot_be_read_is_named_and_hides_no_other(studio: Studio, browser: Browser) -> None:
    broken = write_edition(studio.workspace.editions)
    (broken / "edition.md").write_bytes(b"\xff\xfe")
    mei = studio.add_member(Role.manager, "Mei Manager")
    with Session(studio.engine) as session:
        session.execute(text("DROP TABLE unsaved_text"))
        session.commit()
    with studio.browse(browser, mei) as page:
        page.goto(f"{studio.url}/")
        expect(page.locator("main")).to_contain_text("Texts that could not be saved cannot be read")
        expect(
            page.locator("section", has_text="Waits for you").get_by_role("link", name=SLUG)
        ).to_be_visible()


def test_a_source_that_fails_half_way_shows_nothing_of_its_half(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail_half_way(_: StudioPage) -> Iterator[WaitingItem]:
        yield WaitingItem(title="Half", words="of the truth", act="Look", path="/feedback")
        raise OSError

    monkeypatch.setattr(home, "list_feedback_items", fail_half_way)
    page = StudioClient(studio, Role.manager).get("/").text
    assert "Feedback cannot be read at the moment." in page
    assert "of the truth" not in page


def test_nobody_is_asked_to_mend_an_edition_that_was_sent(studio: Studio, browser: Browser) -> None:
    write_edition(studio.workspace.editions)
    add_campaign(studio.engine, ["bat@example.org"])
    with Session(studio.engine) as session:
        campaign = session.get(Campaign, 1)
        assert campaign is not None
        campaign.edition, campaign.state = SLUG, CampaignState.finished
        session.add(campaign)
        session.commit()
    ann = studio.add_member(Role.author, "Ann Author")
    with studio.browse(browser, ann) as page:
        page.goto(f"{studio.url}/")
        latest = page.locator("section", has_text="Latest editions")
        expect(latest).to_contain_text("Sent")
        expect(latest).not_to_contain_text("Look for problems")
        expect(page.locator("main")).to_contain_text("Nothing waits.")


def test_translations_whose_original_has_changed_wait(studio: Studio, browser: Browser) -> None:
    folder = write_edition(studio.workspace.editions, SLUG)
    story = next(path for path in (folder / "stories").glob("*.md") if len(path.suffixes) == 1)
    translation = story.with_name(f"{story.stem}.fr.md")
    digest = text_digest(story.read_text("utf-8"))
    translation.write_text(f"---\ntitle: Titre\ntranslated_from: {digest}\n---\n\nTexte.\n", encoding="utf-8")
    with studio.browse(browser, studio.add_member(Role.author, "Ann Author")) as page:
        page.goto(f"{studio.url}/")
        expect(page.locator("main")).not_to_contain_text("has changed")
        story.write_text(f"{story.read_text('utf-8')}\nOne more.\n", encoding="utf-8")
        page.reload()
        expect(page.locator("main")).to_contain_text("The original of 1 translation has changed")
    with studio.browse(browser, studio.add_member(Role.guest, "Gus Guest")) as page:
        page.goto(f"{studio.url}/")
        expect(page.locator("main")).not_to_contain_text("has changed")


def test_doubts_wait_for_whoever_may_settle_them_until_they_are_settled(
    studio: Studio, browser: Browser
) -> None:
    number = add_campaign(studio.engine, 3, launched_at=utc_now(), state=CampaignState.finished)
    set_deliveries(studio.engine, number, state=DeliveryState.in_doubt)
    for role, number_of_rows in ((Role.approver, 1), (Role.author, 0)):
        with studio.browse(browser, studio.add_member(role, f"{role.value} X")) as page:
            page.goto(f"{studio.url}/")
            doubts = page.get_by_text("Of 3 partners nobody knows whether they got it")
            expect(doubts).to_have_count(number_of_rows)
            set_deliveries(studio.engine, number, state=DeliveryState.sent)
            page.reload()
            expect(doubts).to_have_count(0)


def test_sign_ups_wait_for_whoever_may_admit_them(studio: Studio, browser: Browser) -> None:
    (number,) = add_subscribers(studio.engine, ["new@example.org"], status="pending")
    with Session(studio.engine) as session:
        session.add(SignUpReview(subscriber_id=number, confirmed_at=utc_now()))
        session.commit()
    for role, expected in ((Role.author, 1), (Role.guest, 0)):
        with studio.browse(browser, studio.add_member(role, f"{role.value} X")) as page:
            page.goto(f"{studio.url}/")
            expect(page.get_by_text("1 person wants to sign up")).to_have_count(expected)
            link = page.get_by_role("link", name="Decide about the sign-up")
            expect(link).to_have_count(expected)
