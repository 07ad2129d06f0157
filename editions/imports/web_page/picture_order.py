"""Pictures above titles. Newsletters often show a story's picture above its title, where it would fall to the
story before."""

from itertools import pairwise

from lxml import etree

from editions.imports.html.tree import text_content

_HEADINGS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
_MAX_TITLE_LENGTH = 120
_LARGE = 115


def move_pictures_below_titles(body: etree._Element) -> None:
    """Put pictures directly above a title below it, unless the page has them below its titles."""
    blocks = [block for block in body if len(block) or text_content(block).strip()]
    pairs = [*pairwise(blocks)]
    above = [(first, second) for first, second in pairs if _is_picture(first) and _is_title(second)]
    below = sum(_is_title(first) and _is_picture(second) for first, second in pairs)
    if below >= len(above):
        return
    for picture, title in above:
        title.addnext(picture)


def _is_picture(block: etree._Element) -> bool:
    return block.tag == "p" and block.find(".//img") is not None and not text_content(block).strip()


def _is_title(block: etree._Element) -> bool:
    text = text_content(block).strip()
    if block.tag in _HEADINGS:
        return bool(text)
    stands_out = block.get("data-bold") is not None or int(block.get("data-size") or 100) >= _LARGE
    return block.tag == "p" and stands_out and 0 < len(text) <= _MAX_TITLE_LENGTH
