"""Tables in the form Markdown has: one row of headings, one line in each cell, no merged cells."""

from collections import Counter
from collections.abc import Iterator

from lxml import etree

from editions.imports.html.inline_spans import (
    LINE_BREAK,
    InlineSpan,
    normalise_spans,
    read_own_spans,
    write_spans,
)
from editions.imports.html.tree import text_content
from editions.imports.omissions import QUOTED_AFTER, OmissionLog, quote
from locales.phrase import gettext_noop

_MAX_COLUMNS = 63
"""The most columns Word allows in a table."""


def simplify_table(table: etree._Element, omissions: OmissionLog) -> etree._Element | None:
    """``table`` as a simple grid; None when it is empty. What the grid cannot show is logged."""
    rows = _expand_merged_cells(
        [[cell for cell in row if cell.tag in {"td", "th"}] for row in table.iter("tr")]
    )
    if any(cell.get("colspan") or cell.get("rowspan") for cell in table.iter("td", "th")):
        merged = gettext_noop("merged cells of a table, now separate cells")
        omissions.add(quote(merged, text_content(table), QUOTED_AFTER))
    if any(len(_blocks(cell)) > 1 for cell in table.iter("td", "th")):
        joined = gettext_noop("paragraphs or lists in a table’s cells, now one line each")
        omissions.add(quote(joined, text_content(table), QUOTED_AFTER))
    lines = [[_cell_spans(cell) for cell in row] for row in rows]
    lines = [line for line in lines if any(lines_of for lines_of in line)]
    if not lines:
        return None
    grid, width = etree.Element("table"), max(map(len, lines))
    alignments = _column_alignments(rows, width)
    for number, line in enumerate(lines):
        row = etree.SubElement(grid, "tr")
        for column, spans in enumerate([*line, *([[]] * (width - len(line)))]):
            cell = etree.SubElement(row, "td" if number else "th")
            if alignments[column]:
                cell.set("align", alignments[column])
            write_spans(spans, cell)
    return grid


def _column_alignments(rows: list[list[etree._Element | None]], width: int) -> list[str]:
    """How each column is aligned: as most of its cells with text below the first row, or else as that."""
    alignments = []
    for column in range(width):
        cells = [row[column] for row in rows if column < len(row)]
        set_as = [
            cell.get("align") or "" for cell in cells if cell is not None and text_content(cell).strip()
        ]
        alignments.append(Counter(set_as[1:] or set_as).most_common(1)[0][0] if set_as else "")
    return alignments


def _expand_merged_cells(rows: list[list[etree._Element]]) -> list[list[etree._Element | None]]:
    """Every row with all its cells, and None where a cell spans others."""
    spread: list[list[etree._Element | None]] = []
    reaching: dict[int, int] = {}
    for row in rows:
        line: list[etree._Element | None] = []
        for cell in row:
            while reaching.get(len(line), 0) > 0 and len(line) < _MAX_COLUMNS:
                reaching[len(line)] -= 1
                line.append(None)
            columns, depth = _span_count(cell.get("colspan")), _span_count(cell.get("rowspan"))
            for column in range(len(line), min(len(line) + columns, _MAX_COLUMNS)):
                reaching[column] = depth - 1
            line += [cell, *([None] * (columns - 1))]
        spread.append(line[:_MAX_COLUMNS])
    return spread


def _span_count(written: str | None) -> int:
    return min(max(int(written or 1), 1), 1000)


def _blocks(cell: etree._Element) -> list[etree._Element]:
    return [part for part in cell if part.tag in {"p", "ul", "ol"} and text_content(part).strip()]


def _cell_spans(cell: etree._Element | None) -> list[InlineSpan]:
    """The content of a cell on one line."""
    return [] if cell is None else normalise_spans(_flatten_cell(cell))


def _flatten_cell(cell: etree._Element) -> Iterator[InlineSpan]:
    parts = [part for part in cell.iter("p", "li") if part.find("p") is None] or [cell]
    for number, part in enumerate(parts):
        if number:
            yield InlineSpan(text=" ")
        for span in read_own_spans(part):
            yield InlineSpan(text=" ", href=span.href) if span.text == LINE_BREAK else span
