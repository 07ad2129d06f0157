"""Communication and information: arcs that carry a signal."""

from math import degrees

from drawing.palette import INK, WARM, Colour, Palette
from drawing.sheet import Arrangement, Mask, Point, Sheet, box


def _send_from_corner(sheet: Sheet, palette: Palette) -> None:
    """One source low in a corner; its waves thin out and break as they travel."""
    w, h, chance = sheet.width, sheet.height, sheet.chance
    mirrored = chance.random() < 0.5
    source = (w * (0.86 if mirrored else 0.14), h * 0.84)
    tones = [palette.deep, palette.mid, palette.deep, palette.soft, palette.mid, palette.soft, palette.faint]
    for wave, tone in enumerate(tones):
        span = (182, 268) if mirrored else (272, 358)
        _break_arc(sheet, source, h * (0.20 + 0.125 * wave), h * (0.062 - 0.004 * wave), span, tone)
    sheet.cover(sheet.mask().disc(*source, h * 0.075), INK)
    far = (w * (1 - 0.62 if mirrored else 0.62), h * 0.24)
    sheet.cover(sheet.mask().disc(*far, h * 0.04), WARM)


def _break_arc(
    sheet: Sheet, centre: Point, radius: float, width: float, span: tuple[float, float], ink: Colour
) -> None:
    """An arc with one gap, as wide as the arc is broad, at a place of its own."""
    start, end = span
    gap = degrees(width / radius)
    middle = sheet.chance.uniform(start + (end - start) * 0.2, end - (end - start) * 0.2)
    mask = sheet.mask().arc(centre, radius, width, start, middle - gap / 2)
    sheet.overprint(mask.arc(centre, radius, width, middle + gap / 2, end), ink)


def _run_lines(sheet: Sheet, palette: Palette) -> None:
    """Two triple lines run through the sheet on quarter turns, cross, and one of them arrives."""
    h, chance = sheet.height, sheet.chance
    side = h / 3
    columns = int(sheet.width / side) + 1
    first = chance.choice([(0, 2), (2, 0)])
    arrival = columns - 2
    for number, row in enumerate(first):
        bends = sorted(chance.sample(range(number, arrival - 1), 2))
        step = 1 if row == 0 else -1
        stop = arrival if number else columns
        mask = sheet.mask()
        for column in range(stop):
            row = _run_column(mask, side, column, row, step if column in bends else 0)
        sheet.overprint(mask, palette.deep if number else palette.mid)
        if number:
            sheet.cover(sheet.mask().disc(stop * side, (row + 0.5) * side, side * 0.40), WARM)


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


def _rise_over_line(sheet: Sheet, palette: Palette) -> None:
    """Half circles rise over a line, some cut short, towards somebody who listens."""
    w, h, chance = sheet.width, sheet.height, sheet.chance
    level = h * 0.80
    side = chance.choice([-1, 1])
    source = (w * (0.5 - 0.08 * side), level)
    tones = [palette.deep, palette.mid, palette.soft, palette.mid, palette.faint]
    for wave, tone in enumerate(tones):
        cuts = [chance.choice([0, 0, 20, 40]), chance.choice([0, 25, 50])]
        start, end = 180 + cuts[wave % 2] * (wave % 2), 360 - cuts[1 - wave % 2] * (1 - wave % 2)
        sheet.overprint(sheet.mask().arc(source, h * (0.17 + 0.118 * wave), h * 0.070, start, end), tone)
    sheet.cover(sheet.mask().arc(source, h * 0.05, h * 0.10, 180, 360), WARM)
    sheet.cover(sheet.mask().disc(source[0] + h * 0.86 * side, level - h * 0.04, h * 0.04), INK)
    sheet.fill(box(0, level, w, h * 0.011), INK)


def _stand_side_by_side(sheet: Sheet, palette: Palette) -> None:
    """Five sources on one line, each under its own arcs, no two of them alike."""
    w, h, chance = sheet.width, sheet.height, sheet.chance
    level, pitch = h * 0.82, w * 0.172
    tones = [palette.deep, palette.mid, palette.deep, palette.soft, palette.mid]
    chance.shuffle(tones)
    heights = chance.sample([0.18, 0.27, 0.35, 0.43, 0.52], 5)
    bright = chance.randrange(5)
    for number, (tone, lift) in enumerate(zip(tones, heights, strict=True)):
        source = (w * 0.5 + pitch * (number - 2), level - h * lift)
        mask, width = sheet.mask(), pitch * 0.105
        for radius in (pitch * 0.215, pitch * 0.405):
            mask.arc(source, radius, width, 180, 360)
            for edge in (source[0] - radius, source[0] + radius):
                mask.polygon(box(edge - width / 2, source[1] - 1, width, level - source[1] + 1))
        sheet.overprint(mask, tone)
        heart = WARM if number == bright else INK
        sheet.cover(sheet.mask().disc(source[0], source[1], pitch * 0.085), heart)
    sheet.fill(box(0, level, w, h * 0.011), INK)


def _balance_on_line(sheet: Sheet, palette: Palette) -> None:
    """Arcs above a line and as many below it, a step apart, in balance."""
    w, h, chance = sheet.width, sheet.height, sheet.chance
    level, side = h * 0.5, chance.choice([-1, 1])
    waves = 4
    pitch = h * 0.40 / waves
    step = side * pitch * chance.choice([1, 2])
    for half, tone in ((-1, palette.deep), (1, palette.mid)):
        centre = (w / 2 + half * step, level)
        start = 180 if half < 0 else 0
        mask = sheet.mask()
        for wave in range(waves):
            mask.arc(centre, pitch * (wave + 1), pitch * 0.56, start, start + 180)
        sheet.overprint(mask, tone)
        heart = sheet.mask().arc(centre, pitch * 0.21, pitch * 0.42, start, start + 180)
        sheet.cover(heart, WARM if half < 0 else INK)
    sheet.fill(box(0, level - h * 0.0055, w, h * 0.011), INK)


ARRANGEMENTS: dict[str, Arrangement] = {
    "balance": _balance_on_line,
    "corner": _send_from_corner,
    "lines": _run_lines,
    "rise": _rise_over_line,
    "side-by-side": _stand_side_by_side,
}
