"""Natural sciences: contour lines of a country that does not exist."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import cos, exp, pi, sin
from random import Random

from artwork.canvas import Arrangement, Canvas, Mask, Point
from artwork.palette import WARM, Palette, mix

STEP = 4
"""Pixels between the heights that are computed; the lines are straight within a step."""

Heights = list[list[float]]
Corner = tuple[float, float, float]


@dataclass(frozen=True, kw_only=True)
class Hill:
    """A rise (a hollow when ``height`` is negative): its middle, its reach both ways, its lie and height."""

    x: float
    y: float
    along: float
    across: float
    angle: float
    height: float

    def at(self, x: float, y: float) -> float:
        dx, dy = x - self.x, y - self.y
        c, s = cos(self.angle), sin(self.angle)
        u, v = (dx * c + dy * s) / self.along, (dy * c - dx * s) / self.across
        return self.height * exp(-(u * u + v * v))


def _map_massif(canvas: Canvas, palette: Palette) -> None:
    """One great rise in tints that deepen with the height, up to a dot at the summit."""
    w, h, random = canvas.width, canvas.height, canvas.random
    side = random.choice([-1, 1])
    x = w * (0.5 - 0.14 * side)
    hills = [
        _hill(random, x, h * 0.46, h * 0.52, 1.0),
        _hill(random, x + side * h * 0.52, h * random.uniform(0.60, 0.74), h * 0.34, 0.42),
        _hill(random, x - side * h * 0.40, h * random.uniform(0.24, 0.76), h * 0.26, 0.30),
    ]
    heights = _survey(canvas, hills, 0.05)
    levels = [0.20 + 0.105 * step for step in range(8)]
    for number, level in enumerate(levels):
        tint = mix(palette.faint, palette.deep, number / (len(levels) - 1))
        canvas.cover(_fill_above(canvas, heights, level), tint)
    _mark_summit(canvas, heights)


def _map_islands(canvas: Canvas, palette: Palette) -> None:
    """Islands in a sea of paper; lines follow the shore under water."""
    w, h, random = canvas.width, canvas.height, canvas.random
    spots = [
        (0.22, 0.46, 0.25, 0.92),
        (0.62, 0.60, 0.30, 1.00),
        (0.88, 0.26, 0.16, 0.84),
        (0.38, 0.92, 0.12, 0.80),
        (0.47, 0.15, 0.12, 0.78),
    ]
    if random.random() < 0.5:
        spots = [(1 - x, y, size, height) for x, y, size, height in spots]
    hills = [_hill(random, w * x, h * y, h * size, height) for x, y, size, height in spots]
    heights = _survey(canvas, hills, 0.02)
    canvas.cover(_trace(canvas, heights, (0.19, 0.30), 4), palette.soft)
    for level, ink in ((0.43, palette.soft), (0.54, palette.mid), (0.67, palette.deep)):
        canvas.cover(_fill_above(canvas, heights, level), ink)
    _mark_summit(canvas, heights)


def _map_lines(canvas: Canvas, palette: Palette) -> None:
    """Lines alone, each fourth one heavy, and one lake."""
    w, h, random = canvas.width, canvas.height, canvas.random
    side = random.choice([-1, 1])
    hills = [
        _hill(random, w * (0.5 + 0.24 * side), h * 0.58, h * 0.40, -1.0),
        _hill(random, w * (0.5 - 0.23 * side), h * random.uniform(0.40, 0.54), h * 0.58, 1.0),
        _hill(random, w * (0.5 + 0.42 * side), h * -0.05, h * 0.40, 0.55),
    ]
    heights = _survey(canvas, hills, 0.06)
    canvas.cover(_trace(canvas, heights, [n * 0.105 for n in range(-7, 10) if n % 4], 4), palette.mid)
    canvas.cover(_trace(canvas, heights, [n * 0.105 for n in range(-8, 9, 4)], 8), palette.deep)
    water = _fill_above(canvas, [[-height for height in row] for row in heights], 0.60)
    canvas.cover(water, palette.deep)
    _mark_summit(canvas, heights)


def _hill(random: Random, x: float, y: float, reach: float, height: float) -> Hill:
    stretch = random.uniform(1.05, 1.45)
    return Hill(
        x=x + random.uniform(-0.06, 0.06) * reach,
        y=y + random.uniform(-0.08, 0.08) * reach,
        along=reach * stretch,
        across=reach / stretch,
        angle=random.uniform(-0.7, 0.7),
        height=height,
    )


def _survey(canvas: Canvas, hills: list[Hill], roughness: float) -> Heights:
    """Heights every ``STEP`` pixels, a margin included, bent by slow waves and scaled to a summit of 1."""
    random = canvas.random
    waves = [
        (
            random.uniform(0, 2 * pi),
            2 * pi / canvas.height / random.uniform(0.35, 0.9),
            random.uniform(0, 2 * pi),
        )
        for _ in range(5)
    ]

    def height(x: float, y: float) -> float:
        slow = [sin((x * cos(way) + y * sin(way)) * rate + phase) for way, rate, phase in waves]
        x, y = x + 26 * slow[0] + 14 * slow[1], y + 26 * slow[2] + 14 * slow[3]
        return sum(hill.at(x, y) for hill in hills) + roughness * (slow[1] + slow[4]) / 2

    rows = range(-2, canvas.height // STEP + 4)
    columns = range(-2, canvas.width // STEP + 4)
    heights = [[height(column * STEP, row * STEP) for column in columns] for row in rows]
    top = max(max(row) for row in heights)
    return [[value / top for value in row] for row in heights]


def _fill_above(canvas: Canvas, heights: Heights, level: float) -> Mask:
    """Where the ground is at least ``level`` high."""
    mask = canvas.mask()
    for corners in _cells(heights):
        ground, _ = _cut(corners, level)
        if ground:
            mask.polygon(ground)
    return mask


def _trace(canvas: Canvas, heights: Heights, levels: Sequence[float], width: float) -> Mask:
    """The contour lines of all the levels."""
    mask = canvas.mask()
    for corners in _cells(heights):
        low, high = min(corner[2] for corner in corners), max(corner[2] for corner in corners)
        for level in levels:
            if low < level <= high:
                _, shore = _cut(corners, level)
                for start, end in zip(shore[::2], shore[1::2], strict=True):
                    mask.stroke(start, end, width)
    return mask


def _cells(heights: Heights) -> Iterator[tuple[Corner, Corner, Corner, Corner]]:
    """The squares between four neighbouring heights, their corners clockwise as (x, y, height)."""
    for row, (upper, lower) in enumerate(pairwise(heights)):
        top, bottom = (row - 2) * STEP, (row - 1) * STEP
        for column in range(len(upper) - 1):
            left, right = (column - 2) * STEP, (column - 1) * STEP
            yield (
                (left, top, upper[column]),
                (right, top, upper[column + 1]),
                (right, bottom, lower[column + 1]),
                (left, bottom, lower[column]),
            )


def _cut(corners: Sequence[Corner], level: float) -> tuple[list[Point], list[Point]]:
    """The part of a square at or above ``level``, and the ends of the shores that bound it, two and two.

    Going round from a high corner, a shore starts where the ground drops below the level and ends where
    it rises.
    """
    highs = [height >= level for _, _, height in corners]
    if not any(highs):
        return [], []
    if all(highs):
        return [(x, y) for x, y, _ in corners], []
    first = highs.index(True)
    ordered = [*corners[first:], *corners[: first + 1]]
    ground: list[Point] = []
    shore: list[Point] = []
    for (x0, y0, here), (x1, y1, there) in pairwise(ordered):
        if here >= level:
            ground.append((x0, y0))
        if (here >= level) != (there >= level):
            share = (level - here) / (there - here)
            shore.append((x0 + (x1 - x0) * share, y0 + (y1 - y0) * share))
            ground.append(shore[-1])
    return ground, shore


def _mark_summit(canvas: Canvas, heights: Heights) -> None:
    """A warm dot on the highest place that is well inside the canvas."""
    inset = canvas.height * 0.12
    places = [
        (height, (column - 2) * STEP, (row - 2) * STEP)
        for row, line in enumerate(heights)
        for column, height in enumerate(line)
    ]
    inside = [
        place
        for place in places
        if inset < place[1] < canvas.width - inset and inset < place[2] < canvas.height - inset
    ]
    _, x, y = max(inside)
    canvas.cover(canvas.mask().disc(x, y, canvas.height * 0.034), WARM)


ARRANGEMENTS: dict[str, Arrangement] = {"islands": _map_islands, "lines": _map_lines, "massif": _map_massif}
