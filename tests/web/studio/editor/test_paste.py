"""Pasting what other programs put on the clipboard, honest and hostile."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Request, expect

from editions.rich_text.document import read_document
from tests.web.studio.editor.story_form import StoryForm, make_document, make_paragraph

CLIPBOARD = Path(__file__).parent / "clipboard"
PROGRAMS = {
    name: sorted(CLIPBOARD.glob(f"{name}*.html"))
    for name in ("word", "google", "libreoffice", "outlook", "web", "text", "preformatted")
}
MANY_MEGABYTES = 5 * 1024 * 1024


def test_every_sample_of_a_clipboard_is_tried() -> None:
    tried = {path for paths in PROGRAMS.values() for path in paths}
    assert tried == set(CLIPBOARD.glob("*.html"))
    assert len(tried) + len(list((CLIPBOARD / "hostile").iterdir())) >= 40


@pytest.mark.parametrize("program", PROGRAMS)
def test_what_a_program_copies_becomes_the_markdown_of_its_words(
    story: StoryForm, browser: Browser, program: str
) -> None:
    with story.edit(browser) as at:
        for path in PROGRAMS[program]:
            at.begin()
            at.paste(path.read_text(), "not this")
            assert at.markdown.strip() == path.with_suffix(".md").read_text().strip(), path.name


@pytest.mark.parametrize(
    ("sample", "words"),
    [
        ("word-2016-table", "The table was pasted as Markdown."),
        ("word-2016-picture", "Pictures were left out"),
    ],
)
def test_what_is_left_out_or_changed_is_said(
    story: StoryForm, browser: Browser, sample: str, words: str
) -> None:
    with story.edit(browser) as at:
        at.text.focus()
        at.paste((CLIPBOARD / f"{sample}.html").read_text())
        expect(at.page.get_by_role("status")).to_contain_text(words)
        at.paste("<p>Words</p>")
        expect(at.page.get_by_role("status")).to_be_empty()


def test_hostile_html_runs_nothing_loads_nothing_and_leaves_nothing_but_words(
    story: StoryForm, browser: Browser
) -> None:
    asked: list[str] = []

    def note(request: Request) -> None:
        asked.append(request.url)

    with story.edit(browser) as at:
        at.page.on("request", note)
        for path in sorted((CLIPBOARD / "hostile").iterdir()):
            at.begin()
            at.paste(path.read_text())
            markdown = at.markdown
            assert "Words" in markdown, path.name
            assert at.page.evaluate("window.hacked") is None, path.name
            names = at.page.evaluate(
                "[...document.querySelectorAll('[role=textbox] *')].flatMap(e => e.getAttributeNames())"
            )
            assert set(names) <= {"href", "title", "start", "data-why", "data-loose", "class"} | {
                "contenteditable",
                "spellcheck",
                "dir",
            }, path.name
            hrefs = at.page.evaluate(
                "[...document.querySelectorAll('[role=textbox] a')].map(e => e.getAttribute('href'))"
            )
            assert [href for href in hrefs if href is not None and not href.startswith("https://")] == []
        assert [url for url in asked if not url.startswith(f"{story.url}/files/")] == []


def test_five_megabytes_are_refused_in_words_and_take_nothing_away(
    story: StoryForm, browser: Browser
) -> None:
    before = make_document(make_paragraph("Kept."))
    with story.edit(browser, before) as at:
        at.select("Kept.")
        at.paste("", "word ", times=MANY_MEGABYTES // 5)
        expect(at.page.get_by_role("status")).to_contain_text("too long for a story")
        at.paste("<p>word</p>", times=2 * MANY_MEGABYTES // 11)
        expect(at.page.get_by_role("status")).to_contain_text("too long for a story")
        # Read again and again from each of its parts, these would take hours.
        for html in ("<p title='", "<style></style", "<a href=x ", "<b style"):
            at.paste(html, times=MANY_MEGABYTES // len(html))
        assert at.document == before


def test_plain_text_keeps_its_lines_and_loses_what_no_mail_may_have(
    story: StoryForm, browser: Browser
) -> None:
    with story.edit(browser) as at:
        at.text.focus()
        at.paste("", "One\r\n\r\nTwo \u202ebell\u0007\n<b>Three</b> **four**")
        assert at.markdown == "One\n\nTwo bell\n\n\\<b>Three\\</b> \\*\\*four\\*\\*\n"


def test_what_is_copied_here_is_pasted_as_it_was(story: StoryForm, browser: Browser) -> None:
    markdown = (
        '## A *heading*\n\n1. one [link](https://www.example.org/ "A title")\n   - **inner**\n'
        "2. two\\\n   lines\n\n> said\n\n| a | b |\n|---|---|\n| `c` | d |\n\n---\n\nEnd.\n"
    )
    with story.edit(
        browser, read_document(markdown), permissions=["clipboard-read", "clipboard-write"]
    ) as at:
        at.text.focus()
        at.page.keyboard.press("Control+a")
        at.page.keyboard.press("Control+x")
        assert at.markdown == ""
        at.page.keyboard.press("Control+v")
        assert at.markdown == markdown
        at.page.keyboard.press("Control+a")
        at.page.keyboard.press("Control+c")
        at.page.keyboard.press("Control+Shift+v")
        assert "[link]" not in at.markdown
        assert "link" in at.markdown


def test_files_are_not_dropped_or_pasted_into_the_text(story: StoryForm, browser: Browser) -> None:
    before = make_document(make_paragraph("Kept."))
    with story.edit(browser, before) as at:
        at.select("Kept.")
        for kind in ("paste", "drop"):
            prevented = at.page.evaluate(
                """(kind) => {
                  const data = new DataTransfer();
                  data.items.add(new File(["x"], "hall.png", { type: "image/png" }));
                  const options = { bubbles: true, cancelable: true };
                  const event = kind === "paste"
                    ? new ClipboardEvent(kind, { ...options, clipboardData: data })
                    : new DragEvent(kind, { ...options, dataTransfer: data });
                  return !document.querySelector("[role=textbox]").dispatchEvent(event);
                }""",
                kind,
            )
            assert prevented
            expect(at.page.get_by_role("status")).to_contain_text("Pictures were left out")
        assert at.document == before
