"""Education: pages that overlap, fanned, stepped, shelved or lying open."""

from math import radians, sin

from artwork.canvas import Arrangement, Canvas, Point, box, turn
from artwork.palette import INK, WARM, WHITE, Colour, Palette


def _fan_pages(canvas: Canvas, palette: Palette) -> None:
    """Leaves turning about one corner, as when a thumb runs through a book."""
    w, h, random = canvas.width, canvas.height, canvas.random
    mirrored = random.random() < 0.5
    pivot = (w * (0.70 if mirrored else 0.30), h * random.uniform(1.10, 1.18))
    broad, tall = h * random.uniform(0.42, 0.48), h * random.uniform(0.90, 0.98)
    first, last = random.uniform(-62, -52), random.uniform(24, 34)
    inks = [palette.faint, palette.soft, palette.soft, palette.mid, palette.mid, palette.deep]
    for number, ink in enumerate(inks):
        angle = first + (last - first) * number / (len(inks) - 1)
        leaf = _leaf(pivot, broad, tall, -angle if mirrored else angle, mirrored)
        canvas.overprint(canvas.mask().polygon(leaf), ink)
    angle = -last if mirrored else last
    _rule_lines(canvas, _leaf(pivot, broad, tall, angle, mirrored), WHITE, rows=7, start=0.18, weight=0.011)


def _step_pages(canvas: Canvas, palette: Palette) -> None:
    """Upright sheets, each a step to the side of the last; a ribbon marks the place."""
    w, h, random = canvas.width, canvas.height, canvas.random
    count = random.choice([4, 5])
    broad, tall = h * 0.46, h * 0.60
    across = random.uniform(0.100, 0.125) * w
    down = random.choice([-1, 1]) * h * random.uniform(0.045, 0.06)
    left = random.choice([0.12, 0.16, 0.22]) * w
    top = (h - tall - down * (count - 1)) / 2
    inks = [palette.soft, palette.mid, palette.soft, palette.mid, palette.deep][-count:]
    for number, ink in enumerate(inks):
        x, y = left + across * number, top + down * number
        canvas.overprint(canvas.mask().polygon(box(x, y, broad, tall)), ink)
    x, y = left + across * (count - 1), top + down * (count - 1)
    _rule_lines(canvas, box(x, y, broad, tall), WHITE, rows=6, start=0.36, weight=0.012)
    canvas.fill(box(x + broad * 0.14, y - h * 0.02, broad * 0.10, tall * 0.26), WARM)


def _shelve_pages(canvas: Canvas, palette: Palette) -> None:
    """Spines on a shelf, their edges overprinting, one leaning on the rest."""
    w, h, random = canvas.width, canvas.height, canvas.random
    floor = h * 0.84
    x = w * random.uniform(0.08, 0.18)
    inks = [palette.mid, palette.soft, palette.deep, palette.mid, palette.faint, palette.deep, palette.soft]
    random.shuffle(inks)
    count = random.choice([6, 7])
    for number, ink in enumerate(inks[:count]):
        last = number == count - 1
        broad, tall = w * random.uniform(0.065, 0.105), h * (0.66 if last else random.uniform(0.42, 0.70))
        canvas.overprint(canvas.mask().polygon(box(x, floor - tall, broad, tall)), ink)
        canvas.fill(box(x + broad * 0.3, floor - tall * 0.82, broad * 0.4, h * 0.014), WHITE)
        x += broad * (1 if last else random.uniform(0.74, 0.86))
    tall, lean = h * 0.58, random.uniform(16, 24)
    foot = (x + tall * sin(radians(lean)), floor)
    leaning = turn(box(foot[0], floor - tall, w * 0.062, tall), -lean, foot)
    canvas.overprint(canvas.mask().polygon(leaning), INK)
    canvas.fill(box(0, floor, w, h * 0.010), INK)
    canvas.cover(canvas.mask().disc(w * 0.91, floor - h * 0.045, h * 0.045), WARM)


def _open_pages(canvas: Canvas, palette: Palette) -> None:
    """A book lying open, its leaves rising from the spine."""
    w, h, random = canvas.width, canvas.height, canvas.random
    spine = w * random.uniform(0.40, 0.60)
    foot, tall = h * 0.80, h * 0.46
    sides = [(-1, [palette.faint, palette.soft, palette.mid]), (1, [palette.soft, palette.mid, palette.deep])]
    for side, inks in sides:
        lift = random.uniform(0.02, 0.05)
        for number, ink in enumerate(inks):
            reach, rise = w * (0.36 - 0.085 * number), h * (lift + 0.085 * number)
            out = spine + side * reach
            page = [(spine, foot), (spine, foot - tall), (out, foot - tall - rise), (out, foot - rise)]
            canvas.overprint(canvas.mask().polygon(page), ink)
    canvas.fill(box(spine - 3, foot - tall, 6, tall + h * 0.02), INK)
    x = spine + w * random.choice([-0.26, 0.26])
    canvas.cover(canvas.mask().disc(x, h * 0.16, h * 0.055), WARM)


def _spread_pages(canvas: Canvas, palette: Palette) -> None:
    """Large sheets on a table, seen close, running off the edge of the picture."""
    w, h, random = canvas.width, canvas.height, canvas.random
    mirrored = random.random() < 0.5
    places = [(0.10, 0.30, -14, palette.soft), (0.36, 0.78, 9, palette.mid), (0.52, 0.34, -5, palette.deep)]
    for x, y, angle, ink in places:
        centre = (w * (1 - x if mirrored else x), h * y)
        broad, tall = h * 0.72, h * 0.92
        page = box(centre[0] - broad / 2, centre[1] - tall / 2, broad, tall)
        turned = turn(page, (angle + random.uniform(-3, 3)) * (-1 if mirrored else 1), centre)
        canvas.overprint(canvas.mask().polygon(turned), ink)
    _rule_lines(canvas, turned, WHITE, rows=6, start=0.30, weight=0.010)
    x = w * (0.12 if mirrored else 0.88)
    note = turn(box(x - h * 0.07, h * 0.66, h * 0.14, h * 0.14), random.uniform(-10, 10), (x, h * 0.73))
    canvas.overprint(canvas.mask().polygon(note), WARM)


def _leaf(pivot: Point, broad: float, tall: float, angle: float, mirrored: bool) -> list[Point]:
    left = pivot[0] - (broad if mirrored else 0)
    return turn(box(left, pivot[1] - tall, broad, tall), angle, pivot)


def _rule_lines(
    canvas: Canvas, page: list[Point], colour: Colour, *, rows: int, start: float, weight: float
) -> None:
    """Rule a page (its corners from top left, clockwise) as if it were written on; the last row is short."""
    half = weight / 2 * canvas.height / 500
    for row in range(rows):
        v = start + row * (0.84 - start) / max(1, rows - 1)
        end = 0.86 if row < rows - 1 else 0.50
        corners = ((0.14, v - half), (end, v - half), (end, v + half), (0.14, v + half))
        canvas.fill([_inside(page, *corner) for corner in corners], colour)


def _inside(page: list[Point], u: float, v: float) -> Point:
    """The point a share ``u`` along the top and ``v`` down the side of a parallelogram."""
    (x0, y0), (x1, y1), _, (x3, y3) = page
    return x0 + (x1 - x0) * u + (x3 - x0) * v, y0 + (y1 - y0) * u + (y3 - y0) * v


ARRANGEMENTS: dict[str, Arrangement] = {
    "fan": _fan_pages,
    "open": _open_pages,
    "shelf": _shelve_pages,
    "spread": _spread_pages,
    "steps": _step_pages,
}
