"""Comments in a browser: a name picked after an @, a reply and a change without leaving the page."""

from playwright.sync_api import Browser, expect

from mailer.database.team_models import Role
from tests.factories.small_edition import SLUG, write_edition
from tests.web.studio.conftest import Studio


def test_a_comment_is_written_mentioned_answered_and_resolved_in_the_page(
    studio: Studio, browser: Browser
) -> None:
    write_edition(studio.workspace.editions)
    ann = studio.add_member(Role.author, "Ann Author")
    studio.add_member(Role.guest, "Bo Guest")
    with studio.browse(browser, ann) as page:
        page.goto(f"{studio.url}/editions/{SLUG}/stories/teachers/comments")
        page.get_by_label("Passage").fill("met to share what works")
        field = page.get_by_label("Comment", exact=True)
        field.press_sequentially("Look, @b")
        expect(page.get_by_role("option", name="Bo Guest")).to_be_visible()
        field.press("Enter")
        expect(field).to_have_value("Look, @Bo Guest ")
        field.press_sequentially("please.")
        page.get_by_role("button", name="Comment on this story").click()
        thread = page.locator(".thread")
        expect(thread.locator(".mention")).to_have_text("@Bo Guest")
        expect(page.locator("#comments-title")).to_be_focused()

        thread.get_by_text("Reply", exact=True).click()
        thread.get_by_label("Your reply").fill("<b>Sixty</b> & more")
        thread.get_by_role("button", name="Send reply").click()
        expect(thread.locator(".said").nth(1)).to_have_text("<b>Sixty</b> & more")

        thread.get_by_role("link", name="Change").first.click()
        editing = page.get_by_label("Your comment")
        expect(editing).to_be_focused()
        editing.fill("Look again.")
        page.get_by_role("button", name="Save comment").click()
        expect(thread.locator(".said").first).to_have_text("Look again.")

        page.get_by_role("button", name="Comment on this story").click()
        expect(page.locator("#errors")).to_be_focused()
        expect(page.locator("#errors")).to_contain_text("Write the comment.")

        thread.get_by_role("button", name="Resolve").click()
        expect(page.get_by_text("One resolved comment")).to_be_visible()


def test_without_script_the_same_forms_work(studio: Studio, browser: Browser) -> None:
    write_edition(studio.workspace.editions)
    ann = studio.add_member(Role.author, "Ann Author")
    with studio.browse(browser, ann, java_script_enabled=False) as page:
        page.goto(f"{studio.url}/editions/{SLUG}/stories/teachers/comments")
        page.get_by_label("Comment", exact=True).fill("Look.")
        page.get_by_role("button", name="Comment on this story").click()
        expect(page.locator(".notice")).to_have_text("Your comment is there.")
        expect(page.locator(".said")).to_have_text("Look.")
        page.get_by_text("Reply", exact=True).click()
        page.get_by_label("Your reply").fill("Yes.")
        page.get_by_role("button", name="Send reply").click()
        expect(page.locator(".said")).to_have_text(["Look.", "Yes."])


def test_beside_the_story_the_selected_words_become_the_passage_and_are_shown_where_they_stand(
    studio: Studio, browser: Browser
) -> None:
    write_edition(studio.workspace.editions)
    ann = studio.add_member(Role.author, "Ann Author")
    with studio.browse(browser, ann) as page:
        page.goto(f"{studio.url}/editions/{SLUG}/stories/teachers")
        panel = page.locator("[data-comments]")
        expect(panel).to_contain_text("Nobody has said anything about this story yet.")
        writing = page.locator(".ProseMirror p").first
        expect(writing).to_contain_text("Sixty teachers met")
        writing.click(click_count=3)
        panel.get_by_role("button", name="Take what is selected").click()
        expect(panel.get_by_label("Passage")).to_have_value(
            "Sixty teachers met to share what works in their classrooms."
        )
        panel.get_by_label("Comment", exact=True).fill("All of them?")
        panel.get_by_role("button", name="Comment on this story").click()
        expect(panel.locator(".said")).to_have_text("All of them?")
        assert page.url.endswith("/stories/teachers")
        panel.locator(".passage").click()
        assert page.evaluate("[...CSS.highlights.get('passage')][0].toString()") == (
            "Sixty teachers met to share what works in their classrooms."
        )
