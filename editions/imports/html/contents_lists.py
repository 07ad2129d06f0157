"""Lists of what is in the issue, such as “In this issue”, which an email does not need: it has its own."""

import re
from collections.abc import Collection, Sequence

from lxml import etree

from editions.imports.html.tree import has_picture, text_content

_MAX_HEADING_LENGTH = 40
_PAGE_NUMBER = re.compile(r"[\s.…·]*\b\d{1,3}\s*$")
_LETTERS = re.compile(r"[^\w]+")


def find_contents_lists(
    blocks: Sequence[etree._Element], titles: Collection[str], *, keep: Collection[int] = ()
) -> frozenset[int]:
    """The indices of blocks that only list the stories with these ``titles``, or are links within the
    document; at least two of them. The short line above them is one too, unless it is among ``keep``."""
    known = {_key(title) for title in titles}
    found: set[int] = set()
    index = 0
    while index < len(blocks):
        start = index
        lines = 0
        while index < len(blocks) and index not in keep and (listed := _count_lines(blocks[index], known)):
            lines += listed
            index += 1
        if lines > 1:
            found |= set(range(start, index))
            above = start - 1
            while above >= 0 and not text_content(blocks[above]).strip() and not has_picture(blocks[above]):
                above -= 1
            if above >= 0 and above not in keep and _is_short_line(blocks[above]):
                found.add(above)
        index = max(index, start + 1)
    return frozenset(found)


def _count_lines(block: etree._Element, titles: Collection[str]) -> int:
    """How many lines of a list of contents ``block`` is; 0 when it is anything else."""
    if block.tag not in {"p", "ul", "ol"} or has_picture(block):
        return 0
    lines = [block] if block.tag == "p" else list(block.iter("li"))
    return len(lines) if lines and all(_is_contents_line(line, titles) for line in lines) else 0


def _is_contents_line(line: etree._Element, titles: Collection[str]) -> bool:
    links = [link for link in line.iter("a") if link.get("href")]
    text = _PAGE_NUMBER.sub("", text_content(line))
    inner = "".join(text_content(link) for link in links)
    if links and all((link.get("href") or "").startswith("#") for link in links):
        return _key(text) == _key(_PAGE_NUMBER.sub("", inner)) != ""
    return not links and _key(text) in titles


def _is_short_line(block: etree._Element) -> bool:
    text = text_content(block).strip()
    return (
        block.tag in {"p", "h1", "h2", "h3", "h4", "h5", "h6"}
        and block.get("class") is None
        and 0 < len(text) <= _MAX_HEADING_LENGTH
        and not text.endswith((".", ",", "。", "，"))
        and block.find(".//a[@href]") is None
        and not has_picture(block)
    )


def _key(text: str) -> str:
    return _LETTERS.sub("", text.casefold())
