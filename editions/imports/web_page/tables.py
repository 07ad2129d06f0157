"""Tables of data, told from the tables by which mails are laid out."""

from collections.abc import Iterator, Mapping

from lxml import etree

_LAYOUT_ROLES = frozenset({"presentation", "none"})
_LAYOUT_CONTENT = ("table", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "ul", "ol")
_MAX_CELL_LENGTH = 160


def is_data_table(table: etree._Element, borders: Mapping[etree._Element, bool]) -> bool:
    """Whether ``table`` is one that readers see as a table. ``borders`` tells which cells have a border."""
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
    """Whether there is text in none of the cells, which a table of data would lose."""
    around = [table, *(part for part in table if part.tag in {"thead", "tbody", "tfoot"}), *rows_of(table)]
    texts = [text for part in around for text in (part.text, *(child.tail for child in part))]
    return any(text.strip() for text in texts if text)


def rows_of(table: etree._Element) -> Iterator[etree._Element]:
    """The rows of ``table``, without those of tables within it."""
    for child in table:
        if child.tag == "tr":
            yield child
        elif child.tag in {"thead", "tbody", "tfoot"}:
            yield from (row for row in child if row.tag == "tr")


def cells(row: etree._Element) -> Iterator[etree._Element]:
    """The cells of ``row``."""
    return (cell for cell in row if cell.tag in {"td", "th"})


def _text(cell: etree._Element) -> str:
    return " ".join("".join(map(str, cell.itertext())).split())
