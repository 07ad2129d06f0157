"""What mail programs leave of a mail: a little less width, no style sheet, or no @media.

Measured in Chromium on the mails that stand for their kind, each changed as the program changes it.
"""

from collections.abc import Iterator, Sequence

from playwright.sync_api import Page, sync_playwright

from mailer.rendering.themes.theme import MIN_TEXT_CONTRAST, measure_contrast
from tests.judges.axe import QUIET, find_chromium, open_mail
from tests.judges.colours import READ_COLOURS
from tests.judges.complaint import Complaint
from tests.judges.mails import Mail

# Thunderbird's composer takes three pixels of the sheet when it forwards a mail.
_TAKEN = 3
# A line of fewer pixels is read word by word.
_NARROWEST = 180
_PHONE = 375
_DESK = 700

# How many pictures have the text that follows them beside them.
_BESIDE = """() => [...document.querySelectorAll('div.f')].filter(picture => {
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  walker.currentNode = picture.lastElementChild ?? picture;
  let text;
  do { text = walker.nextNode(); } while (text && (picture.contains(text) || !text.data.trim()));
  if (!text) return false;
  const range = document.createRange();
  range.selectNodeContents(text);
  return range.getClientRects()[0].top < picture.getBoundingClientRect().bottom - 1;
}).length"""

_NARROW_SHEET = """taken => {
  for (const sheet of document.querySelectorAll('.sh'))
    sheet.style.maxWidth = `${sheet.clientWidth - taken}px`;
}"""

_REMOVE_SHEETS = "() => document.querySelectorAll('style').forEach(sheet => sheet.remove())"

# Texts of several lines whose place is narrow, and what is not in the order of the source. Beside a picture
# the longest line tells, elsewhere the box. A line that changes its script or direction consists of several
# boxes, of different heights.
_FIND_SQUEEZED = """least => [...document.querySelectorAll('p')].filter(text => {
  const range = document.createRange(), lines = [];
  range.selectNodeContents(text);
  const boxes = [...range.getClientRects()].sort((one, other) => one.top - other.top);
  for (const {left, right, top, bottom} of boxes) {
    const line = lines.at(-1);
    if (line && (top + bottom) / 2 < line.bottom) {
      line.left = Math.min(line.left, left);
      line.right = Math.max(line.right, right);
      line.bottom = Math.max(line.bottom, bottom);
    } else lines.push({left, right, bottom});
  }
  const box = text.getBoundingClientRect();
  const isBeside = [...document.querySelectorAll('[style*=float]')].some(one => {
    const other = one.getBoundingClientRect();
    return getComputedStyle(one).float !== 'none' && !one.contains(text) && other.height
      && other.top < box.bottom && box.top < other.bottom;
  });
  const width = isBeside ? Math.max(...lines.map(line => line.right - line.left)) : box.width;
  return lines.length > 3 && width < least;
}).map(text => text.textContent.slice(0, 60))"""

_FIND_DISORDER = """() => [...document.querySelectorAll('h3')].flatMap(title => {
  const row = title.closest('td'), top = title.getBoundingClientRect().top;
  return [...row.querySelectorAll('img')].filter(image => image.getBoundingClientRect().top < top)
    .map(() => title.textContent);
})"""

# As Thunderbird shows a mail: without the blocks of @media, and inside an element of its own class.
_SANITISE = """() => {
  for (const element of document.querySelectorAll('style')) {
    const rules = element.sheet.cssRules;
    for (let place = rules.length - 1; place >= 0; place--)
      if (rules[place] instanceof CSSMediaRule) element.sheet.deleteRule(place);
  }
  const shown = document.createElement('div');
  shown.className = 'moz-text-html';
  shown.append(...document.body.childNodes);
  document.body.append(shown);
}"""


def judge_forwarding(mails: Sequence[Mail]) -> Iterator[Complaint]:
    """What stands beside a picture still does when the mail is forwarded."""
    for mail, page in _open_each(mails):
        page.set_viewport_size({"width": _DESK, "height": 900})
        before = page.evaluate(_BESIDE)
        page.evaluate(_NARROW_SHEET, _TAKEN)
        if (after := page.evaluate(_BESIDE)) != before:
            yield Complaint(
                mail.html, 1, f"{before} texts stand beside their pictures, and {after} when it is forwarded"
            )


def judge_unstyled(mails: Sequence[Mail]) -> Iterator[Complaint]:
    """Without any style sheet the mail fits a phone, in order, and no text is squeezed."""
    for mail, page in _open_each(mails):
        page.evaluate(_REMOVE_SHEETS)
        for width in (_DESK, _PHONE):
            page.set_viewport_size({"width": width, "height": 900})
            if (needed := page.evaluate("document.documentElement.scrollWidth")) > width:
                yield Complaint(mail.html, 1, f"without style sheets it is {needed} px wide on {width} px")
            for text in page.evaluate(_FIND_SQUEEZED, _NARROWEST):
                yield Complaint(
                    mail.html, 1, f"without style sheets a text is squeezed on {width} px: {text}"
                )
            for title in page.evaluate(_FIND_DISORDER):
                yield Complaint(
                    mail.html, 1, f"without style sheets a picture comes before its title: {title}"
                )


def judge_thunderbird(mails: Sequence[Mail]) -> Iterator[Complaint]:
    """By day and by night, what Thunderbird leaves of the style sheets paints a mail that can be read."""
    for mail, page in _open_each(mails):
        page.evaluate(_SANITISE)
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            title = page.evaluate("document.querySelector('h1').textContent.trim()")
            for ink, ground, text in page.evaluate(READ_COLOURS):
                if measure_contrast(ink, ground) < MIN_TEXT_CONTRAST:
                    yield Complaint(mail.html, 1, f"in Thunderbird, {scheme}, hard to read: {text[:60]}")
                is_light = measure_contrast(ground, "#000000") > measure_contrast(ground, "#ffffff")
                if text == title and is_light != (scheme == "light"):
                    yield Complaint(mail.html, 1, f"in Thunderbird, {scheme}, the ground is {ground}")
        page.emulate_media(color_scheme="light")


def _open_each(mails: Sequence[Mail]) -> Iterator[tuple[Mail, Page]]:
    """Each mail that stands for its kind, and the page it is open on."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=QUIET)
        page = browser.new_page(viewport={"width": _DESK, "height": 900})
        for mail in mails:
            if mail.stands_for_its_kind:
                with open_mail(page, mail, []):
                    yield mail, page
        browser.close()
