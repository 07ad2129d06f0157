"""The story editor without a mouse, and what screen readers are told of it."""

import re

from playwright.sync_api import Browser, expect

from editions.rich_text.document import read_document
from tests.web.studio.editor.story_form import StoryForm, make_document, make_paragraph

TABLE = "| a | b |\n|---|---|\n| c | d |\n"


def test_tab_leads_to_the_toolbar_to_the_text_and_out_of_it(story: StoryForm, browser: Browser) -> None:
    with story.edit(browser) as at:
        at.page.locator("#wrong").focus()
        keyboard = at.page.keyboard
        keyboard.press("Tab")
        expect(at.button("Bold")).to_be_focused()
        keyboard.press("ArrowRight")
        keyboard.press("ArrowRight")
        expect(at.button("Link")).to_be_focused()
        keyboard.press("End")
        expect(at.button("Do again")).to_be_focused()
        keyboard.press("ArrowRight")
        expect(at.button("Bold")).to_be_focused()
        keyboard.press("ArrowLeft")
        keyboard.press("Home")
        keyboard.press("ArrowRight")
        keyboard.press("Tab")
        expect(at.text).to_be_focused()
        keyboard.press("Shift+Tab")
        expect(at.button("Italic")).to_be_focused()
        keyboard.press("Tab")
        keyboard.press("Alt+F10")
        expect(at.button("Italic")).to_be_focused()
        keyboard.press("Tab")
        keyboard.press("Tab")
        expect(at.page.get_by_role("button", name="Save")).to_be_focused()


def test_a_button_pressed_by_the_keyboard_keeps_the_focus(story: StoryForm, browser: Browser) -> None:
    with story.edit(browser, make_document(make_paragraph("Words."))) as at:
        at.select("Words")
        at.page.keyboard.press("Alt+F10")
        at.page.keyboard.press("Enter")
        expect(at.button("Bold")).to_be_focused()
        expect(at.button("Bold")).to_have_attribute("aria-pressed", "true")
        assert at.markdown == "**Words**.\n"


def test_everything_has_a_name_a_role_and_its_keys(story: StoryForm, browser: Browser) -> None:
    story.language = "ja"
    with story.edit(browser) as at:
        expect(at.text).to_have_attribute("aria-multiline", "true")
        expect(at.text).to_have_attribute("lang", "ja")
        expect(at.text).to_have_attribute("spellcheck", "true")
        expect(at.text).to_have_attribute("aria-placeholder", "Write the story here.")
        expect(at.page.get_by_role("toolbar", name="Formatting")).to_be_visible()
        expect(at.button("Bold")).to_have_attribute("title", "Bold (Ctrl+B)")
        expect(at.button("Bulleted list")).to_have_attribute("aria-keyshortcuts", "Control+Shift+8")
        expect(at.button("Undo")).to_have_attribute("aria-disabled", "true")
        at.text.press_sequentially("A")
        expect(at.button("Undo")).to_have_attribute("aria-disabled", "false")


def test_a_language_from_right_to_left_is_written_from_the_right(story: StoryForm, browser: Browser) -> None:
    story.language = "ar"
    with story.edit(browser) as at:
        expect(at.text).to_have_attribute("dir", "rtl")
        assert at.page.get_by_role("toolbar").evaluate("bar => getComputedStyle(bar).direction") == "ltr"


def test_the_form_for_a_link_is_in_sight_wherever_one_writes(story: StoryForm, browser: Browser) -> None:
    with story.edit(browser, read_document("One paragraph.\n\n" * 80 + "The last.\n")) as at:
        at.place("The last.", 9)
        at.page.keyboard.type("!")
        before = at.page.evaluate("scrollY")
        at.page.keyboard.press("Control+k")
        expect(at.page.get_by_label("Words to show")).to_be_in_viewport()
        at.page.keyboard.press("Escape")
        assert at.page.evaluate("scrollY") == before > 0
        at.page.keyboard.press("Control+Home")
        at.page.keyboard.press("Control+End")
        expect(at.text.get_by_text("The last.")).to_be_in_viewport()


def test_the_label_and_a_link_to_the_field_lead_to_the_text(story: StoryForm, browser: Browser) -> None:
    with story.edit(browser) as at:
        at.page.locator("label[for=body]").click(force=True)
        expect(at.text).to_be_focused()
        at.page.locator("#wrong").click()
        expect(at.text).to_be_focused()


def test_the_whole_story_can_be_typed(story: StoryForm, browser: Browser) -> None:
    with story.edit(browser) as at:
        at.text.focus()
        keyboard = at.page.keyboard
        keyboard.type("## A title")
        keyboard.press("Enter")
        keyboard.type("One")
        keyboard.press("Shift+Enter")
        keyboard.type("two")
        keyboard.press("Enter")
        keyboard.type("- first")
        keyboard.press("Enter")
        keyboard.press("Control+]")
        keyboard.type("inner")
        keyboard.press("Enter")
        keyboard.press("Control+[")
        keyboard.type("second")
        keyboard.press("Enter")
        keyboard.press("Enter")
        keyboard.type("1. one")
        keyboard.press("Enter")
        keyboard.press("Enter")
        keyboard.type("> said")
        keyboard.press("Enter")
        keyboard.press("Enter")
        keyboard.type("2021. A year.")
        keyboard.press("Enter")
        keyboard.type("--- ")
        keyboard.type("End")
        assert at.markdown == (
            "## A title\n\nOne\\\ntwo\n\n- first\n  - inner\n- second\n\n"
            "1. one\n\n> said\n\n2021\\. A year.\n\n---\n\nEnd\n"
        )


def test_backspace_takes_back_what_typing_has_made(story: StoryForm, browser: Browser) -> None:
    with story.edit(browser) as at:
        at.text.focus()
        at.page.keyboard.type("- ")
        at.page.keyboard.press("Backspace")
        at.page.keyboard.type("a dash")
        assert at.markdown == "\\- a dash\n"


def test_arrows_lead_out_of_markdown_at_its_ends(story: StoryForm, browser: Browser) -> None:
    with story.edit(browser, read_document(TABLE)) as at:
        expect(at.text.locator(".raw p")).to_have_text("Markdown as written")
        for key in ("ArrowDown", "ArrowRight"):
            at.begin(TABLE)
            at.place("| c | d |", 9)
            at.page.keyboard.press("Enter")
            at.page.keyboard.type("| e | f |")
            at.page.keyboard.press(key)
            at.page.keyboard.type("After")
            assert at.markdown == f"{TABLE}| e | f |\n\nAfter\n"
        for key in ("ArrowUp", "ArrowLeft"):
            at.begin(TABLE)
            at.place("| a", 0)
            at.page.keyboard.press(key)
            at.page.keyboard.type("Before")
            assert at.markdown == f"Before\n\n{TABLE}"


def test_keys_that_mark_text_do_nothing_to_markdown(story: StoryForm, browser: Browser) -> None:
    with story.edit(browser, read_document(TABLE)) as at:
        at.select("| a | b |")
        for keys in ("Control+b", "Control+Alt+2", "Control+Shift+8", "Control+Shift+9", "Control+k"):
            at.page.keyboard.press(keys)
        assert at.markdown == TABLE
        for name in ("Bold", "Heading", "Bulleted list", "Quotation"):
            expect(at.button(name)).to_have_attribute("aria-disabled", "true")


def test_a_heading_is_one_line(story: StoryForm, browser: Browser) -> None:
    with story.edit(browser, read_document("One\\\ntwo\n")) as at:
        at.place("two", 1)
        at.page.keyboard.press("Control+Alt+3")
        at.page.keyboard.press("End")
        at.page.keyboard.press("Shift+Enter")
        assert at.markdown == "### One two\n"


def test_a_rule_is_put_below_the_paragraph_and_writing_goes_on_below_it(
    story: StoryForm, browser: Browser
) -> None:
    with story.edit(browser, read_document("One\n\nTwo\n")) as at:
        at.place("One", 3)
        at.button("Dividing line").click()
        at.page.keyboard.type("Now ")
        assert at.markdown == "One\n\n---\n\nNow Two\n"


def test_undo_takes_back_and_redo_does_again(story: StoryForm, browser: Browser) -> None:
    with story.edit(browser, read_document("One\n")) as at:
        at.place("One", 3)
        at.page.keyboard.type(" more")
        at.page.keyboard.press("Control+z")
        assert at.markdown == "One\n"
        at.page.keyboard.press("Control+y")
        assert at.markdown == "One more\n"
        at.button("Undo").click()
        at.button("Do again").click()
        assert at.markdown == "One more\n"


def test_reset_brings_back_what_the_page_came_with(story: StoryForm, browser: Browser) -> None:
    with story.edit(browser, read_document("One\n")) as at:
        at.text.press_sequentially("More ")
        at.page.get_by_role("button", name="Undo all changes").click()
        assert at.markdown == "One\n"


def test_the_element_survives_being_moved_and_the_text_area_returns_when_it_goes(
    story: StoryForm, browser: Browser
) -> None:
    with story.edit(browser, read_document("One\n")) as at:
        at.text.press_sequentially("More ")
        at.page.evaluate("document.querySelector('form').append(document.querySelector('story-editor'))")
        at.page.keyboard.press("Tab")
        assert at.markdown == "More One\n"
        at.text.press_sequentially("Still ")
        assert re.search("Still", at.markdown)
        at.page.evaluate("document.querySelector('story-editor').remove()")
        expect(at.page.locator("#body")).to_be_visible()
        expect(at.page.locator("#body")).to_be_enabled()
