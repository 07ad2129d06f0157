"""Every page of Studio in each of its states: whether it fits its window, and what validators say of it."""

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Response, Route, ViewportSize

from mailer.web.dependencies import utc_now
from mailer.web.page_renderer import TEMPLATE_FOLDER
from mailer.web.studio.app import ROUTES
from mailer.workspace import open_workspace
from mailer.workspace_init import create_workspace
from tests.judges.axe import find_faults, is_decided
from tests.judges.complaint import Complaint
from tests.judges.html_validate import judge_page_habits
from tests.judges.nu import judge_page_markup
from tests.judges.packages import are_installed
from tests.web.site import collect_browser_errors
from tests.web.studio.conftest import Studio, serve_studio
from tests.web.studio.sending import write_own_sender
from tests.web.studio.sign_in.visitor import with_maildir
from tests.web.studio.studio_journey import StudioJourney

WIDTHS = (1440, 900, 390)
VIEWS = ((1440, "light"), (1440, "dark"), (900, "light"), (390, "dark"))
"""The windows that axe looks at a page in."""

COVERED = ("bgOverlap", "elmPartiallyObscured")
"""What an open menu covers, or the foot of a column that scrolls: the same colours are seen elsewhere."""

PLACE_BARS = "(place) => document.querySelectorAll('.foot').forEach((bar) => { bar.style.position = place; })"

NO_PAGES = (
    "/campaigns/{campaign}/report/tables/{table}",
    "/feedback/messages/{number}/file",
    "/corrections/{edition}/{story}/{number}/mail/{language}",
    "/campaigns/{campaign}/live/events",
    "/campaigns/{campaign}/launch/check",
    "/campaigns/{campaign}/launch/pending",
    "/outbox/media/{file}",
    "/outbox/{name}/frame",
    "/campaigns/{campaign}/approval/{number}/frame/{variant}",
    "/campaigns/{campaign}/approval/{number}/media/{name}",
    "/review/{token}/frame/{variant}",
    "/review/{token}/media/{name}",
    "/outbox/{name}/source",
    "/account/data",
    "/imports/{number}/refused.csv",
    "/imports/new/{file}/refused.csv",
    "/editions/{edition}/thumb/{file}",
    "/editions/{edition}/media/{name}",
    "/editions/{edition}/pictures/{file}",
    "/editions/{edition}/translations/{language}/texts.docx",
    "/editions/{edition}/translations/{language}/texts.xlf",
    "/editions/{edition}/stories/{story}/preview/frame",
    "/editions/{edition}/letter/preview/frame",
    "/campaigns/{campaign}/versions/{tag}/frame",
    "/sign-in/organisation",
    "/sign-in/organisation/back",
)
"""Files, mails in a frame, and what leads elsewhere."""

FIND_LAYOUT_FAULTS = """() => {
  const faults = [];
  const room = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth > room) faults.push("scrolls sideways");
  const scrolls = element => element && (["auto", "scroll"].includes(getComputedStyle(element).overflowX)
    || scrolls(element.parentElement));
  for (const element of document.querySelectorAll("main *, .rail *")) {
    const box = element.getBoundingClientRect();
    if (box.width > 2 && box.right > room + 1 && !scrolls(element.parentElement) && element.checkVisibility())
      faults.push("too wide: " + element.outerHTML.slice(0, 100));
  }
  if (document.querySelectorAll("h1").length !== 1) faults.push("has not one h1");
  const field = "input:not([type=hidden], [type=checkbox], [type=radio])";
  const targets = document.querySelectorAll(`button, a.button, summary, select, textarea, ${field}`);
  if (room < 900) for (const target of targets) {
    const box = target.getBoundingClientRect();
    if (box.width > 2 && box.height < 44 && target.checkVisibility())
      faults.push(`${box.height} px high: ` + target.outerHTML.slice(0, 100));
  }
  return faults;
}"""
"""What is wider than the window, and what a finger would miss."""


PASSED_OVER = (
    # Of htmx, whose names no standard has; without its script they do nothing.
    r"Attribute “hx-[a-z-]+” not allowed on element .*",
    # An element of our own that is a field of its form has a name, as HTML says; the checker does not know.
    r"The “name” attribute is never allowed on the “story-editor” element.*",
    # A list of values of hidden fields is how a form says which of its fields it had.
    r'form-dup-name: Duplicate form control name "shown"',
    # A table that a phone shows as a list is none to a screen reader without its roles: `display` ends them.
    r"The “(table|rowgroup|row|cell|columnheader|rowheader)” role is unnecessary for element .*",
    r"The “role” attribute must not be used on a “(tr|th|td)” element which has a “table” ancestor .*",
    r'no-redundant-role: Redundant role "(table|rowgroup|row|cell|columnheader|rowheader)" on .*',
    # Of a page that runs no script: it says where it stands, and has no field in it.
    r"meta-refresh: Meta refresh must be instant .*",
    # Of CSS Color 5, which the checker of style sheets does not know.
    r"CSS: “background”: “calc\(var\(--step\) \* 7%\)” is not a .*",
    # Of Selectors 4, Highlight and CSS UI 4, which the checker of style sheets does not know. A browser that
    # does not either passes over the rule, which is about a look alone.
    r"CSS: “field-sizing”: Property “field-sizing” doesn't exist\..*",
    r"CSS: Parse Error\. [^{]*ghlight\(passage\) \{ background:.*",
)
"""What the two HTML checkers are wrong about."""


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Studio]:
    root = create_workspace(tmp_path / "workspace", sample=True, now=utc_now()).root
    write_own_sender(root)
    with serve_studio(with_maildir(open_workspace(root, environ={}))) as studio:
        yield studio


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    window = ViewportSize(width=WIDTHS[0], height=900)
    # A colour that is still changing to that of the night is not one of ours.
    with browser.new_context(viewport=window, reduced_motion="reduce") as context:
        yield context.new_page()


def show_at(page: Page, width: int, scheme: str = "light") -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]


def find_layout_faults(page: Page) -> list[str]:
    """What does not fit the window, which is as wide as the widest before and after."""
    faults = []
    # Its colours have no part in it, and to set them costs as much as a look.
    for width in WIDTHS:
        if width != WIDTHS[0]:
            page.set_viewport_size({"width": width, "height": 900})
        faults += [f"{width} px: {fault}" for fault in page.evaluate(FIND_LAYOUT_FAULTS)]
    page.set_viewport_size({"width": WIDTHS[0], "height": 900})
    return faults


def find_access_faults(page: Page) -> list[str]:
    faults = []
    for width, scheme in VIEWS:
        show_at(page, width, scheme)
        # A bar that stays in sight lies over other words, whose contrast axe then cannot tell, nor its own.
        page.evaluate(PLACE_BARS, "static")
        found = find_faults(page, undecided=COVERED)
        faults += [f"{width} px, {scheme}: {fault}" for fault in found if is_decided(fault)]
        page.evaluate(PLACE_BARS, "")
    show_at(page, WIDTHS[0])
    return faults


def find_markup_faults(files: Sequence[Path]) -> list[str]:
    return _list_complaints(judge_page_markup(files))


def find_habit_faults(files: Sequence[Path]) -> list[str]:
    return _list_complaints(judge_page_habits(files))


def _list_complaints(complaints: Iterable[Complaint]) -> list[str]:
    return [
        f"{fault.file.stem}: {fault.message}"
        for fault in complaints
        if not any(re.fullmatch(rule, fault.message, re.DOTALL) for rule in PASSED_OVER)
    ]


def need_judges() -> None:
    if not are_installed():
        answer = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        answer("the judges are not installed: `make judge`")


def list_unvisited(paths: list[str]) -> list[str]:
    """The routes that lead to a page, and that none of the paths is."""
    routes = [route.path for route in ROUTES if "GET" in route.methods and route.path not in NO_PAGES]
    pattern = {route: re.compile(re.sub(r"\{\w+(:\w+)?\}", r"(?!new\\b)[^/]+", route)) for route in routes}
    return [route for route in routes if not any(map(pattern[route].fullmatch, paths))]


def test_every_page_fits_a_desk_a_tablet_and_a_phone(studio: Studio, page: Page) -> None:
    errors = collect_browser_errors(page)
    journey = StudioJourney(studio, page)
    faults = [f"{name}: {fault}" for name in journey.visit_pages() for fault in find_layout_faults(page)]
    assert faults == [], "\n".join(faults)
    check_journey(journey, errors)


def check_journey(journey: StudioJourney, errors: Sequence[str]) -> None:
    assert [error for error in errors if "status of 4" not in error] == []
    assert list_unvisited(journey.paths) == []


@pytest.mark.judges
def test_every_page_fits_and_passes_axe_and_both_html_checkers(
    studio: Studio, page: Page, tmp_path: Path
) -> None:
    need_judges()
    errors = collect_browser_errors(page)
    journey = StudioJourney(studio, page)
    answers: list[Response] = []
    page.on("response", lambda answer: answers.append(answer) if is_page(answer) else None)
    complaints: list[str] = []
    files: list[Path] = []
    for name in journey.visit_pages():
        complaints += [f"{name}: {fault}" for fault in find_layout_faults(page)]
        file = tmp_path / f"{name.replace(' ', '-')}.html"
        file.write_text(answers[-1].text(), "utf-8")
        files.append(file)
        complaints += [f"{name}, {fault}" for fault in find_access_faults(page)]
    sheets = [TEMPLATE_FOLDER / name for name in ("tokens.css", "studio.css", "report_sections.css")]
    complaints += find_markup_faults([*files, *sheets]) + find_habit_faults(files)
    assert complaints == [], "\n".join(complaints)
    check_journey(journey, errors)


def is_page(answer: Response) -> bool:
    return (
        answer.request.is_navigation_request()
        and answer.frame.parent_frame is None
        and not (300 <= answer.status < 400)
    )


def plant(page: Page, address: str, old: str, new: str) -> None:
    """Have what is at ``address``, an expression, arrive with ``new`` in place of ``old``."""

    def answer(route: Route) -> None:
        given = route.fetch()
        assert old in given.text()
        route.fulfill(response=given, body=given.text().replace(old, new))

    page.route(re.compile(address), answer)


_PAGE, _SHEET = "/sign-in$", r"/studio\b[^/]*\.css"

FAULTS: Mapping[str, tuple[str, str, str]] = {
    "layout": (_SHEET, ".stripe {", ".stripe { width: 1600px;"),
    "axe": (_SHEET, "button.main, .button.main {", "button.main { opacity: .5;"),
    "markup": (_PAGE, "<main ", '<main wide="yes" '),
    "habits": (_PAGE, 'class="sheet"', 'class="sheet sheet"'),
}
"""A fault for each to see."""


@pytest.mark.judges
@pytest.mark.parametrize("planted", ["", *FAULTS])
def test_a_planted_fault_turns_exactly_its_judge_red(
    studio: Studio, page: Page, tmp_path: Path, planted: str
) -> None:
    need_judges()
    if planted:
        plant(page, *FAULTS[planted])
    given = page.goto(f"{studio.url}/sign-in")
    assert given is not None
    file = tmp_path / "sign-in.html"
    file.write_text(given.text(), "utf-8")
    red: Mapping[str, Sequence[str]] = {
        "layout": find_layout_faults(page),
        "axe": find_access_faults(page),
        "markup": find_markup_faults([file]),
        "habits": find_habit_faults([file]),
    }
    assert {name for name, faults in red.items() if faults} == ({planted} if planted else set()), red
