"""Culture: bands woven over and under each other, on a loom, on the bias, or plaited."""

from dataclasses import dataclass, replace
from math import hypot, pi, sin

from artwork.canvas import Arrangement, Canvas, Point, box, turn
from artwork.palette import INK, PAPER, WARM, WHITE, Colour, Palette

GAP = 6.0
"""Paper left bare beside the band that passes over, in pixels: what makes it read as over."""


@dataclass(frozen=True, kw_only=True)
class Band:
    """A straight strip: its middle and width across, its two ends along, and its colours."""

    middle: float
    width: float
    start: float
    end: float
    ink: Colour
    stripe: Colour | None = None


def _weave_on_loom(canvas: Canvas, palette: Palette) -> None:
    """A cloth on the loom: warp standing, weft coming in from one side, its ends not yet trimmed."""
    w, h, random = canvas.width, canvas.height, canvas.random
    widths = [h * 0.075, h * 0.11, h * 0.145]
    left = w * random.choice([0.10, 0.40])
    warp = _line_up(canvas, palette, span=(left, left + w * 0.46), widths=widths, gap=h * 0.032)
    weft = _line_up(canvas, palette, span=(h * 0.12, h * 0.82), widths=widths, gap=h * 0.032)
    warp = [replace(band, start=-h * 0.2, end=h * 1.2) for band in warp]
    weft = _cut_ends(canvas, weft, across=warp, short=h * 0.07, long=h * 0.26)
    if left < w * 0.3:
        weft = [replace(band, start=-w * 0.2) for band in weft]
    else:
        weft = [replace(band, end=w * 1.2) for band in weft]
    _interlace(canvas, warp, weft, angle=0, about=(0, 0))


def _weave_evenly(canvas: Canvas, palette: Palette) -> None:
    """An open weave of equal bands at equal distances, as regular as a gauge."""
    w, h, random = canvas.width, canvas.height, canvas.random
    width, gap = h * 0.072, h * 0.058
    left = w * random.choice([0.20, 0.36])
    warp = _line_up(canvas, palette, span=(left, left + w * 0.40), widths=[width], gap=gap)
    weft = _line_up(canvas, palette, span=(h * 0.15, h * 0.80), widths=[width], gap=gap)
    warp = _cut_ends(canvas, warp, across=weft, short=h * 0.06, long=h * 0.06)
    weft = _cut_ends(canvas, weft, across=warp, short=h * 0.06, long=h * 0.24)
    _interlace(canvas, warp, weft, angle=0, about=(0, 0))


def _weave_on_bias(canvas: Canvas, palette: Palette) -> None:
    """A close fabric, turned so that its corners point into the paper."""
    w, h, random = canvas.width, canvas.height, canvas.random
    middle = (w * random.uniform(0.42, 0.58), h / 2)
    half = h * random.uniform(0.29, 0.33)
    widths = [h * 0.09, h * 0.115, h * 0.14]
    across, down = ((axis - half, axis + half) for axis in middle)
    warp = _line_up(canvas, palette, span=across, widths=widths, gap=h * 0.022)
    weft = _line_up(canvas, palette, span=down, widths=widths, gap=h * 0.022)
    warp = _cut_ends(canvas, warp, across=weft, short=h * 0.09, long=h * 0.22)
    weft = _cut_ends(canvas, weft, across=warp, short=h * 0.09, long=h * 0.22)
    _interlace(canvas, warp, weft, angle=random.choice([-1, 1]) * random.uniform(28, 45), about=middle)


def _line_up(
    canvas: Canvas, palette: Palette, *, span: tuple[float, float], widths: list[float], gap: float
) -> list[Band]:
    """Bands side by side over ``span``, still without length; one of them a narrow accent."""
    random = canvas.random
    inks = [palette.deep, palette.soft, palette.mid]
    offset = random.randrange(3)
    bands: list[Band] = []
    place = span[0]
    while place < span[1]:
        width = random.choice(widths)
        ink = inks[(len(bands) + offset) % 3]
        stripe = WHITE if width > canvas.height * 0.12 and ink != palette.soft else None
        bands.append(Band(middle=place + width / 2, width=width, start=0, end=0, ink=ink, stripe=stripe))
        place += width + gap
    accent = random.randrange(1, len(bands) - 1)
    narrow = min(bands[accent].width, canvas.height * 0.05)
    bands[accent] = replace(bands[accent], width=narrow, ink=random.choice([INK, WARM]), stripe=None)
    return bands


def _cut_ends(
    canvas: Canvas, bands: list[Band], *, across: list[Band], short: float, long: float
) -> list[Band]:
    """The bands, each reaching past the bands it crosses by something between ``short`` and ``long``."""
    first = across[0].middle - across[0].width / 2
    last = across[-1].middle + across[-1].width / 2
    reach = canvas.random.uniform
    return [replace(band, start=first - reach(short, long), end=last + reach(short, long)) for band in bands]


def _interlace(canvas: Canvas, warp: list[Band], weft: list[Band], *, angle: float, about: Point) -> None:
    """Lay all the warp, the weft over it, and the warp again at every other crossing, where it is on top."""

    def lay(band: Band, start: float, end: float, upright: bool) -> None:
        stripes = [(band.width + 2 * GAP, PAPER), (band.width, band.ink), (band.width * 0.12, band.stripe)]
        for width, ink in stripes:
            if ink is not None:
                canvas.fill(turn(_strip(band.middle, width, start, end, upright), angle, about), ink)

    for band in warp:
        lay(band, band.start, band.end, True)
    for band in weft:
        lay(band, band.start, band.end, False)
    for column, over in enumerate(warp):
        for row, under in enumerate(weft):
            if (column + row) % 2:
                half = under.width / 2 + GAP
                lay(over, under.middle - half, under.middle + half, True)


def _strip(middle: float, width: float, start: float, end: float, upright: bool) -> list[Point]:
    if upright:
        return box(middle - width / 2, start, width, end - start)
    return box(start, middle - width / 2, end - start, width)


def _plait_three(canvas: Canvas, palette: Palette) -> None:
    """Three strands plaited across the canvas."""
    _plait(canvas, [palette.deep, palette.mid, canvas.random.choice([palette.soft, INK])], breadth=0.145)


def _plait_four(canvas: Canvas, palette: Palette) -> None:
    """Four strands plaited across the canvas."""
    _plait(canvas, [palette.deep, palette.soft, palette.mid, INK], breadth=0.105)


def _plait(canvas: Canvas, inks: list[Colour], *, breadth: float) -> None:
    """A flat plait: every strand swings from edge to edge, going over and under the others by turns."""
    w, h, random = canvas.width, canvas.height, canvas.random
    swing, width = h * random.uniform(0.22, 0.26), h * breadth
    wave = w * random.uniform(0.62, 0.74)
    shift, tilt = random.uniform(0, 1), random.uniform(-10, 10)
    count = len(inks)

    def follow(strand: int, turns: float) -> Point:
        """Where a strand is after so many waves, before the plait is tilted."""
        return (turns - shift - 0.4) * wave, h / 2 - swing * sin(2 * pi * (turns + strand / count))

    def lay(strand: int, start: float, end: float) -> None:
        thread = WARM if inks[strand] == INK else WHITE
        # Ink runs on a little past the paper beside it, or a hair of paper would show where two lengths meet.
        lengths = ((width + 2 * GAP, PAPER, 0), (width, inks[strand], 0.004), (width * 0.09, thread, 0.004))
        for broad, ink, more in lengths:
            steps = max(24, round((end - start) * 120))
            first, length = start - more, end - start + 2 * more
            path = [follow(strand, first + length * step / steps) for step in range(-1, steps + 2)]
            canvas.fill(turn(_ribbon(path, broad), tilt, (w / 2, h / 2)), ink)

    for strand in range(count):
        lay(strand, -1, 4)
    for wave_number in range(-2, 5):
        for strand in range(count):
            for over in _crossings_over(count):
                middle = wave_number + over - strand / count
                lay(strand, middle - 0.25 / count, middle + 0.25 / count)


def _crossings_over(count: int) -> list[float]:
    """Where in its wave (0 to 1, from rising through the middle) a strand of a flat plait is on top.

    It meets ``count - 1`` others on the way down and as many on the way up. Going down it passes over the
    first, under the second, and so on; going up it must pass under whatever is on top at that height.
    """
    falling = [0.25 + 0.5 * meeting / count for meeting in range(1, count) if meeting % 2]
    rising = [0.75 + 0.5 * meeting / count for meeting in range(1, count) if (count - meeting) % 2 == 0]
    return falling + rising


def _ribbon(path: list[Point], width: float) -> list[Point]:
    """A band of even width along a path, whose first and last point only give the direction of its ends."""
    above: list[Point] = []
    below: list[Point] = []
    for (x0, y0), (x, y), (x1, y1) in zip(path, path[1:], path[2:], strict=False):
        reach = width / 2 / hypot(x1 - x0, y1 - y0)
        above.append((x - (y1 - y0) * reach, y + (x1 - x0) * reach))
        below.append((x + (y1 - y0) * reach, y - (x1 - x0) * reach))
    return above + below[::-1]


ARRANGEMENTS: dict[str, Arrangement] = {
    "bias": _weave_on_bias,
    "even": _weave_evenly,
    "loom": _weave_on_loom,
    "plait-of-four": _plait_four,
    "plait-of-three": _plait_three,
}
