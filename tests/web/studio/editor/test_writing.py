"""Writing in the story editor: typing, the toolbar, keys, and what the form submits."""

import json

from playwright.sync_api import Browser, expect

from tests.web.studio.editor.story_form import StoryForm, make_document, make_paragraph, make_text


def test_the_editor_takes_the_place_of_the_text_area_and_submits_the_document(
    story: StoryForm, browser: Browser
) -> None:
    story.body = "A **bold** word."
    with story.edit(
        browser, make_document(make_paragraph("A ", make_text("bold", "strong"), " word."))
    ) as at:
        expect(at.page.locator("#body")).to_be_hidden()
        at.place(" word.", 6)
        at.page.keyboard.type(" More.")
        at.page.get_by_role("button", name="Save").click()
        expect(at.page.get_by_text("Saved.")).to_be_visible()
    (form,) = story.saved
    assert form.keys() == {"document"}
    assert json.loads(form["document"]) == make_document(
        make_paragraph("A ", make_text("bold", "strong"), " word. More.")
    )


def test_without_script_the_text_area_is_the_editor(story: StoryForm, browser: Browser) -> None:
    story.body = "A **bold** word."
    with story.edit(browser, java_script_enabled=False) as at:
        expect(at.page.locator("#body")).to_have_value("A **bold** word.")
        at.page.get_by_role("button", name="Save").click()
    assert story.saved == [{"body": "A **bold** word."}]


def test_what_is_no_document_of_ours_leaves_the_text_area(story: StoryForm, browser: Browser) -> None:
    story.body = "Text."
    with story.edit(browser, make_document({"type": "script", "content": []})) as at:
        expect(at.page.locator("#body")).to_be_visible()
        at.page.get_by_role("button", name="Save").click()
    assert story.saved == [{"body": "Text."}]


BLOCKS = {
    "Heading": ("Control+Alt+2", "## Words.\n"),
    "Small heading": ("Control+Alt+3", "### Words.\n"),
    "Quotation": ("Control+Shift+9", "> Words.\n"),
    "Bulleted list": ("Control+Shift+8", "- Words.\n"),
    "Numbered list": ("Control+Shift+7", "1. Words.\n"),
}
MARKS = {"Bold": ("Control+b", "Some **words** here.\n"), "Italic": ("Control+i", "Some *words* here.\n")}


def test_a_button_and_its_keys_change_the_block_and_change_it_back(
    story: StoryForm, browser: Browser
) -> None:
    with story.edit(browser) as at:
        for name, (keys, markdown) in BLOCKS.items():
            at.begin("Words.\n")
            at.place("Words.", 2)
            at.button(name).click()
            assert at.markdown == markdown
            expect(at.button(name)).to_have_attribute("aria-pressed", "true")
            expect(at.text).to_be_focused()
            at.page.keyboard.press(keys)
            assert at.markdown == "Words.\n"
            expect(at.button(name)).to_have_attribute("aria-pressed", "false")


def test_a_button_and_its_keys_mark_what_is_selected(story: StoryForm, browser: Browser) -> None:
    with story.edit(browser) as at:
        for name, (keys, markdown) in MARKS.items():
            at.begin("Some words here.\n")
            at.select("words")
            at.button(name).click()
            assert at.markdown == markdown
            expect(at.button(name)).to_have_attribute("aria-pressed", "true")
            at.page.keyboard.press(keys)
            assert at.markdown == "Some words here.\n"


def test_a_list_changes_its_kind_as_a_whole(story: StoryForm, browser: Browser) -> None:
    with story.edit(browser) as at:
        at.begin("- one\n- two\n")
        at.place("two")
        at.button("Numbered list").click()
        assert at.markdown == "1. one\n2. two\n"


def test_the_page_can_lead_to_a_block_and_mark_it(story: StoryForm, browser: Browser) -> None:
    with story.edit(browser) as at:
        at.begin("One\n\n- two\n- three\n\nFour\n")
        at.page.evaluate("document.querySelector('story-editor').mark(1)")
        expect(at.text.locator(".unwritable")).to_have_text("twothree")
        at.page.evaluate("document.querySelector('story-editor').goTo(2)")
        expect(at.text).to_be_focused()
        at.page.keyboard.type("Five")
        assert at.markdown == "One\n\n- two\n- three\n\nFive\n"
        expect(at.text.locator(".unwritable")).to_have_text("twothree")
        at.page.evaluate("document.querySelector('story-editor').goTo(99)")
        at.page.evaluate("document.querySelector('story-editor').mark(null)")
        expect(at.text.locator(".unwritable")).to_have_count(0)
