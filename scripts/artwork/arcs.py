"""Communication and information: arcs that carry a signal."""

from math import degrees

from artwork.canvas import Arrangement, Canvas, Mask, Point, box
from artwork.palette import INK, WARM, Colour, Palette


def _send_from_corner(canvas: Canvas, palette: Palette) -> None:
    """One source low in a corner; its waves thin out and break as they travel."""
    w, h, random = canvas.width, canvas.height, canvas.random
    mirrored = random.random() < 0.5
    source = (w * (0.86 if mirrored else 0.14), h * 0.84)
    tones = [palette.deep, palette.mid, palette.deep, palette.soft, palette.mid, palette.soft, palette.faint]
    for wave, tone in enumerate(tones):
        span = (182, 268) if mirrored else (272, 358)
        _break_arc(canvas, source, h * (0.20 + 0.125 * wave), h * (0.062 - 0.004 * wave), span, tone)
    canvas.cover(canvas.mask().disc(*source, h * 0.075), INK)
    far = (w * (1 - 0.62 if mirrored else 0.62), h * 0.24)
    canvas.cover(canvas.mask().disc(*far, h * 0.04), WARM)


def _break_arc(
    canvas: Canvas, centre: Point, radius: float, width: float, span: tuple[float, float], ink: Colour
) -> None:
    """An arc with one gap, as wide as the arc is broad, at a place of its own."""
    start, end = span
    gap = degrees(width / radius)
    middle = canvas.random.uniform(start + (end - start) * 0.2, end - (end - start) * 0.2)
    mask = canvas.mask().arc(centre, radius, width, start, middle - gap / 2)
    canvas.overprint(mask.arc(centre, radius, width, middle + gap / 2, end), ink)


def _run_lines(canvas: Canvas, palette: Palette) -> None:
    """Two triple lines run through the canvas on quarter turns, cross, and one of them arrives."""
    h, random = canvas.height, canvas.random
    side = h / 3
    columns = int(canvas.width / side) + 1
    first = random.choice([(0, 2), (2, 0)])
    arrival = columns - 2
    for number, row in enumerate(first):
        bends = sorted(random.sample(range(number, arrival - 1), 2))
        step = 1 if row == 0 else -1
        stop = arrival if number else columns
        mask = canvas.mask()
        for column in range(stop):
            row = _run_column(mask, side, column, row, step if column in bends else 0)
        canvas.overprint(mask, palette.deep if number else palette.mid)
        if number:
            canvas.cover(canvas.mask().disc(stop * side, (row + 0.5) * side, side * 0.40), WARM)


def _run_column(mask: Mask, side: float, column: int, row: int, step: int) -> int:
    """Carry three lines through one column, straight on or one row down (1) or up (-1); returns their row."""
    left, top = column * side, row * side
    for offset in (-0.27, 0.0, 0.27):
        width = side * 0.13
        if not step:
            mask.polygon(box(left - 1, top + side * (0.5 + offset) - width / 2, side + 2, width))
            continue
        corner = (left, top + side * (step > 0))
        mask.arc(corner, side * (0.5 - offset), width, -90 if step > 0 else 90, 0)
        corner = (left + side, corner[1])
        mask.arc(corner, side * (0.5 + offset), width, 180, 90 if step > 0 else 270)
    return row + step


def _rise_over_line(canvas: Canvas, palette: Palette) -> None:
    """Half circles rise over a line, some cut short, towards somebody who listens."""
    w, h, random = canvas.width, canvas.height, canvas.random
    level = h * 0.80
    side = random.choice([-1, 1])
    source = (w * (0.5 - 0.08 * side), level)
    tones = [palette.deep, palette.mid, palette.soft, palette.mid, palette.faint]
    for wave, tone in enumerate(tones):
        cuts = [random.choice([0, 0, 20, 40]), random.choice([0, 25, 50])]
        start, end = 180 + cuts[wave % 2] * (wave % 2), 360 - cuts[1 - wave % 2] * (1 - wave % 2)
        canvas.overprint(canvas.mask().arc(source, h * (0.17 + 0.118 * wave), h * 0.070, start, end), tone)
    canvas.cover(canvas.mask().arc(source, h * 0.05, h * 0.10, 180, 360), WARM)
    canvas.cover(canvas.mask().disc(source[0] + h * 0.86 * side, level - h * 0.04, h * 0.04), INK)
    canvas.fill(box(0, level, w, h * 0.011), INK)


def _stand_side_by_side(canvas: Canvas, palette: Palette) -> None:
    """Five sources on one line, each under its own arcs, no two of them alike."""
    w, h, random = canvas.width, canvas.height, canvas.random
    level, pitch = h * 0.82, w * 0.172
    tones = [palette.deep, palette.mid, palette.deep, palette.soft, palette.mid]
    random.shuffle(tones)
    heights = random.sample([0.18, 0.27, 0.35, 0.43, 0.52], 5)
    bright = random.randrange(5)
    for number, (tone, lift) in enumerate(zip(tones, heights, strict=True)):
        source = (w * 0.5 + pitch * (number - 2), level - h * lift)
        mask, width = canvas.mask(), pitch * 0.105
        for radius in (pitch * 0.215, pitch * 0.405):
            mask.arc(source, radius, width, 180, 360)
            for edge in (source[0] - radius, source[0] + radius):
                mask.polygon(box(edge - width / 2, source[1] - 1, width, level - source[1] + 1))
        canvas.overprint(mask, tone)
        heart = WARM if number == bright else INK
        canvas.cover(canvas.mask().disc(source[0], source[1], pitch * 0.085), heart)
    canvas.fill(box(0, level, w, h * 0.011), INK)


def _balance_on_line(canvas: Canvas, palette: Palette) -> None:
    """Arcs above a line and as many below it, a step apart, in balance."""
    w, h, random = canvas.width, canvas.height, canvas.random
    level, side = h * 0.5, random.choice([-1, 1])
    waves = 4
    pitch = h * 0.40 / waves
    step = side * pitch * random.choice([1, 2])
    for half, tone in ((-1, palette.deep), (1, palette.mid)):
        centre = (w / 2 + half * step, level)
        start = 180 if half < 0 else 0
        mask = canvas.mask()
        for wave in range(waves):
            mask.arc(centre, pitch * (wave + 1), pitch * 0.56, start, start + 180)
        canvas.overprint(mask, tone)
        heart = canvas.mask().arc(centre, pitch * 0.21, pitch * 0.42, start, start + 180)
        canvas.cover(heart, WARM if half < 0 else INK)
    canvas.fill(box(0, level - h * 0.0055, w, h * 0.011), INK)


ARRANGEMENTS: dict[str, Arrangement] = {
    "balance": _balance_on_line,
    "corner": _send_from_corner,
    "lines": _run_lines,
    "rise": _rise_over_line,
    "side-by-side": _stand_side_by_side,
}
