"""Figures of fewer than five people are not shown, and nothing that is shown gives one away.

The field calls this statistical disclosure control. A figure is hidden because it is small, or because those
beside it and a total would reveal one that is. Both look the same, so that the difference tells nothing.

A table has a figure for each country and sector, the totals of both, and the grand total. Leaving out the
small figures alone hides nothing: whoever has a total and all other parts subtracts. So further figures are
left out, the smallest that serve (cell suppression).

The figures are the edges of a graph between the rows and columns they stand in. A figure that is left out
can be worked out exactly if and only if its edge is on no cycle of such edges (Gusfield, “A graph theoretic
approach to statistical data security”, 1988): along a cycle, one can add and take away one in turn, and
every total stays as it is. So for each small figure the cheapest cycle is sought and left out as a whole.
"""

import heapq
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

SMALLEST_SHOWN: Final = 5
"""The smallest figure that is shown. Zero is shown too: it is a figure of nobody."""

HIDDEN: Final = "–"
"""How a hidden figure is shown to people."""

HIDDEN_NOTE: Final = (
    f"{HIDDEN} stands for fewer than five people, or for a figure that would reveal fewer than five."
)
"""The sentence below a table that hides figures."""

Figure = int | None
"""A number of people; None if it is hidden."""
Cell = tuple[str | None, str | None]
"""Country and sector of a figure; None is the total over all of them."""
_Node = tuple[str, str | None]
_ANYWHERE: _Node = ("anywhere", None)
_TOTAL_COST = 8
_GRAND_TOTAL_COST = 10**6


def format_figure(figure: Figure) -> str:
    """Return a figure as shown to people: ``1,200``, or a dash if it is hidden."""
    return HIDDEN if figure is None else f"{figure:,}"


def is_small(number: int) -> bool:
    """Return whether a figure is of so few people that it is not shown."""
    return 0 < number < SMALLEST_SHOWN


def hide_groups(people: int, numbers: Sequence[int]) -> tuple[Figure, ...]:
    """Hide figures of groups that may overlap, each among the same ``people``, whose number is shown.

    A group is hidden if it is small, or if those outside it are few: their number would be a subtraction
    away. Among too few people every group is hidden.
    """
    if is_small(people):
        return (None,) * len(numbers)
    return tuple(None if is_small(number) or is_small(people - number) else number for number in numbers)


def hide_parts(numbers: Sequence[int]) -> tuple[Figure, ...]:
    """Hide the small ones among figures that add up to a total that is shown.

    What is hidden adds up to the total less what is shown. So as many further figures are hidden, smallest
    first, as it takes for any of them to be five or more for all that anybody can tell; at worst all, zeros
    too.
    """
    hidden = {place for place, number in enumerate(numbers) if is_small(number)}
    while hidden and not _are_protected([numbers[place] for place in hidden]):
        shown = [(number, place) for place, number in enumerate(numbers) if number and place not in hidden]
        if not shown:
            return (None,) * len(numbers)
        hidden.add(min(shown)[1])
    return tuple(None if place in hidden else number for place, number in enumerate(numbers))


def _are_protected(numbers: Sequence[int]) -> bool:
    """Return whether each of the hidden ``numbers``, none of them zero, may be five or more by their sum."""
    return len(numbers) >= 2 and sum(numbers) - (len(numbers) - 1) >= SMALLEST_SHOWN


def choose_hidden_cells(figures: Mapping[Cell, int]) -> frozenset[Cell]:
    """Return the cells above zero to leave out. Cells of nobody may be missing, and are never in the answer.

    The totals have to be there. A reader may follow several sectors, so that a country has fewer people than
    its sectors together. Then nobody can subtract, and the answer is more careful than it need be.
    """
    table = _Table({cell: figure for cell, figure in figures.items() if figure > 0})
    small = {cell for cell, figure in table.figures.items() if is_small(figure)}
    hidden = set(small)
    while True:
        before = len(hidden)
        for total, parts in table.lines:
            if total not in hidden:
                _widen(table, parts, hidden)
        for cell in sorted(table.find_exposed(hidden) & small, key=_sort_key):
            hidden |= table.find_cheapest_cycle(cell, hidden)
        if len(hidden) == before:
            return frozenset(hidden)


class _Table:
    """The figures above zero, and its ``lines``, the rows and columns: the total of each, and its parts."""

    def __init__(self, figures: Mapping[Cell, int]) -> None:
        self.figures = figures
        self._has_sectors = any(sector is not None for _, sector in figures)
        self._edges = self._connect(figures)
        rows, columns = defaultdict[str | None, list[Cell]](list), defaultdict[str | None, list[Cell]](list)
        for country, sector in figures:
            if sector is not None:
                rows[country].append((country, sector))
            if country is not None:
                columns[sector].append((country, sector))
        self.lines: list[tuple[Cell, list[Cell]]] = [
            *(((country, None), parts) for country, parts in rows.items()),
            *(((None, sector), parts) for sector, parts in columns.items()),
        ]

    def cost(self, cell: Cell, hidden: Collection[Cell]) -> int:
        """Return what leaving a figure out costs: its size, and more for totals, which people read first."""
        if cell in hidden:
            return 0
        return self.figures[cell] * (1, _TOTAL_COST, _GRAND_TOTAL_COST)[cell.count(None)]

    def find_exposed(self, hidden: Collection[Cell]) -> set[Cell]:
        """Return the cells left out that are on no cycle of such cells: the bridges of the graph (Tarjan)."""
        edges = self._connect(hidden)
        order: dict[_Node, int] = {}
        exposed: set[Cell] = set()

        def visit(node: _Node, by: Cell | None) -> int:
            """Number the nodes from here on; return the lowest number that can be reached."""
            lowest = order[node] = len(order)
            for end, cell in edges[node]:
                if cell == by:
                    continue
                reached = order[end] if end in order else visit(end, cell)
                if end != node and reached > order[node]:
                    exposed.add(cell)
                lowest = min(lowest, reached)
            return lowest

        # A path cannot be longer than twice the number of sectors, so this does not recurse deeply.
        for start in list(edges):
            if start not in order:
                visit(start, None)
        return exposed

    def find_cheapest_cycle(self, cell: Cell, hidden: Collection[Cell]) -> set[Cell]:
        """Return the cells that make a cycle with ``cell`` and cost least to leave out (Dijkstra)."""
        start, goal = self._ends(cell)
        queue: list[tuple[int, int, _Node, tuple[Cell, ...]]] = [(0, 0, start, ())]
        done: set[_Node] = set()
        number = 0
        while queue:
            cost, _, node, path = heapq.heappop(queue)
            if node == goal:
                return set(path)
            if node in done:
                continue
            done.add(node)
            for end, other in self._edges[node]:
                if other == cell:
                    continue
                number += 1
                heapq.heappush(queue, (cost + self.cost(other, hidden), number, end, (*path, other)))
        # Alone with its totals: then they say nothing else, and are as small as it is.
        return set()

    def _connect(self, cells: Iterable[Cell]) -> dict[_Node, list[tuple[_Node, Cell]]]:
        edges = defaultdict[_Node, list[tuple[_Node, Cell]]](list)
        for cell in cells:
            start, end = self._ends(cell)
            edges[start].append((end, cell))
            edges[end].append((start, cell))
        return edges

    def _ends(self, cell: Cell) -> tuple[_Node, _Node]:
        # Without sectors there is nothing to add up in a row, so any figure may change with any other.
        row = ("row", cell[0]) if self._has_sectors else _ANYWHERE
        return row, ("column", cell[1])


def _widen(table: _Table, parts: Sequence[Cell], hidden: set[Cell]) -> None:
    """Leave out more of a line until what is missing from its total is nobody, or five people or more."""
    missing = sum(table.figures[cell] for cell in parts if cell in hidden)
    shown = [cell for cell in parts if cell not in hidden]
    for cell in sorted(shown, key=lambda one: (table.cost(one, hidden), _sort_key(one))):
        if not is_small(missing):
            return
        hidden.add(cell)
        missing += table.figures[cell]


def _sort_key(cell: Cell) -> tuple[tuple[bool, str], ...]:
    return tuple((part is not None, part or "") for part in cell)
