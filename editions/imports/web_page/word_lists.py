"""The lists of pages that Word saved: paragraphs with their marks as text, which a browser cannot tell from
others."""

import re

from lxml import etree

_LIST = re.compile(r"mso-list\s*:\s*l\d+ level(?P<level>\d)", re.IGNORECASE)
_IGNORED = re.compile(r"mso-list\s*:\s*ignore", re.IGNORECASE)
_NUMBER = re.compile(r"\(?(\d{1,3}|[a-z])[.)]", re.IGNORECASE)


def rebuild_word_lists(root: etree._Element) -> None:
    """Put Word's list paragraphs in ``root`` into lists, and remove their marks."""
    paragraphs = [part for part in root.iter("p") if _LIST.search(part.get("style") or "")]
    open_lists: list[etree._Element] = []
    last: etree._Element | None = None
    for paragraph in paragraphs:
        found = _LIST.search(paragraph.get("style") or "")
        level = min(int(found["level"]) if found else 1, 6)
        if last is None or paragraph.getprevious() is not last or (last.tail or "").strip():
            open_lists = []
        tag = "ol" if _NUMBER.match(_take_mark(paragraph)) else "ul"
        del open_lists[level:]
        while len(open_lists) < level:
            made = etree.Element(tag)
            if open_lists:
                items = [item for item in open_lists[-1] if item.tag == "li"]
                (items[-1] if items else etree.SubElement(open_lists[-1], "li")).append(made)
            else:
                paragraph.addprevious(made)
            open_lists.append(made)
        if level == 1 or last is None or paragraph.getprevious() is open_lists[0]:
            last = open_lists[0]
        last.tail, paragraph.tail = paragraph.tail, None
        paragraph.tag = "li"
        paragraph.attrib.pop("style")
        open_lists[-1].append(paragraph)


def _take_mark(paragraph: etree._Element) -> str:
    """Remove the mark of a list paragraph, and return it."""
    for part in paragraph.iter("span"):
        if _IGNORED.search(part.get("style") or ""):
            mark = "".join(map(str, part.itertext())).strip()
            part[:] = []
            part.text = None
            return mark
    return ""
