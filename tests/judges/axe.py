"""axe-core in Chromium: what a mail is to people who hear it, enlarge it, or read it by night.

Each mail is looked at as on a desk and on a telephone, light and dark, with its pictures. What it asks the
network for besides these is a complaint too.
"""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import product
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, Route, sync_playwright

from tests.judges.complaint import Complaint, JudgeError
from tests.judges.mails import MEDIA_URL, Mail

_AXE = Path(__file__).parent / "node_modules/axe-core/axe.min.js"
_WIDTHS = (700, 375)
_SCHEMES = ("light", "dark")
_STANDARDS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
# What axe cannot decide counts too, but for two contrasts: of an ornament, which is no letter; and of a
# caption, because the box of a text that goes around its picture lies under it. The judge "thunderbird" and
# the tests of the themes measure it all the same.
_RUN = """async ([standards, undecided]) => {
  const {violations, incomplete} = await axe.run(document, {
    runOnly: {type: "tag", values: standards}, resultTypes: ["violations", "incomplete"],
    // A mail in a frame is judged by itself, and can run nothing.
    iframes: false, rules: {"frame-tested": {enabled: false}},
  });
  const isOrnament = ({any}) => any.some(({data}) => data?.messageKey === "nonBmp");
  const isCaption = ({any, html}) => html.startsWith('<div class="c"') &&
    any.some(({data}) => data?.messageKey === "elmPartiallyObscuring");
  const isPassedOver = ({any}) => any.some(({data}) => undecided.includes(data?.messageKey));
  return [...violations, ...incomplete].flatMap(({id, help, nodes}) =>
    nodes.filter((node) => !isOrnament(node) && !isCaption(node) && !isPassedOver(node))
      .map(({html}) => ({id, help, html}))
  );
}"""
QUIET = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")


def judge_access(mails: Sequence[Mail]) -> Iterator[Complaint]:
    """Judge the HTML of all ``mails`` in one browser."""
    with ExitStack() as stack:
        playwright = stack.enter_context(sync_playwright())
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=QUIET)
        stack.callback(browser.close)
        page = browser.new_page()
        for mail in mails:
            yield from _judge_mail(page, mail)


def find_faults(page: Page, *, undecided: Sequence[str] = ()) -> Iterator[str]:
    """What axe finds wrong with the page as it is shown now. ``undecided`` are its reasons for being unsure
    that do not count, by its own keys, such as bgOverlap."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(_AXE.read_text("utf-8"))
    for fault in page.evaluate(_RUN, [_STANDARDS, undecided]):
        yield f"{fault['id']}: {fault['help']}: {fault['html'][:160]}"


def is_decided(fault: str) -> bool:
    """Whether axe can tell. It does not know what lies under a text in a drawing, whose colours test_tokens
    measures, nor whether a single dash is a text."""
    return not (fault.startswith("color-contrast") and ("<text " in fault or fault.endswith(">–</td>")))


def find_chromium() -> str:
    """The browser of the machine.

    Raises:
        JudgeError: there is none.
    """
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        raise JudgeError("there is no Chromium here.")
    return found


def _judge_mail(page: Page, mail: Mail) -> Iterator[Complaint]:
    asked: list[str] = []
    source = mail.html.read_text("utf-8")
    with open_mail(page, mail, asked):
        page.evaluate(_AXE.read_text("utf-8"))
        for width, scheme in product(_WIDTHS, _SCHEMES):
            page.set_viewport_size({"width": width, "height": 900})
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            for fault in page.evaluate(_RUN, [_STANDARDS, []]):
                yield _complain(mail, source, fault, f"{width} px, {scheme}")
    yield from (Complaint(mail.html, 1, f"the mail asks the network for {url}") for url in asked)


@contextmanager
def open_mail(page: Page, mail: Mail, asked: list[str]) -> Iterator[None]:
    """Open ``mail`` with its pictures; what else it asks for is refused, and added to ``asked``."""
    page.route("**/*", lambda route: _answer(route, mail, asked))
    page.goto(mail.html.as_uri())
    yield
    page.unroute("**/*")


def _answer(route: Route, mail: Mail, asked: list[str]) -> None:
    url = route.request.url
    if url.startswith("file:"):
        route.continue_()
    elif url.startswith(MEDIA_URL) and (picture := mail.media / url.removeprefix(MEDIA_URL)).is_file():
        route.fulfill(path=picture)
    else:
        asked.append(url)
        route.abort()


def _complain(mail: Mail, source: str, fault: dict[str, Any], view: str) -> Complaint:
    start = source.find(fault["html"][:80])
    line = source.count("\n", 0, max(start, 0)) + 1
    return Complaint(mail.html, line, f"{fault['id']} ({view}): {fault['help']}: {fault['html'][:160]}")
