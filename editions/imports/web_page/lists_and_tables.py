"""Lists and tables of pages: told from layout, and mended."""

import re
from collections.abc import Iterator, Mapping

from lxml import etree

from editions.imports.html.tree import HEADINGS

_LAYOUT_ROLES = frozenset({"presentation", "none"})
_LAYOUT_CONTENT = ("table", *HEADINGS, "blockquote", "ul", "ol")
_MAX_CELL_LENGTH = 160
_KEPT = frozenset({"li", "ul", "ol", "menu", "dir", "p", "div"})
_LIST = re.compile(r"mso-list\s*:\s*l\d+ level(?P<level>\d)", re.IGNORECASE)
_IGNORED = re.compile(r"mso-list\s*:\s*ignore", re.IGNORECASE)
_NUMBER = re.compile(r"\(?(\d{1,3}|[a-z])[.)]", re.IGNORECASE)


def is_data_table(table: etree._Element, borders: Mapping[etree._Element, bool]) -> bool:
    """Return whether ``table`` is seen as a table. ``borders`` tells which cells have a border."""
    if (table.get("role") or "").lower() in _LAYOUT_ROLES:
        return False
    if any(True for _ in table.iterdescendants(*_LAYOUT_CONTENT)) or _has_loose_text(table):
        return False
    rows = [[*cells(row)] for row in rows_of(table)]
    rows = [row for row in rows if any(_text(cell) for cell in row)]
    if len(rows) < 2 or max(len(row) for row in rows) < 2:
        return False
    if any(cell.tag == "th" for row in rows for cell in row) or (table.get("border") or "0") not in {"0", ""}:
        return True
    if any(borders.get(cell) for row in rows for cell in row):
        return True
    # Without a hint: several rows of short texts, as many in each. Columns of prose are a layout.
    filled = [sum(bool(_text(cell)) for cell in row) for row in rows]
    longest = max(len(_text(cell)) for row in rows for cell in row)
    has_pictures = any(True for _ in table.iterdescendants("img"))
    return longest <= _MAX_CELL_LENGTH and not has_pictures and min(filled) >= 2 and len(rows) >= 3


def _has_loose_text(table: etree._Element) -> bool:
    """Return whether there is text in none of the cells, which a table of data would lose."""
    around = [table, *(part for part in table if part.tag in {"thead", "tbody", "tfoot"}), *rows_of(table)]
    texts = [text for part in around for text in (part.text, *(child.tail for child in part))]
    return any(text.strip() for text in texts if text)


def rows_of(table: etree._Element) -> Iterator[etree._Element]:
    """Yield the rows of ``table``, without those of tables within it."""
    for child in table:
        if child.tag == "tr":
            yield child
        elif child.tag in {"thead", "tbody", "tfoot"}:
            yield from (row for row in child if row.tag == "tr")


def cells(row: etree._Element) -> Iterator[etree._Element]:
    return (cell for cell in row if cell.tag in {"td", "th"})


def _text(cell: etree._Element) -> str:
    return " ".join("".join(map(str, cell.itertext())).split())


def wrap_loose_items(listed: etree._Element) -> None:
    """Put text and inline elements that are in a list, but in none of its items, into items."""
    children: list[etree._Element] = []
    loose = _start_item(listed.text, children)
    listed.text = None
    for child in list(listed):
        if isinstance(child.tag, str) and child.tag not in _KEPT:
            if loose is None:
                loose = etree.Element("li")
                children.append(loose)
            loose.append(child)
            continue
        tail, child.tail = child.tail, None
        children.append(child)
        loose = _start_item(tail, children)
    listed[:] = children


def _start_item(text: str | None, children: list[etree._Element]) -> etree._Element | None:
    if not text or not text.strip():
        return None
    item = etree.Element("li")
    item.text = text
    children.append(item)
    return item


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
    for part in paragraph.iter("span"):
        if _IGNORED.search(part.get("style") or ""):
            mark = "".join(map(str, part.itertext())).strip()
            part[:] = []
            part.text = None
            return mark
    return ""
