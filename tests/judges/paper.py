"""Paper: a mail printed by Chromium, and read by poppler's pdftotext with the place of every word.

Printed are the mails that stand for their kind: what else there is differs by its stories alone.
"""

import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lxml import etree
from playwright.sync_api import sync_playwright

from tests.judges.axe import QUIET, find_chromium, open_mail
from tests.judges.complaint import Complaint, JudgeError
from tests.judges.mails import Mail

_MARGIN_MM = 15
_MARGINS: Any = dict.fromkeys(("top", "bottom", "left", "right"), f"{_MARGIN_MM}mm")
_POINTS_PER_MM = 72 / 25.4
# What a letter may reach into the margin: its box is that of the font, which is higher than the letter.
_TOLERANCE = 3.0
# The share of a word's height that another may cover: with a tight line height, boxes of lines touch.
_COVERED = 0.5
_FIRST_IDEOGRAPH = 0x2E80


@dataclass(frozen=True)
class Word:
    """A word on a page, and its box in points from the upper left corner."""

    text: str
    left: float
    top: float
    right: float
    bottom: float

    @property
    def is_placed(self) -> bool:
        """Whether its box is that of its letters: for Chinese, Japanese and Korean fonts and for emoji, it is
        that of the highest and lowest glyphs of ten thousand, which are elsewhere."""
        return max(map(ord, self.text), default=0) < _FIRST_IDEOGRAPH

    def covers(self, other: "Word") -> bool:
        """Whether both are printed on the same place."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        lower = min(self.bottom - self.top, other.bottom - other.top)
        return width > 1 and height > _COVERED * lower


@dataclass(frozen=True)
class PrintedPage:
    """A page: its height in points, and its lines of words from top to bottom."""

    height: float
    lines: tuple[tuple[Word, ...], ...]


def judge_paper(mails: Sequence[Mail]) -> Iterator[Complaint]:
    """No page is blank, no line is cut, nothing is printed over anything, and no heading ends a page."""
    printed = [mail for mail in mails if mail.stands_for_its_kind]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=QUIET)
        page = browser.new_page()
        for mail in printed:
            paper = mail.html.with_suffix(".pdf")
            with open_mail(page, mail, []):
                page.pdf(path=paper, format="A4", margin=_MARGINS, print_background=True)
            for fault in find_print_faults(read_pages(paper), mail.titles):
                yield Complaint(mail.html, 1, fault)
        browser.close()


def read_pages(paper: Path) -> list[PrintedPage]:
    """The pages of a PDF, with the place of every word.

    Raises:
        JudgeError: pdftotext cannot read it.
    """
    done = subprocess.run(["pdftotext", "-bbox-layout", paper, "-"], capture_output=True, check=False)
    if done.returncode:
        raise JudgeError(f"pdftotext ended with {done.returncode}: {done.stderr.decode()[-2000:]}")
    root = etree.fromstring(done.stdout, etree.XMLParser(recover=True))
    return [_read_page(page) for page in root.iter("{*}page")]


def _read_page(page: etree._Element) -> PrintedPage:
    lines = (tuple(map(_read_word, line.iter("{*}word"))) for line in page.iter("{*}line"))
    ordered = sorted(filter(None, lines), key=lambda line: max(word.bottom for word in line))
    return PrintedPage(height=float(page.get("height", "0")), lines=tuple(ordered))


def _read_word(word: etree._Element) -> Word:
    left, top, right, bottom = (float(word.get(side, "0")) for side in ("xMin", "yMin", "xMax", "yMax"))
    return Word(word.text or "", left, top, right, bottom)


def find_print_faults(pages: Sequence[PrintedPage], titles: Sequence[str]) -> Iterator[str]:
    """What is wrong with the printed ``pages`` of a mail whose stories have these ``titles``."""
    ends = {_squeeze(title) for title in titles}
    for number, page in enumerate(pages, 1):
        if not page.lines:
            yield f"page {number} of {len(pages)} is blank when printed"
            continue
        # What else is in a line may be in the same font: a dot between Japanese words is.
        lines = (line for line in page.lines if all(word.is_placed for word in line))
        placed = (word for line in lines for word in line)
        words = sorted(placed, key=lambda word: word.top)
        margin = _MARGIN_MM * _POINTS_PER_MM - _TOLERANCE
        for word in words:
            if word.top < margin or word.bottom > page.height - margin:
                yield f"a line is cut at the edge of page {number} when printed: “{word.text}”"
        for word, other in _find_covered(words):
            yield f"“{other.text}” is printed on top of “{word.text}” on page {number}"
        last = _squeeze("".join(word.text for word in page.lines[-1]))
        if number < len(pages) and any(end.endswith(last) for end in ends):
            yield f"a heading is alone at the foot of page {number} when printed: “{last}”"


def _find_covered(words: Sequence[Word]) -> Iterator[tuple[Word, Word]]:
    """Pairs of words on the same place; ``words`` are in the order of their tops."""
    for place, word in enumerate(words):
        for other in words[place + 1 :]:
            if other.top >= word.bottom:
                break
            if word.covers(other):
                yield word, other


def _squeeze(text: str) -> str:
    return "".join(text.split())
