"""The pages of Studio, with the sample edition and a team that works on it."""

from __future__ import annotations

import io
import os
import shutil
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser

from mailer.team.members import Member
from mailer.workspace import open_workspace
from mailer.workspace_init import create_workspace
from scripts.image_grid import save_drawing
from tests.web.studio.conftest import Studio, serve_studio
from tests.web.studio.newsroom import EDITION, STORY, found_newsroom
from tests.web.studio.studio_journey import await_story

_STORY = f"/editions/{EDITION}/stories/{STORY}"
_PAGES = {
    "sign-in": ("Signing in", "/sign-in"),
    "edition": ("An edition", f"/editions/{EDITION}"),
    "story": ("A story, and the email beside it", _STORY),
    "comparison": ("What changed between two texts of the history", f"{_STORY}/history/changes"),
    "comments": ("Comments", f"{_STORY}/comments"),
    "team": ("The team", "/team"),
}
"""The title and the address of each, in the order of the gallery."""

_BY_NIGHT = ("edition",)
"""This is pictured by night, too. `make judge` looks at every page in all lights and widths; pictures of them
all would make the documents too heavy."""

_NOW = datetime(2026, 11, 27, 9, 30, tzinfo=UTC)
"""Pages tell the time of day, and a picture must not change with the day it is taken."""

_EARLIER = {"2021-1": ("May to August 2021", 6), "2020-2": ("September to December 2020", 11)}
"""Other editions for the list: their months, and how many of the first stories they lack."""


def take_studio(browser: Browser, _: Path, output: Path) -> None:
    """Write studio-*.png."""
    with tempfile.TemporaryDirectory() as temporary:
        root = create_workspace(Path(temporary) / "sample", sample=True, now=_NOW).root
        _add_earlier_editions(root / "editions")
        # The links that the team is mailed go to a folder.
        workspace = open_workspace(root, environ={"MAILER_SMTP__URL": "maildir:mails"})
        with serve_studio(workspace, clock=lambda: _NOW) as studio:
            member = found_newsroom(studio, _NOW).mei
            for name in _PAGES:
                save_drawing(_picture(browser, studio, member, name), output / f"studio-{name}.png")
            for name in _BY_NIGHT:
                night = _picture(browser, studio, member, name, scheme="dark")
                save_drawing(night, output / f"studio-{name}-dark.png")


def describe_studio() -> Iterator[str]:
    """Their part of docs/gallery.md."""
    yield (
        "\n## Studio\n\nThe team’s own pages, which `mailer studio` serves, at 1440 pixels. "
        "[Studio](studio.md) says how the team works with them.\n"
    )
    for name, (title, _) in _PAGES.items():
        yield f"\n### {title}\n\n![{title}, 1440 px, light](images/studio-{name}.png)\n"
        if name in _BY_NIGHT:
            yield f"\n![{title}, 1440 px, dark](images/studio-{name}-dark.png)\n"


def _add_earlier_editions(editions: Path) -> None:
    for number, (period, missing) in _EARLIER.items():
        folder = editions / EDITION.replace("2021-2", number)
        shutil.copytree(editions / EDITION, folder)
        for story in sorted((folder / "stories").iterdir())[:missing]:
            story.unlink()
        file = folder / "edition.md"
        text = file.read_text(encoding="utf-8")
        text = text.replace("number: 2021-2", f"number: {number}").replace(
            "September to December 2021", period, 1
        )
        file.write_text(text, encoding="utf-8")
    # A page says when each was written in last.
    for path in editions.rglob("*"):
        os.utime(path, (_NOW.timestamp() - 86400,) * 2)


def _picture(
    browser: Browser,
    studio: Studio,
    member: Member,
    name: str,
    *,
    width: int = 1440,
    height: int = 900,
    scheme: str = "light",
) -> Image.Image:
    window = {"width": width, "height": height}
    with studio.open_context(
        browser, member, viewport=window, color_scheme=scheme, reduced_motion="reduce"
    ) as context:
        if name == "sign-in":
            context.clear_cookies()
        page = context.new_page()
        page.goto(f"{studio.url}{_PAGES[name][1]}")
        if name == "story":
            await_story(page)
        page.wait_for_load_state("networkidle")
        return Image.open(io.BytesIO(page.screenshot())).convert("RGB")
