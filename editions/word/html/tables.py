"""Tables as the plain grids Markdown has: one row of headings, one line in each cell, nothing merged."""

from collections.abc import Iterator

from lxml import etree

from editions.word.html.inline_spans import BREAK, Span, read_spans, settle_spans, write_spans
from editions.word.html.tree import text_of
from editions.word.omissions import Losses, quoted

_WIDEST = 63
"""Columns Word allows in a table."""


def settle_table(table: etree._Element, losses: Losses) -> etree._Element | None:
    """``table`` as a grid; None when nothing is in it. What the grid cannot show is told to ``losses``."""
    rows = _spread([[cell for cell in row if cell.tag in {"td", "th"}] for row in table.iter("tr")])
    if any(cell.get("colspan") or cell.get("rowspan") for cell in table.iter("td", "th")):
        losses.note(f"merged cells of a table, now separate cells:{quoted(text_of(table))}")
    if any(len(_blocks(cell)) > 1 for cell in table.iter("td", "th")):
        losses.note(f"paragraphs or lists in a table’s cells, now one line each:{quoted(text_of(table))}")
    lines = [[_line(cell) for cell in row] for row in rows]
    lines = [line for line in lines if any(lines_of for lines_of in line)]
    if not lines:
        return None
    grid, width = etree.Element("table"), max(map(len, lines))
    for number, line in enumerate(lines):
        row = etree.SubElement(grid, "tr")
        for spans in [*line, *([[]] * (width - len(line)))]:
            write_spans(spans, etree.SubElement(row, "td" if number else "th"))
    return grid


def _spread(rows: list[list[etree._Element]]) -> list[list[etree._Element | None]]:
    """Every row with all its cells: where one reaches over others, None stands in their place."""
    spread: list[list[etree._Element | None]] = []
    reaching: dict[int, int] = {}
    for row in rows:
        line: list[etree._Element | None] = []
        for cell in row:
            while reaching.get(len(line), 0) > 0 and len(line) < _WIDEST:
                reaching[len(line)] -= 1
                line.append(None)
            columns, depth = _number(cell.get("colspan")), _number(cell.get("rowspan"))
            for column in range(len(line), min(len(line) + columns, _WIDEST)):
                reaching[column] = depth - 1
            line += [cell, *([None] * (columns - 1))]
        spread.append(line[:_WIDEST])
    return spread


def _number(written: str | None) -> int:
    return min(max(int(written or 1), 1), 1000)


def _blocks(cell: etree._Element) -> list[etree._Element]:
    return [part for part in cell if part.tag in {"p", "ul", "ol"} and text_of(part).strip()]


def _line(cell: etree._Element | None) -> list[Span]:
    """The words of a cell on one line."""
    return [] if cell is None else settle_spans(_flatten(cell))


def _flatten(cell: etree._Element) -> Iterator[Span]:
    for span in read_spans(cell):
        yield Span(text=" ") if span.text == BREAK else span
