"""Pasting before the script that cleans HTML is there."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Route

from tests.web.studio.editor.story_form import StoryForm, make_document, make_paragraph, make_text

BOLD = '<p style="color:red" onclick="window.ran = 1">Sixty <b>teachers</b></p>'
CLEAN = make_document(make_paragraph("Sixty ", make_text("teachers", "strong")))


class Gate:
    """Holds what is asked for until it is opened, and nothing that is asked for later."""

    def __init__(self) -> None:
        self.is_open = False
        self.waiting: list[Route] = []

    def __call__(self, route: Route) -> None:
        if self.is_open:
            route.continue_()
        else:
            self.waiting.append(route)

    def open(self) -> None:
        self.is_open = True
        for route in self.waiting:
            route.continue_()
        self.waiting = []


@pytest.fixture
def gate() -> Iterator[Gate]:
    gate = Gate()
    yield gate
    assert not gate.waiting


def test_writing_does_not_wait_for_it_and_what_was_pasted_comes_once_it_is_there(
    story: StoryForm, browser: Browser, gate: Gate
) -> None:
    with story.edit(browser, answer_cleaner=gate) as at:
        at.text.focus()
        at.paste(BOLD, "Sixty teachers")
        at.paste("", "As text. ")
        assert at.markdown.strip() == "As text."
        gate.open()
        at.wait_for_text("teachers")
        assert at.markdown.strip() == "As text. Sixty **teachers**"
        assert at.page.evaluate("window.ran") is None
        at.page.keyboard.press("Control+z")
        assert "teachers" not in at.markdown


def test_what_is_dropped_waits_and_lands_where_it_was_dropped(
    story: StoryForm, browser: Browser, gate: Gate
) -> None:
    before = make_document(make_paragraph("First."), make_paragraph("Last."))
    with story.edit(browser, before, answer_cleaner=gate) as at:
        at.text.focus()
        prevented = at.page.evaluate(
            """(html) => {
              const text = document.querySelector("[role=textbox]");
              const { right, top, bottom } = text.querySelector("p:last-child").getBoundingClientRect();
              const dataTransfer = new DataTransfer();
              dataTransfer.setData("text/html", html);
              const at = { clientX: right - 2, clientY: (top + bottom) / 2 };
              const options = { ...at, bubbles: true, cancelable: true, dataTransfer };
              return !text.querySelector("p:last-child").dispatchEvent(new DragEvent("drop", options));
            }""",
            "<b> Bold.</b>",
        )
        assert prevented
        assert at.document == before
        gate.open()
        at.wait_for_text("Bold.")
        assert at.markdown.strip() == "First.\n\nLast.**Bold.**"


def test_if_it_cannot_be_had_the_words_are_pasted_and_the_next_paste_asks_again(
    story: StoryForm, browser: Browser
) -> None:
    asked: list[str] = []
    is_there = False

    def fail_at_first(route: Route) -> None:
        asked.append(route.request.url)
        if is_there:
            route.continue_()
        else:
            route.fulfill(content_type="text/javascript", body='throw new Error("gone");')

    with story.edit(browser, answer_cleaner=fail_at_first) as at:
        at.text.focus()
        at.paste(BOLD)
        at.wait_for_text("Sixty teachers")
        assert at.document == make_document(make_paragraph("Sixty teachers"))
        is_there = True
        at.begin()
        at.paste(BOLD, "Sixty teachers")
        at.wait_for_text("teachers")
        assert at.document == CLEAN
        assert len(set(asked)) == len(asked) >= 2


def test_pasting_as_text_needs_it_not(story: StoryForm, browser: Browser, gate: Gate) -> None:
    with story.edit(browser, answer_cleaner=gate) as at:
        at.text.focus()
        at.page.keyboard.down("Shift")
        at.paste(BOLD, "Sixty teachers")
        at.page.keyboard.up("Shift")
        assert at.markdown.strip() == "Sixty teachers"
        gate.open()
        at.page.wait_for_function("() => document.querySelector('story-editor').isReadyToPaste")
