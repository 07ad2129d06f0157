"""Natural sciences: contour lines of a country that does not exist."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import cos, exp, pi, sin
from random import Random

from drawing.palette import WARM, Palette, mix
from drawing.sheet import Arrangement, Mask, Point, Sheet

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


def _map_massif(sheet: Sheet, palette: Palette) -> None:
    """One great rise in tints that deepen with the height, up to a dot at the summit."""
    w, h, chance = sheet.width, sheet.height, sheet.chance
    side = chance.choice([-1, 1])
    x = w * (0.5 - 0.14 * side)
    hills = [
        _hill(chance, x, h * 0.46, h * 0.52, 1.0),
        _hill(chance, x + side * h * 0.52, h * chance.uniform(0.60, 0.74), h * 0.34, 0.42),
        _hill(chance, x - side * h * 0.40, h * chance.uniform(0.24, 0.76), h * 0.26, 0.30),
    ]
    heights = _survey(sheet, hills, 0.05)
    levels = [0.20 + 0.105 * step for step in range(8)]
    for number, level in enumerate(levels):
        tint = mix(palette.faint, palette.deep, number / (len(levels) - 1))
        sheet.cover(_fill_above(sheet, heights, level), tint)
    _mark_summit(sheet, heights)


def _map_islands(sheet: Sheet, palette: Palette) -> None:
    """Islands in a sea of paper; lines follow the shore under water."""
    w, h, chance = sheet.width, sheet.height, sheet.chance
    spots = [
        (0.22, 0.46, 0.25, 0.92),
        (0.62, 0.60, 0.30, 1.00),
        (0.88, 0.26, 0.16, 0.84),
        (0.38, 0.92, 0.12, 0.80),
        (0.47, 0.15, 0.12, 0.78),
    ]
    if chance.random() < 0.5:
        spots = [(1 - x, y, size, height) for x, y, size, height in spots]
    hills = [_hill(chance, w * x, h * y, h * size, height) for x, y, size, height in spots]
    heights = _survey(sheet, hills, 0.02)
    sheet.cover(_trace(sheet, heights, (0.19, 0.30), 4), palette.soft)
    for level, ink in ((0.43, palette.soft), (0.54, palette.mid), (0.67, palette.deep)):
        sheet.cover(_fill_above(sheet, heights, level), ink)
    _mark_summit(sheet, heights)


def _map_lines(sheet: Sheet, palette: Palette) -> None:
    """Lines alone, each fourth one heavy, and one lake."""
    w, h, chance = sheet.width, sheet.height, sheet.chance
    side = chance.choice([-1, 1])
    hills = [
        _hill(chance, w * (0.5 + 0.24 * side), h * 0.58, h * 0.40, -1.0),
        _hill(chance, w * (0.5 - 0.23 * side), h * chance.uniform(0.40, 0.54), h * 0.58, 1.0),
        _hill(chance, w * (0.5 + 0.42 * side), h * -0.05, h * 0.40, 0.55),
    ]
    heights = _survey(sheet, hills, 0.06)
    sheet.cover(_trace(sheet, heights, [n * 0.105 for n in range(-7, 10) if n % 4], 4), palette.mid)
    sheet.cover(_trace(sheet, heights, [n * 0.105 for n in range(-8, 9, 4)], 8), palette.deep)
    water = _fill_above(sheet, [[-height for height in row] for row in heights], 0.60)
    sheet.cover(water, palette.deep)
    _mark_summit(sheet, heights)


def _hill(chance: Random, x: float, y: float, reach: float, height: float) -> Hill:
    stretch = chance.uniform(1.05, 1.45)
    return Hill(
        x=x + chance.uniform(-0.06, 0.06) * reach,
        y=y + chance.uniform(-0.08, 0.08) * reach,
        along=reach * stretch,
        across=reach / stretch,
        angle=chance.uniform(-0.7, 0.7),
        height=height,
    )


def _survey(sheet: Sheet, hills: list[Hill], roughness: float) -> Heights:
    """Heights every ``STEP`` pixels, a margin included, bent by slow waves and scaled to a summit of 1."""
    chance = sheet.chance
    waves = [
        (
            chance.uniform(0, 2 * pi),
            2 * pi / sheet.height / chance.uniform(0.35, 0.9),
            chance.uniform(0, 2 * pi),
        )
        for _ in range(5)
    ]

    def height(x: float, y: float) -> float:
        slow = [sin((x * cos(way) + y * sin(way)) * rate + phase) for way, rate, phase in waves]
        x, y = x + 26 * slow[0] + 14 * slow[1], y + 26 * slow[2] + 14 * slow[3]
        return sum(hill.at(x, y) for hill in hills) + roughness * (slow[1] + slow[4]) / 2

    rows = range(-2, sheet.height // STEP + 4)
    columns = range(-2, sheet.width // STEP + 4)
    heights = [[height(column * STEP, row * STEP) for column in columns] for row in rows]
    top = max(max(row) for row in heights)
    return [[value / top for value in row] for row in heights]


def _fill_above(sheet: Sheet, heights: Heights, level: float) -> Mask:
    """Where the ground is at least ``level`` high."""
    mask = sheet.mask()
    for corners in _cells(heights):
        ground, _ = _cut(corners, level)
        if ground:
            mask.polygon(ground)
    return mask


def _trace(sheet: Sheet, heights: Heights, levels: Sequence[float], width: float) -> Mask:
    """The contour lines of all the levels."""
    mask = sheet.mask()
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


def _mark_summit(sheet: Sheet, heights: Heights) -> None:
    """A warm dot on the highest place that is well inside the sheet."""
    inset = sheet.height * 0.12
    places = [
        (height, (column - 2) * STEP, (row - 2) * STEP)
        for row, line in enumerate(heights)
        for column, height in enumerate(line)
    ]
    inside = [
        place
        for place in places
        if inset < place[1] < sheet.width - inset and inset < place[2] < sheet.height - inset
    ]
    _, x, y = max(inside)
    sheet.cover(sheet.mask().disc(x, y, sheet.height * 0.034), WARM)


ARRANGEMENTS: dict[str, Arrangement] = {"islands": _map_islands, "lines": _map_lines, "massif": _map_massif}
