"""``make bench-typing``: from the press of a key to the email beside it, in Studio, before anything is saved.

The sample edition of 26 stories in Chromium, with autosave and checks at work. The time is from the browser's
own time of the press to the end of the frame that shows the changed email: of the story alone, and of the
whole edition, which waits for a pause in writing.
"""

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from playwright.sync_api import Page

from bench.measurement import Bound, Measurement, print_table
from mailer.database.team_models import Role
from mailer.workspace import open_workspace
from mailer.workspace_init import create_workspace
from tests.servers.browser import chromium
from tests.web.studio.conftest import serve_studio

KEYS = 100
_STORY = "culture-2030-shilin"
_BARS_MS = {"story": 150, "edition": 500}
_NAMES = {
    "story": "key press to the story's email beside it, p95",
    "edition": "key press to the whole edition beside it, p95",
}
_WAIT_MS = {"story": 350, "edition": 800}

# Of several presses before one email, the first counts. The frame is painted when the first task after its
# callbacks runs.
_WATCH_KEYS = """
window.taken = [];
let pressed = null;
document.addEventListener("keydown", (event) => (pressed ??= event.timeStamp), { capture: true });
document.addEventListener("shown", () => {
  const start = pressed;
  pressed = null;
  if (start === null) return;
  requestAnimationFrame(() => {
    const channel = new MessageChannel();
    channel.port1.onmessage = () => window.taken.push(performance.now() - start);
    channel.port2.postMessage(null);
  });
});
"""


def main() -> None:
    """Measure, and print each figure beside its bar."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keys", type=int, default=KEYS, help="how many keys are pressed for each figure")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print_table(measure_typing(Path(folder), options.keys))


def measure_typing(folder: Path, keys: int) -> Iterator[Measurement]:
    """Measure both emails in one browser, in turn."""
    created = create_workspace(folder / "w", sample=True, now=datetime.now(UTC))
    workspace = open_workspace(created.root, environ={})
    (edition,) = (path.name for path in workspace.editions.iterdir())
    with serve_studio(workspace) as studio, chromium() as browser:
        member = studio.add_member(Role.author)
        with studio.browse(browser, member) as page:
            page.goto(f"{studio.url}/editions/{edition}/stories/{_STORY}")
            page.frame_locator("#frame").locator("h3").first.wait_for()
            page.locator("#checks .state, #checks .problems").first.wait_for(timeout=60_000)
            page.evaluate(_WATCH_KEYS)
            for part in _BARS_MS:
                yield _measure_part(page, part, keys)


def _measure_part(page: Page, part: str, keys: int) -> Measurement:
    page.locator(f'#view [name="part"][value="{part}"]').check()
    page.locator("story-editor [role=textbox]").click()
    page.keyboard.press("Control+End")
    for _ in range(3):
        _press(page, "w", part)
    page.evaluate("window.taken.length = 0")
    for number in range(keys):
        _press(page, " " if number % 6 == 5 else "abcde"[number % 5], part)
    taken: list[float] = page.evaluate("window.taken")
    return Measurement(
        what=_NAMES[part],
        measured=_find_percentile(taken, 0.95),
        unit="ms",
        bound=Bound.at_most,
        bar=_BARS_MS[part],
        note=f"{len(taken)} emails after {keys} keys; median {_find_percentile(taken, 0.5):.0f} ms",
    )


def _press(page: Page, key: str, part: str) -> None:
    page.keyboard.press(key)
    page.wait_for_timeout(_WAIT_MS[part])


def _find_percentile(taken: Sequence[float], share: float) -> float:
    return sorted(taken)[min(int(share * len(taken)), len(taken) - 1)]


if __name__ == "__main__":
    main()
