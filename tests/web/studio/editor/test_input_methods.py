"""Writing with an input method: Chinese, Japanese and Korean, composed by the browser's own protocol."""

import pytest
from playwright.sync_api import Browser, CDPSession

from tests.web.studio.editor.story_form import (
    Document,
    StoryForm,
    StoryPage,
    make_document,
    make_paragraph,
    make_text,
)

# What each key press shows, then what is chosen. Pinyin has spaces in it.
COMPOSITIONS = {
    "zh": (["r", "ri", "rib", "ri ben", "ri ben yu"], "日本语"),
    "ja": (["n", "に", "にh", "にほ", "にほn", "にほん", "にほんご"], "日本語"),
    "ko": (["ㅎ", "하", "한", "한ㄱ", "한그"], "한글"),
}
BLOCKS: list[Document] = [
    make_paragraph("The ", make_text("bold", "strong"), " word is here."),
    {
        "type": "bullet_list",
        "attrs": {"tight": True},
        "content": [
            {"type": "list_item", "content": [make_paragraph("one")]},
            {"type": "list_item", "content": [make_paragraph("two")]},
        ],
    },
]
# Where the cursor is, and how the text there reads with the word.
PLACES = {
    "the start": ("The ", 0, "{}The bold word is here."),
    "the middle": (" word is", 3, "The bold wo{}rd is here."),
    "the end": (" word is here.", 14, "The bold word is here.{}"),
    "bold": ("bold", 2, "The bo{}ld word is here."),
    "an item": ("two", 0, "{}two"),
    "an empty story": ("", 0, "{}"),
}


def compose(devtools: CDPSession, steps: list[str]) -> None:
    """Show what an input method shows while a word is typed."""
    for step in steps:
        devtools.send(
            "Input.imeSetComposition", {"text": step, "selectionStart": len(step), "selectionEnd": len(step)}
        )


def open_place(at: StoryPage, place: str) -> None:
    words, offset, _ = PLACES[place]
    if words:
        at.place(words, offset)
    else:
        at.text.focus()


def list_lines(document: Document) -> list[str]:
    """The text of each paragraph."""
    if document["type"] == "paragraph":
        return ["".join(part["text"] for part in document.get("content", []))]
    return [line for block in document["content"] for line in list_lines(block)]


@pytest.mark.parametrize("language", COMPOSITIONS)
def test_a_composed_word_is_there_once_wherever_it_is_written(
    story: StoryForm, browser: Browser, language: str
) -> None:
    steps, word = COMPOSITIONS[language]
    story.language = language
    with story.edit(browser) as at:
        devtools = at.open_devtools()
        for place, (words, _, line) in PLACES.items():
            before = make_document(*(BLOCKS if words else []))
            at.set_document(before)
            open_place(at, place)
            compose(devtools, steps)
            devtools.send("Input.insertText", {"text": word})
            at.wait_for_text(word)
            expected = [old if old != line.format("") else line.format(word) for old in list_lines(before)]
            assert list_lines(at.document) == expected, place


def test_a_composition_ends_with_an_input_event_that_is_not_composing(
    story: StoryForm, browser: Browser
) -> None:
    steps, word = COMPOSITIONS["zh"]
    with story.edit(browser) as at:
        at.page.evaluate(
            """() => {
              window.seen = [];
              const editor = document.querySelector("story-editor");
              document.querySelector("form").addEventListener("input", (event) => {
                const [paragraph] = JSON.parse(editor.value).content;
                window.seen.push([event.target === editor, editor.isComposing, paragraph.content?.[0].text]);
              });
            }"""
        )
        devtools = at.open_devtools()
        at.text.focus()
        compose(devtools, steps)
        assert at.page.evaluate("document.querySelector('story-editor').isComposing") is True
        devtools.send("Input.insertText", {"text": word})
        at.page.wait_for_function(
            "word => window.seen.some(([, composing, text]) => !composing && text === word)", arg=word
        )
        assert at.page.evaluate("window.seen.every(([ours]) => ours)") is True


def test_reading_the_value_and_swapping_a_preview_do_not_disturb_a_composition(
    story: StoryForm, browser: Browser
) -> None:
    steps, word = COMPOSITIONS["zh"]
    with story.edit(browser) as at:
        devtools = at.open_devtools()
        at.text.focus()
        for step in steps:
            compose(devtools, [step])
            at.page.evaluate(
                """() => {
                  const { value } = document.querySelector("story-editor");
                  new FormData(document.querySelector("form"));
                  document.getElementById("preview")?.remove();
                  const preview = document.createElement("section");
                  preview.id = "preview";
                  preview.textContent = value;
                  document.querySelector("main").append(preview);
                }"""
            )
        devtools.send("Input.insertText", {"text": word})
        at.wait_for_text(word)
        assert list_lines(at.document) == [word]


def test_a_new_value_waits_for_the_end_of_a_composition(story: StoryForm, browser: Browser) -> None:
    steps, word = COMPOSITIONS["ja"]
    with story.edit(browser) as at:
        devtools = at.open_devtools()
        at.text.focus()
        compose(devtools, steps)
        at.set_document(make_document(make_paragraph("Merged.")))
        assert list_lines(at.document) == [steps[-1]]
        devtools.send("Input.insertText", {"text": word})
        at.wait_for_text("Merged.")
        assert list_lines(at.document) == ["Merged."]
        at.page.keyboard.press("Control+z")
        assert list_lines(at.document) == [word]
