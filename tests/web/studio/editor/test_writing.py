"""Writing in the story editor: typing, the toolbar, keys, and what the form submits."""

import json

import pytest
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


@pytest.mark.parametrize(
    ("button", "keys", "block"),
    [
        ("Heading", "Control+Alt+2", {"type": "heading", "attrs": {"level": 2}}),
        ("Small heading", "Control+Alt+3", {"type": "heading", "attrs": {"level": 3}}),
        ("Quotation", "Control+Shift+9", {"type": "blockquote"}),
        ("Bulleted list", "Control+Shift+8", {"type": "bullet_list", "attrs": {"tight": True}}),
        ("Numbered list", "Control+Shift+7", {"type": "ordered_list", "attrs": {"tight": True, "order": 1}}),
    ],
)
def test_a_button_and_its_keys_change_the_block_and_change_it_back(
    story: StoryForm, browser: Browser, button: str, keys: str, block: dict[str, object]
) -> None:
    plain = make_document(make_paragraph("Words."))
    with story.edit(browser, plain) as at:
        at.place("Words.", 2)
        at.button(button).click()
        (found,) = at.document["content"]
        assert {name: found[name] for name in block} == block
        expect(at.button(button)).to_have_attribute("aria-pressed", "true")
        expect(at.text).to_be_focused()
        at.page.keyboard.press(keys)
        assert at.document == plain
        expect(at.button(button)).to_have_attribute("aria-pressed", "false")


@pytest.mark.parametrize(
    ("button", "keys", "mark"), [("Bold", "Control+b", "strong"), ("Italic", "Control+i", "em")]
)
def test_a_button_and_its_keys_mark_what_is_selected(
    story: StoryForm, browser: Browser, button: str, keys: str, mark: str
) -> None:
    plain = make_document(make_paragraph("Some words here."))
    marked = make_document(make_paragraph("Some ", make_text("words", mark), " here."))
    with story.edit(browser, plain) as at:
        at.select("words")
        at.button(button).click()
        assert at.document == marked
        expect(at.button(button)).to_have_attribute("aria-pressed", "true")
        at.page.keyboard.press(keys)
        assert at.document == plain
