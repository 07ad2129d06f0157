"""Every public page in six languages on a phone, with and without JavaScript, checked by validators."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Response
from sqlalchemy import Engine

from mailer.i18n import LANGUAGES
from mailer.web.app import create_app
from mailer.web.page_renderer import TEMPLATE_FOLDER
from mailer.workspace import Workspace, open_workspace
from tests.judges.axe import find_faults
from tests.judges.html_validate import judge_page_habits
from tests.judges.nu import judge_page_markup
from tests.judges.packages import are_installed
from tests.web.reader_journey import ReaderJourney
from tests.web.site import add_archived_edition, collect_browser_errors, opened_engine, served

Figure = Callable[[str], None]
PHONE = {"width": 375, "height": 740}
HEAVIEST = 30_000
# Mails have validators of their own.
MAILS = {"edition", "last edition"}
# The scripts and the languages have nothing to do with each other, so each is seen once now.
NOW = {("en", True), ("mn", False)}
SOME_NOW_AND_ALL_IN_THE_SOAK = [
    pytest.param(
        tag,
        script,
        id=f"{tag}-with{'' if script else 'out'}-script",
        marks=() if (tag, script) in NOW else pytest.mark.soak,
    )
    for tag in LANGUAGES
    for script in (True, False)
]
FIND_FAULTS = """() => {
  const faults = [];
  const one = (selector) => document.querySelectorAll(selector).length;
  if (one("h1") !== 1) faults.push(`has ${one("h1")} h1`);
  if (one("script, style, [onclick]")) faults.push("has a script or a style of its own");
  const targets = "a, button, input:not([type=hidden], [type=checkbox], [type=radio])";
  for (const target of document.querySelectorAll(targets)) {
    const box = target.getBoundingClientRect();
    const isSeen = box.width > 0 && box.height > 0 && getComputedStyle(target).visibility === "visible";
    if (isSeen && target.getAttribute("tabindex") !== "-1" && box.height < 44)
      faults.push(`${target.innerText} is ${box.height} px high`);
  }
  for (const choice of document.querySelectorAll("label.choice")) {
    const height = choice.getBoundingClientRect().height;
    if (height < 44) faults.push(`a choice is ${height} px high`);
  }
  return faults;
}"""
"""What must not be on any page. Asked at once: each question to the browser costs as much as all of them."""


@pytest.fixture
def sign_up_workspace(workspace: Workspace) -> Workspace:
    environ = {
        "MAILER_WEB__SIGN_UP": "true",
        "MAILER_COUNTRIES__CN": "China",
        "MAILER_COUNTRIES__MN": "Mongolia",
    }
    return open_workspace(workspace.root, environ=environ)


@pytest.fixture
def engine(sign_up_workspace: Workspace) -> Iterator[Engine]:
    with opened_engine(sign_up_workspace) as engine:
        add_archived_edition(sign_up_workspace, engine)
        yield engine


@pytest.fixture
def url(sign_up_workspace: Workspace) -> Iterator[str]:
    with served(create_app(sign_up_workspace)) as running:
        yield running.url


def look_over(page: Page, name: str, language: str) -> None:
    """Check what must hold on every page."""
    if name in MAILS:
        return
    # A story is in the languages of its edition, here English alone.
    assert page.locator("html").get_attribute("lang") == ("en" if name == "story" else language), name
    assert page.evaluate(FIND_FAULTS) == [], name


@pytest.mark.parametrize(("language", "script"), SOME_NOW_AND_ALL_IN_THE_SOAK)
def test_a_phone_shows_every_page_in_every_language_and_loads_it_fast(
    sign_up_workspace: Workspace,
    engine: Engine,
    url: str,
    browser: Browser,
    language: str,
    script: bool,
    figure: Figure,
) -> None:
    files = sum((TEMPLATE_FOLDER / name).stat().st_size for name in ("tokens.css", "site.css", "icon.svg"))
    heaviest = (0, "")
    with browser.new_context(viewport=PHONE, java_script_enabled=script) as context:
        page = context.new_page()
        complaints = collect_browser_errors(page)
        journey = ReaderJourney(sign_up_workspace, engine, url, page, language, "w")
        shown = []
        for name in journey.visit_pages():
            look_over(page, name, language)
            if name not in MAILS:
                for width in (320, 375):
                    page.set_viewport_size({"width": width, "height": 740})
                    wide = page.evaluate("document.documentElement.scrollWidth > innerWidth")
                    assert not wide, f"{name} is wider than {width} px"
                heaviest = max(heaviest, (len(page.content().encode()) + files, name))
            shown.append(name)
        assert context.cookies() == []
    assert len(shown) >= 25
    assert [words for words in complaints if "status of 4" not in words] == []
    assert heaviest[0] <= HEAVIEST, f"{heaviest[1]} weighs {heaviest[0]}"
    weight = f"{heaviest[0] / 1000:.1f} of 30 kB"
    figure(f"the heaviest public page with its files: {heaviest[1]}, {language}, {weight}")


@pytest.mark.judges
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_page_passes_axe_and_both_html_checkers(
    sign_up_workspace: Workspace, engine: Engine, url: str, browser: Browser, language: str, tmp_path: Path
) -> None:
    if not are_installed():
        answer = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        answer("the judges are not installed: `make judge`")
    complaints: list[str] = []
    files: list[Path] = []
    with browser.new_context(viewport=PHONE) as context:
        page = context.new_page()
        answers: list[Response] = []
        page.on("response", lambda answer: answers.append(answer) if is_page(answer) else None)
        for name in ReaderJourney(sign_up_workspace, engine, url, page, language, "w").visit_pages():
            if name in MAILS:
                continue
            file = tmp_path / f"{name.replace(' ', '-')}.html"
            file.write_text(answers[-1].text(), "utf-8")
            files.append(file)
            for scheme in ("light", "dark"):
                page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
                complaints += [f"{name}, {scheme}: {fault}" for fault in find_faults(page)]
    complaints += [
        f"{fault.file.stem}: {fault.message}"
        for fault in judge_page_markup([*files, TEMPLATE_FOLDER / "site.css"])
    ]
    complaints += [f"{fault.file.stem}: {fault.message}" for fault in judge_page_habits(files)]
    assert complaints == [], "\n".join(complaints)


def is_page(answer: Response) -> bool:
    return answer.request.is_navigation_request()
