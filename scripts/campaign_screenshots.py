"""The pages of Studio on which a newsletter is sent, from the list of partners to the report: each by day on
a desk and by night on a phone, and all of them the other way round on two sheets."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from PIL import Image
from playwright.sync_api import Browser, Page, expect

from mailer.team.members import Member
from scripts.image_grid import put_beside, put_in_rows, save_drawing
from scripts.studio_scene import Scene, open_scene
from tests.web.studio.newsroom import Newsroom
from tests.web.studio.studio_journey import await_numbers

_DESK, _PHONE = 1440, 390
_HEIGHT, _TALL = 960, 1300
_SCALE = 0.625
"""Dots for each pixel: the gallery is looked at in a column of some 900 pixels."""
_SMALL = 0.4
"""How much smaller they are on the two sheets of all pages."""
_COLOURS = 96
"""In each picture: pages of two colour schemes, without photographs."""
_FEW_COLOURS = 80
"""On the two sheets, which have one colour scheme each."""

_VIEWS: tuple[tuple[int, Literal["light", "dark"]], ...] = (
    (_DESK, "light"),
    (_PHONE, "dark"),
    (_DESK, "dark"),
    (_PHONE, "light"),
)
_PATIENCE = 120_000
"""For how many milliseconds a page is waited for: the machine may do something else as well."""

_CONTACTS = (
    "First Name,Last Name,Company,Job Title,Business Country/Region,E-mail Address,Categories\n"
    "Оюун,Ганбаатар,Ministry of Education,Adviser,Mongolia,oyun.g@mn.example.org,Education\n"
    "Bat,Erdene,Steppe University,Professor,Mongolia,bat.e@mn.example.org,Education;Natural Sciences\n"
    "Mei,Lin,Yellow River Museum,Curator,China,mei.lin@cn.example.org,Culture\n"
    "丽,王,Green City Network,,China,wang.li@cn.example.org,Education\n"
    "Yuki,Tanaka,Harbour Library,Librarian,Japan,yuki@jp.example.org,Culture\n"
    "Jo,Park,,,Narnia,jo.park@kr.example.org,\n"
    "Lena,,,,Germany,no address,\n"
)
"""What an Outlook exports of its contacts."""


@dataclass(frozen=True, kw_only=True)
class _Picture:
    """A page to picture: who opens which address, and what they do there."""

    title: str
    path: str
    act: Callable[[Page], None] = lambda _: None
    who: Callable[[Newsroom], Member | None] = lambda people: people.mei
    height: int = _HEIGHT


def _upload(page: Page) -> None:
    file = {"name": "contacts.csv", "mimeType": "text/csv", "buffer": _CONTACTS.encode()}
    page.locator("#file").set_input_files(file)  # type: ignore[arg-type]
    page.locator("main form button.main").first.click()
    expect(page.locator("main")).to_contain_text("contacts.csv")
    expect(page.get_by_role("button", name="Discard the file")).to_be_visible()


def _await_checklist(page: Page) -> None:
    expect(page.locator("#checklist[hx-get]")).to_have_count(0)
    page.evaluate("document.getElementById('sheet').scrollIntoView()")
    expect(page.locator(".contact li")).not_to_have_count(0)
    page.evaluate("window.scrollTo(0, 0)")


def _launch(page: Page) -> None:
    """Launch it, as far as it is not launched already."""
    if page.locator("#check").count():
        expect(page.locator("#check")).not_to_contain_text("Counting partners", timeout=30_000)
        page.locator("#count").fill(page.locator("#count-hint").inner_text())
        with page.expect_navigation():
            page.locator("#check button.main").click()


_PICTURES: Mapping[str, _Picture] = {
    "home": _Picture(title="What waits for whom", path="/", height=_TALL),
    "partners": _Picture(title="Partners", path="/partners"),
    "partner": _Picture(title="One partner", path="/partners/{partner}", height=_TALL),
    "import": _Picture(
        title="An import, before anything is stored", path="/imports/new", act=_upload, height=_TALL
    ),
    "segment": _Picture(
        title="A segment, in words and numbers", path="/segments/teachers", act=await_numbers, height=_TALL
    ),
    "checklist": _Picture(
        title="Preparing a campaign", path="/campaigns/{planned}", act=_await_checklist, height=_TALL
    ),
    "calendar": _Picture(title="The calendar", path="/campaigns/calendar"),
    "approval": _Picture(
        title="What an approver sees",
        path="/campaigns/{asked}/approval",
        who=lambda people: people.ben,
        height=_TALL,
    ),
    "review": _Picture(
        title="What a reviewer outside the team sees",
        path="/review/{review}",
        who=lambda _: None,
        height=_TALL,
    ),
    "launch": _Picture(title="Ten seconds to undo a launch", path="/campaigns/{ready}/launch", act=_launch),
    "live": _Picture(title="A campaign while it is sent", path="/campaigns/{sending}/live", height=_TALL),
    "doubts": _Picture(title="Who is in doubt", path="/campaigns/{sending}/doubts"),
    "report": _Picture(title="The report", path="/campaigns/{sent}/report", height=_TALL),
    "outbox": _Picture(title="The outbox", path="/outbox"),
    "doctor": _Picture(title="The doctor", path="/doctor"),
    "settings": _Picture(title="Settings", path="/settings"),
}
"""Each by the name of its file."""


def take_campaigns(browser: Browser, _: Path, output: Path) -> None:
    """Write studio-*.png of these pages."""
    by_night: list[Image.Image] = []
    on_phones: list[Image.Image] = []
    with tempfile.TemporaryDirectory() as temporary, open_scene(Path(temporary) / "demo") as scene:
        for name, picture in _PICTURES.items():
            desk, phone, desk_by_night, phone_by_day = _take(browser, scene, picture)
            save_drawing(put_beside([desk, phone]), output / f"studio-{name}.png", colours=_COLOURS)
            by_night.append(_shrink(desk_by_night))
            on_phones.append(_shrink(phone_by_day))
    save_drawing(put_in_rows(by_night, of=4), output / "studio-by-night.png", colours=_FEW_COLOURS)
    save_drawing(put_in_rows(on_phones, of=8), output / "studio-on-phones.png", colours=_FEW_COLOURS)


def describe_campaigns() -> Iterator[str]:
    """Their part of docs/gallery.md."""
    yield (
        "\n## Studio: from the list to the report\n\nThe pages on which a newsletter is sent, with the "
        "partners and the campaigns of the demo: by day on a desk (1440 pixels), by night on a phone (390).\n"
    )
    for name, picture in _PICTURES.items():
        title = picture.title
        yield f"\n### {title}\n\n![{title}: on a desk, light; on a phone, dark](images/studio-{name}.png)\n"
    yield "\n### The same by night, and on phones by day\n"
    yield "\n![All of these pages on a desk, dark](images/studio-by-night.png)\n"
    yield "\n![All of these pages on a phone, light](images/studio-on-phones.png)\n"


def _take(browser: Browser, scene: Scene, picture: _Picture) -> list[Image.Image]:
    """The page on a desk by day, on a phone by night, on a desk by night, and on a phone by day."""
    member = picture.who(scene.people)
    with scene.studio.open_context(
        browser, member or scene.people.mei, device_scale_factor=_SCALE, reduced_motion="reduce"
    ) as context:
        context.set_default_timeout(_PATIENCE)
        if member is None:
            context.clear_cookies()
        page = context.new_page()
        page.set_viewport_size({"width": _DESK, "height": picture.height})
        page.goto(f"{scene.studio.url}{picture.path.format(**vars(scene))}")
        picture.act(page)
        # What comes late is there, but for what a page that follows by itself still waits for.
        page.wait_for_timeout(800)
        taken = []
        for width, scheme in _VIEWS:
            page.set_viewport_size({"width": width, "height": picture.height})
            page.emulate_media(color_scheme=scheme)
            page.wait_for_timeout(200)
            taken.append(Image.open(io.BytesIO(page.screenshot())).convert("RGB"))
        if (undo := page.get_by_role("button", name="Undo the launch")).count():
            undo.first.click()
        return taken


def _shrink(picture: Image.Image) -> Image.Image:
    """The top of a page, for a sheet of all of them."""
    top = picture.crop((0, 0, picture.width, round(_HEIGHT * _SCALE)))
    size = (round(top.width * _SMALL), round(top.height * _SMALL))
    return top.resize(size, Image.Resampling.LANCZOS)
