"""``make bench-editor``: from the press of a key to its letter on the screen, in Studio's story editor.

A story of 22 kB in Chromium, written in at its middle; beside it, the same text in a plain text area of the
same page. The time is from the browser's own time of the press to the end of the frame that shows the letter,
so that at 60 frames a second it has up to 17 ms of waiting in it.
"""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

from playwright.sync_api import Locator, Page

from bench.measurement import Bound, Measurement, print_table
from editions.rich_text.document import read_document
from tests.paths import ROOT
from tests.servers.browser import chromium
from tests.web.studio.editor.story_form import StoryForm, serve_story_form

LETTERS = 22_000
_SAMPLE = ROOT / "editions" / "samples" / "unesco-beijing-2021-2"
_ROUND = 10
_PLACE = 1 / 2
_BAR_MS = 25

# The frame is painted when the first task after its callbacks runs.
_WATCH_KEYS = """
window.taken = [];
document.addEventListener("keydown", (event) => {
  requestAnimationFrame(() => {
    const channel = new MessageChannel();
    channel.port1.onmessage = () => window.taken.push(performance.now() - event.timeStamp);
    channel.port2.postMessage(null);
  });
}, { capture: true });
"""
_ADD_TEXT_AREA = """(text) => {
  const area = document.querySelector("main").appendChild(document.createElement("textarea"));
  area.id = "plain";
  area.value = text;
}"""
_PLACE_CURSOR = """(part) => {
  const blocks = document.querySelector("[role=textbox]").querySelectorAll("p");
  document.querySelector("[role=textbox]").focus();
  getSelection().collapse(blocks[Math.floor(blocks.length * part)].firstChild, 0);
  const area = document.getElementById("plain");
  area.selectionStart = area.selectionEnd = Math.floor(area.value.length * part);
}"""


def write_story(letters: int) -> str:
    """The bodies of the sample edition's stories, until there are so many letters."""
    bodies = (read_body(path) for path in sorted((_SAMPLE / "stories").glob("[0-9]*.md")))
    story = "\n\n".join(bodies)
    return (f"{story}\n\n" * (letters // len(story) + 1))[:letters].rpartition("\n\n")[0] + "\n"


def read_body(path: Path) -> str:
    """A story's Markdown without its front matter."""
    return path.read_text(encoding="utf-8").partition("\n---\n")[2].strip()


def measure_keys(story: StoryForm, keys: int) -> Iterator[Measurement]:
    """Measure the editor and the text area in turns."""
    markdown = write_story(LETTERS)
    with chromium() as browser, story.edit(browser, read_document(markdown)) as at:
        at.page.evaluate(_WATCH_KEYS)
        at.page.evaluate(_ADD_TEXT_AREA, markdown)
        at.page.evaluate(_PLACE_CURSOR, _PLACE)
        editor: list[float] = []
        plain: list[float] = []
        press_keys(at.page, at.text, _ROUND)
        for _ in range(keys // _ROUND):
            editor += press_keys(at.page, at.text, _ROUND)
            plain += press_keys(at.page, at.page.locator("#plain"), _ROUND)
    yield Measurement(
        what="key press to paint in a story of 22 kB, 95 of 100",
        measured=find_percentile(editor, 95),
        unit="ms",
        bound=Bound.at_most,
        bar=_BAR_MS,
        note=f"half of them within {find_percentile(editor, 50):.1f} ms; {len(editor)} keys",
    )
    yield Measurement(
        what="the same, against a plain text area",
        measured=find_percentile(editor, 95) / find_percentile(plain, 95),
        note=f"95 of 100 within {find_percentile(plain, 95):.1f} ms there",
    )


def press_keys(page: Page, field: Locator, keys: int) -> list[float]:
    """Press some keys, each after the letter before was painted; returns the milliseconds of each."""
    field.focus()
    page.evaluate("window.taken = []")
    for pressed in range(1, keys + 1):
        page.keyboard.press("e")
        page.wait_for_function("count => window.taken.length >= count", arg=pressed)
    taken: list[float] = page.evaluate("window.taken")
    return taken


def find_percentile(taken: Sequence[float], percent: int) -> float:
    """The time within which so many of a hundred were done."""
    return sorted(taken)[min(len(taken) * percent // 100, len(taken) - 1)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keys", type=int, default=300, help="how many keys are pressed in each")
    keys = parser.parse_args().keys
    with serve_story_form() as story:
        print_table(measure_keys(story, keys))


if __name__ == "__main__":
    main()
