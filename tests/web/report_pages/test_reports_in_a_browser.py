"""The pages of reports in a real browser: on a phone, on paper, by keyboard, without scripts."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, ViewportSize

from tests.judges.axe import find_faults, is_decided
from tests.judges.packages import are_installed
from tests.web.report_pages.shown_reports import REPORTS, TIME_LINES, ShownReports
from tests.web.site import collect_browser_errors, served

PATHS = [f"/report/{name}".replace(" ", "-") for name in REPORTS] + [
    f"/overview/{name}".replace(" ", "-") for name in TIME_LINES
]
WIDTHS = (320, 375, 1280)

FIND_FAULTS = """() => {
  const faults = [];
  const room = document.documentElement.clientWidth;
  for (const svg of document.querySelectorAll("svg.chart")) {
    const outer = svg.getBoundingClientRect();
    const boxes = [...svg.querySelectorAll("text")].filter(text => text.textContent.trim()).map(text => {
      const box = text.getBoundingClientRect();
      // A label that is wider than its place is cut there.
      const place = text.closest("svg:not(.chart)");
      const isCut = place && place.getAttribute("overflow") !== "visible";
      const edge = isCut ? outer.left + place.x.baseVal.value + place.width.baseVal.value : Infinity;
      return {words: text.textContent, left: box.left, right: Math.min(box.right, edge),
              top: box.top + 2, bottom: box.bottom - 2};
    });
    for (const box of boxes) {
      if (box.left < outer.left - 1 || box.right > outer.right + 1) faults.push("outside: " + box.words);
    }
    boxes.forEach((one, index) => boxes.slice(index + 1).forEach(other => {
      if (one.left < other.right - 1 && other.left < one.right - 1 && one.top < other.bottom
          && other.top < one.bottom) faults.push(one.words + " over " + other.words);
    }));
  }
  if (document.documentElement.scrollWidth > innerWidth) faults.push("scrolls sideways");
  for (const cell of document.querySelectorAll("th, td, p, h1, h2, dd, li")) {
    const box = cell.getBoundingClientRect();
    const isCut = cell.scrollWidth > cell.clientWidth + 1 && getComputedStyle(cell).display !== "inline";
    if (box.width > 2 && (box.right > room + 1 || isCut)) faults.push("too wide: " + cell.textContent);
  }
  return faults;
}"""
"""What overlaps, is cut off or is wider than the page."""


@pytest.fixture(scope="module")
def url(shown: ShownReports) -> Iterator[str]:
    with served(shown.create_app()) as running:
        yield running.url


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page whose test fails at any error in the browser, such as a style that the policy forbids."""
    context = browser.new_context()
    page = context.new_page()
    errors = collect_browser_errors(page)
    yield page
    context.close()
    assert errors == []


def test_nothing_overlaps_or_is_wider_than_the_page(page: Page, url: str) -> None:
    for path in PATHS:
        page.goto(url + path)
        for width in WIDTHS:
            page.set_viewport_size(ViewportSize(width=width, height=800))
            assert page.evaluate(FIND_FAULTS) == [], f"{path}, {width} px"


def test_what_overlaps_is_found(page: Page, url: str) -> None:
    page.goto(f"{url}/report/full")
    page.evaluate("document.querySelectorAll('.bars .figure').forEach(text => text.setAttribute('x', '60'))")
    page.evaluate("document.querySelector('dd').style.width = '3000px'")
    page.evaluate("document.querySelector('.heat').firstChild.nextSibling.nextSibling.remove()")
    faults = page.evaluate(FIND_FAULTS)
    for kind in (" over ", "outside: ", "scrolls sideways"):
        assert any(kind in fault for fault in faults), kind


def test_an_open_table_fits_a_phone(page: Page, url: str) -> None:
    page.set_viewport_size(ViewportSize(width=375, height=800))
    for path in ("/report/many-sectors", "/overview/two-hundred"):
        page.goto(url + path)
        for summary in page.locator("summary").all():
            summary.click()
        assert page.evaluate(FIND_FAULTS) == [], path


def test_a_report_is_read_by_keyboard(page: Page, url: str) -> None:
    page.goto(f"{url}/report/full")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "To the report"
    assert page.evaluate("document.activeElement.getBoundingClientRect().left") >= 0
    page.keyboard.press("Enter")
    assert page.url.endswith("#report")
    reached = set()
    for _ in range(12):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.tagName"))
    assert {"A", "SUMMARY"} <= reached
    page.locator("summary").first.focus()
    page.keyboard.press("Enter")
    assert page.locator("details").first.get_attribute("open") is not None


def test_a_report_needs_no_script(browser: Browser, url: str) -> None:
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(f"{url}/report/full")
        assert page.locator("svg.chart").count() >= 7
        page.locator("summary").click()
        assert page.locator("details table").is_visible()


def test_targets_are_large_enough_for_a_finger(page: Page, url: str) -> None:
    page.set_viewport_size(ViewportSize(width=375, height=800))
    for path in ("/report/full", "/overview/two-hundred"):
        page.goto(url + path)
        for target in page.locator("a:visible:not(.skip), summary:visible").all():
            box = target.bounding_box()
            assert box is not None
            assert box["height"] >= 24, f"{path}: {target.inner_text()}"


def test_colours_follow_the_appearance(page: Page, url: str) -> None:
    grounds = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        page.goto(f"{url}/report/full")
        fills = "element => [getComputedStyle(element).fill, getComputedStyle(document.body).color]"
        grounds.append(page.locator(".stacked .main").first.evaluate(fills))
    light, dark = grounds
    assert light[0] != dark[0]
    assert light[1] != dark[1]


def test_paper_is_white_and_its_charts_are_without_colour(page: Page, url: str) -> None:
    page.emulate_media(media="print", color_scheme="dark")
    page.goto(f"{url}/report/full")
    painted = page.evaluate(
        """() => [...document.querySelectorAll("svg.chart *, th, td, p, h1, h2, a")].flatMap(element => {
          const style = getComputedStyle(element);
          return element instanceof SVGElement ? [style.fill, style.stroke] : [style.color];
        })"""
    )
    for colour in set(painted) - {"none"}:
        channels = re.findall(r"\d+", colour)[:3]
        assert colour.startswith("url(") or len(set(channels)) == 1, colour
    for element in ("html", "body", ".sheet"):
        ground = page.locator(element).evaluate("element => getComputedStyle(element).backgroundColor")
        assert ground == "rgba(0, 0, 0, 0)", element


def test_a_printed_report_is_on_a4_with_no_row_cut_and_nothing_folded(page: Page, url: str) -> None:
    page.goto(f"{url}/overview/two-hundred")
    pages = re.findall(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", page.pdf(prefer_css_page_size=True))
    assert {(round(float(width)), round(float(height))) for width, height in pages} == {(595, 842)}
    # What is folded would take a page or two; two hundred rows take more.
    assert len(pages) >= 5
    page.emulate_media(media="print")
    breaks = "rows => [...new Set(rows.map(row => getComputedStyle(row).breakInside))]"
    assert page.locator("tr").evaluate_all(breaks) == ["avoid"]
    heads = "heads => [...new Set(heads.map(head => getComputedStyle(head).display))]"
    assert page.locator("thead").evaluate_all(heads) == ["table-header-group"]


@pytest.mark.judges
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(page: Page, url: str, scheme: str) -> None:
    if not are_installed():
        pytest.skip("the judges are not installed: `make judge`")
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    complaints = []
    for path in PATHS:
        page.goto(url + path)
        for width in (1280, 375):
            page.set_viewport_size(ViewportSize(width=width, height=800))
            complaints += [f"{path}, {width} px: {fault}" for fault in find_faults(page) if is_decided(fault)]
    assert complaints == []
