"""Cross-cutting: a quiet grid, in which the colours of the five sectors turn up once each."""

from math import hypot

from artwork.canvas import Arrangement, Canvas, Mask, Point, box, turn
from artwork.palette import SECTOR_COLOURS, WARM, Colour, Palette

SECTOR_INKS = [colour for sector, colour in SECTOR_COLOURS.items() if sector != "cross-cutting"]

Cell = tuple[int, int]


class InkLayers:
    """One mask per ink, so that a grid of a hundred cells needs only a few passes."""

    def __init__(self, canvas: Canvas) -> None:
        self._sheet = canvas
        self._masks: dict[Colour, Mask] = {}

    def of(self, ink: Colour) -> Mask:
        return self._masks.setdefault(ink, self._sheet.mask())

    def print(self) -> None:
        for ink, mask in self._masks.items():
            self._sheet.overprint(mask, ink)


def _swell_dots(canvas: Canvas, palette: Palette) -> None:
    """Dots that swell towards one place."""
    centres = _lay_out(canvas, columns=15, rows=8)
    pitch = canvas.width / 16
    focus = (
        canvas.width * canvas.random.uniform(0.25, 0.75),
        canvas.height * canvas.random.uniform(0.35, 0.65),
    )
    coloured = _choose_cells(canvas, centres, focus, among=32)
    layers = InkLayers(canvas)
    for cell, (x, y) in centres.items():
        away = hypot(x - focus[0], y - focus[1]) / canvas.width
        radius = pitch * (0.09 + 0.33 * max(0.0, 1 - away / 0.48))
        layers.of(coloured.get(cell, palette.mid)).disc(x, y, radius)
    layers.print()


def _loosen_squares(canvas: Canvas, palette: Palette) -> None:
    """Squares of many sizes and tones, in rank and file on one side, each going its own way on the other."""
    random = canvas.random
    centres = _lay_out(canvas, columns=11, rows=5)
    pitch = canvas.width / 12
    mirrored = random.random() < 0.5
    focus = (canvas.width * (0.15 if mirrored else 0.85), canvas.height * random.uniform(0.4, 0.6))
    coloured = _choose_cells(canvas, centres, focus, among=24)
    layers = InkLayers(canvas)
    for cell, centre in centres.items():
        loose = max(0.0, 1 - hypot(centre[0] - focus[0], centre[1] - focus[1]) / (canvas.width * 0.62))
        side = pitch * (0.62 + random.uniform(-0.30, 0.16) * loose)
        x, y = (axis + random.uniform(-1, 1) * pitch * 0.10 * loose for axis in centre)
        square = turn(box(x - side / 2, y - side / 2, side, side), random.uniform(-44, 44) * loose, (x, y))
        tone = random.choice([palette.soft, palette.soft, palette.mid]) if loose > 0.25 else palette.soft
        layers.of(coloured.get(cell, tone)).polygon(square)
    layers.print()


def _open_squares(canvas: Canvas, palette: Palette) -> None:
    """Open squares, most of them waiting; a few have been filled."""
    centres = _lay_out(canvas, columns=11, rows=5)
    side = canvas.width / 12 * 0.62
    focus = (canvas.width * canvas.random.uniform(0.3, 0.7), canvas.height * 0.5)
    coloured = _choose_cells(canvas, centres, focus, among=40)
    layers = InkLayers(canvas)
    for cell, (x, y) in centres.items():
        if cell in coloured:
            layers.of(coloured[cell]).polygon(box(x - side / 2, y - side / 2, side, side))
            continue
        frame = layers.of(palette.mid)
        frame.polygon(box(x - side / 2, y - side / 2, side, side))
        inner = side - 2 * side * 0.11
        frame.polygon(box(x - inner / 2, y - inner / 2, inner, inner), paint=0)
    layers.print()


def _fill_squares(canvas: Canvas, palette: Palette) -> None:
    """Squares that fill from within, a little more with every column."""
    random = canvas.random
    columns = 12
    centres = _lay_out(canvas, columns=columns, rows=5)
    side = canvas.width / 13 * 0.70
    mirrored = random.random() < 0.5
    focus = (canvas.width * (0.15 if mirrored else 0.85), canvas.height * 0.5)
    coloured = _choose_cells(canvas, centres, focus, among=24)
    layers = InkLayers(canvas)
    for cell, (x, y) in centres.items():
        layers.of(palette.faint).polygon(box(x - side / 2, y - side / 2, side, side))
        progress = (columns - 1 - cell[0] if mirrored else cell[0]) / (columns - 1)
        inner = side * min(1.0, max(0.12, progress + random.uniform(-0.12, 0.12)))
        layers.of(coloured.get(cell, palette.mid)).polygon(box(x - inner / 2, y - inner / 2, inner, inner))
    layers.print()


def _set_row_apart(canvas: Canvas, palette: Palette) -> None:
    """Ranks of sixteen, one of which has stepped forward, in a warm colour."""
    random = canvas.random
    columns, rows = 16, 7
    pitch = canvas.width / (columns + 3)
    side = pitch * 0.58
    bright, step = random.randrange(2, 5), pitch * random.choice([-1, 1])
    layers = InkLayers(canvas)
    for (column, row), (x, y) in _lay_out(canvas, columns=columns, rows=rows, pitch=pitch).items():
        x += step if row == bright else 0
        ink = WARM if row == bright else palette.mid if (column + row) % 5 == 0 else palette.soft
        layers.of(ink).polygon(box(x - side / 2, y - side / 2, side, side))
    layers.print()


def _turn_quarters(canvas: Canvas, palette: Palette) -> None:
    """Tiles with a quarter circle each, turned this way and that."""
    random = canvas.random
    centres = _lay_out(canvas, columns=9, rows=4)
    side = canvas.width / 10
    coloured = _choose_cells(canvas, centres, (canvas.width / 2, canvas.height / 2), among=36)
    layers = InkLayers(canvas)
    for cell, (x, y) in centres.items():
        quarter = random.randrange(4)
        right, low = (0.5 if quarter in pair else -0.5 for pair in ((1, 2), (2, 3)))
        corner = (x + side * right, y + side * low)
        ink = coloured.get(cell, random.choice([palette.faint, palette.soft, palette.soft, palette.mid]))
        layers.of(ink).arc(corner, side / 2, side, quarter * 90, quarter * 90 + 90)
    layers.print()


def _lay_out(canvas: Canvas, *, columns: int, rows: int, pitch: float | None = None) -> dict[Cell, Point]:
    """Return the centre of each cell of a centred square grid."""
    pitch = pitch or canvas.width / (columns + 1)
    left = (canvas.width - pitch * (columns - 1)) / 2
    top = (canvas.height - pitch * (rows - 1)) / 2
    return {
        (column, row): (left + pitch * column, top + pitch * row)
        for column in range(columns)
        for row in range(rows)
    }


def _choose_cells(
    canvas: Canvas, centres: dict[Cell, Point], focus: Point, *, among: int
) -> dict[Cell, Colour]:
    """Five of the ``among`` cells nearest the focus, each with a sector's ink."""
    near = sorted(centres, key=lambda cell: hypot(centres[cell][0] - focus[0], centres[cell][1] - focus[1]))
    return dict(zip(canvas.random.sample(near[:among], 5), SECTOR_INKS, strict=True))


ARRANGEMENTS: dict[str, Arrangement] = {
    "dots": _swell_dots,
    "filling": _fill_squares,
    "loose": _loosen_squares,
    "open": _open_squares,
    "quarters": _turn_quarters,
    "row": _set_row_apart,
}
