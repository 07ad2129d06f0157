"""Cross-cutting: a quiet grid, in which the colours of the five sectors turn up once each."""

from math import hypot

from drawing.palette import SECTOR_COLOURS, WARM, Colour, Palette
from drawing.sheet import Arrangement, Mask, Point, Sheet, box, turn

SECTOR_INKS = [colour for sector, colour in SECTOR_COLOURS.items() if sector != "cross-cutting"]

Cell = tuple[int, int]


class Inking:
    """One mask per ink, so that a grid of a hundred cells goes through the press a few times only."""

    def __init__(self, sheet: Sheet) -> None:
        self._sheet = sheet
        self._masks: dict[Colour, Mask] = {}

    def of(self, ink: Colour) -> Mask:
        return self._masks.setdefault(ink, self._sheet.mask())

    def print(self) -> None:
        for ink, mask in self._masks.items():
            self._sheet.overprint(mask, ink)


def _swell_dots(sheet: Sheet, palette: Palette) -> None:
    """Dots that swell towards one place."""
    centres = _lay_out(sheet, columns=15, rows=8)
    pitch = sheet.width / 16
    focus = (sheet.width * sheet.chance.uniform(0.25, 0.75), sheet.height * sheet.chance.uniform(0.35, 0.65))
    coloured = _choose_cells(sheet, centres, focus, among=32)
    inking = Inking(sheet)
    for cell, (x, y) in centres.items():
        away = hypot(x - focus[0], y - focus[1]) / sheet.width
        radius = pitch * (0.09 + 0.33 * max(0.0, 1 - away / 0.48))
        inking.of(coloured.get(cell, palette.mid)).disc(x, y, radius)
    inking.print()


def _loosen_squares(sheet: Sheet, palette: Palette) -> None:
    """Squares of many sizes and tones, in rank and file on one side, each going its own way on the other."""
    chance = sheet.chance
    centres = _lay_out(sheet, columns=11, rows=5)
    pitch = sheet.width / 12
    mirrored = chance.random() < 0.5
    focus = (sheet.width * (0.15 if mirrored else 0.85), sheet.height * chance.uniform(0.4, 0.6))
    coloured = _choose_cells(sheet, centres, focus, among=24)
    inking = Inking(sheet)
    for cell, centre in centres.items():
        loose = max(0.0, 1 - hypot(centre[0] - focus[0], centre[1] - focus[1]) / (sheet.width * 0.62))
        side = pitch * (0.62 + chance.uniform(-0.30, 0.16) * loose)
        x, y = (axis + chance.uniform(-1, 1) * pitch * 0.10 * loose for axis in centre)
        square = turn(box(x - side / 2, y - side / 2, side, side), chance.uniform(-44, 44) * loose, (x, y))
        tone = chance.choice([palette.soft, palette.soft, palette.mid]) if loose > 0.25 else palette.soft
        inking.of(coloured.get(cell, tone)).polygon(square)
    inking.print()


def _open_squares(sheet: Sheet, palette: Palette) -> None:
    """Open squares, most of them waiting; a few have been filled."""
    centres = _lay_out(sheet, columns=11, rows=5)
    side = sheet.width / 12 * 0.62
    focus = (sheet.width * sheet.chance.uniform(0.3, 0.7), sheet.height * 0.5)
    coloured = _choose_cells(sheet, centres, focus, among=40)
    inking = Inking(sheet)
    for cell, (x, y) in centres.items():
        if cell in coloured:
            inking.of(coloured[cell]).polygon(box(x - side / 2, y - side / 2, side, side))
            continue
        frame = inking.of(palette.mid)
        frame.polygon(box(x - side / 2, y - side / 2, side, side))
        inner = side - 2 * side * 0.11
        frame.polygon(box(x - inner / 2, y - inner / 2, inner, inner), paint=0)
    inking.print()


def _fill_squares(sheet: Sheet, palette: Palette) -> None:
    """Squares that fill from within, a little more with every column."""
    chance = sheet.chance
    columns = 12
    centres = _lay_out(sheet, columns=columns, rows=5)
    side = sheet.width / 13 * 0.70
    mirrored = chance.random() < 0.5
    focus = (sheet.width * (0.15 if mirrored else 0.85), sheet.height * 0.5)
    coloured = _choose_cells(sheet, centres, focus, among=24)
    inking = Inking(sheet)
    for cell, (x, y) in centres.items():
        inking.of(palette.faint).polygon(box(x - side / 2, y - side / 2, side, side))
        progress = (columns - 1 - cell[0] if mirrored else cell[0]) / (columns - 1)
        inner = side * min(1.0, max(0.12, progress + chance.uniform(-0.12, 0.12)))
        inking.of(coloured.get(cell, palette.mid)).polygon(box(x - inner / 2, y - inner / 2, inner, inner))
    inking.print()


def _set_row_apart(sheet: Sheet, palette: Palette) -> None:
    """Ranks of sixteen, one of which has stepped forward, in a warm colour."""
    chance = sheet.chance
    columns, rows = 16, 7
    pitch = sheet.width / (columns + 3)
    side = pitch * 0.58
    bright, step = chance.randrange(2, 5), pitch * chance.choice([-1, 1])
    inking = Inking(sheet)
    for (column, row), (x, y) in _lay_out(sheet, columns=columns, rows=rows, pitch=pitch).items():
        x += step if row == bright else 0
        ink = WARM if row == bright else palette.mid if (column + row) % 5 == 0 else palette.soft
        inking.of(ink).polygon(box(x - side / 2, y - side / 2, side, side))
    inking.print()


def _turn_quarters(sheet: Sheet, palette: Palette) -> None:
    """Tiles with a quarter circle each, turned this way and that."""
    chance = sheet.chance
    centres = _lay_out(sheet, columns=9, rows=4)
    side = sheet.width / 10
    coloured = _choose_cells(sheet, centres, (sheet.width / 2, sheet.height / 2), among=36)
    inking = Inking(sheet)
    for cell, (x, y) in centres.items():
        quarter = chance.randrange(4)
        right, low = (0.5 if quarter in pair else -0.5 for pair in ((1, 2), (2, 3)))
        corner = (x + side * right, y + side * low)
        ink = coloured.get(cell, chance.choice([palette.faint, palette.soft, palette.soft, palette.mid]))
        inking.of(ink).arc(corner, side / 2, side, quarter * 90, quarter * 90 + 90)
    inking.print()


def _lay_out(sheet: Sheet, *, columns: int, rows: int, pitch: float | None = None) -> dict[Cell, Point]:
    """The middle of each cell of a square grid in the middle of the sheet."""
    pitch = pitch or sheet.width / (columns + 1)
    left = (sheet.width - pitch * (columns - 1)) / 2
    top = (sheet.height - pitch * (rows - 1)) / 2
    return {
        (column, row): (left + pitch * column, top + pitch * row)
        for column in range(columns)
        for row in range(rows)
    }


def _choose_cells(
    sheet: Sheet, centres: dict[Cell, Point], focus: Point, *, among: int
) -> dict[Cell, Colour]:
    """Five of the ``among`` cells nearest the focus, each with a sector's ink."""
    near = sorted(centres, key=lambda cell: hypot(centres[cell][0] - focus[0], centres[cell][1] - focus[1]))
    return dict(zip(sheet.chance.sample(near[:among], 5), SECTOR_INKS, strict=True))


ARRANGEMENTS: dict[str, Arrangement] = {
    "dots": _swell_dots,
    "filling": _fill_squares,
    "loose": _loosen_squares,
    "open": _open_squares,
    "quarters": _turn_quarters,
    "row": _set_row_apart,
}
