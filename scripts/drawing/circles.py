"""Social and human sciences: circles that meet."""

from math import cos, hypot, pi, sin

from drawing.palette import INK, WARM, WHITE, Palette
from drawing.sheet import Arrangement, Point, Sheet, box


def _gather_at_horizon(sheet: Sheet, palette: Palette) -> None:
    """Circles large and small come together along one line, a sun with them; below it they are reflected."""
    w, h, chance = sheet.width, sheet.height, sheet.chance
    level = h * 0.63
    crowd = [
        (0.135, 0.13, palette.soft),
        (0.255, 0.21, palette.mid),
        (0.410, 0.31, palette.deep),
        (0.585, 0.345, palette.mid),
        (0.745, 0.24, palette.soft),
        (0.865, 0.13, palette.deep),
    ]
    above = sheet.mask().polygon(box(0, 0, w, level))
    below = sheet.mask().polygon(box(0, level, w, h - level))
    sheet.overprint(sheet.mask().disc(w * 0.715, h * 0.30, h * 0.105), WARM)
    for x, size, ink in crowd:
        radius = h * size * chance.uniform(0.97, 1.03)
        place = (w * (x + chance.uniform(-0.006, 0.006)), level)
        sheet.overprint(sheet.mask().disc(*place, radius).within(above), ink)
        rings = sheet.mask()
        for ring in range(1, 5):
            rings.ring(*place, radius * ring / 4, 3)
        sheet.overprint(rings.within(below), palette.mid)
    sheet.fill(box(0, level - 2.5, w, 5), INK)


def _meet_as_two(sheet: Sheet, palette: Palette) -> None:
    """Two great circles share a lens, the darkest thing on the sheet; small ones follow round one of them."""
    w, h, chance = sheet.width, sheet.height, sheet.chance
    first, second = h * chance.uniform(0.31, 0.35), h * chance.uniform(0.24, 0.30)
    side, slope = chance.choice([-1, 1]), chance.uniform(-0.30, 0.30)
    middle, apart = (w * (0.5 - 0.04 * side), h * 0.50), (first + second) * 0.70
    left = _place_on(middle, -side * apart / 2, slope)
    right = _place_on(middle, side * apart / 2, slope)
    sheet.overprint(sheet.mask().disc(*left, first), palette.mid)
    sheet.overprint(sheet.mask().disc(*right, second), palette.deep)
    sizes = [h * chance.choice([0.026, 0.036, 0.05, 0.066]) for _ in range(chance.choice([9, 10, 11]))]
    reach = second + h * 0.045
    away = (slope if side > 0 else slope + pi) - sum(sizes) / reach
    for number, size in enumerate(sizes):
        away += size / reach
        ink = WARM if number == len(sizes) // 3 else (palette.mid, palette.soft)[number % 2]
        sheet.overprint(sheet.mask().disc(*_place_on(right, reach, away), size), ink)
        away += size / reach
    sheet.cover(sheet.mask().disc(*left, h * 0.028), INK)


def _meet_at_table(sheet: Sheet, palette: Palette) -> None:
    """A ring of circles about one table, touching as neighbours do; one is new."""
    w, h, chance = sheet.width, sheet.height, sheet.chance
    seats = chance.choice([7, 8, 9])
    centre = (w * chance.choice([0.36, 0.50, 0.64]), h * 0.5)
    orbit = h * 0.29
    radius = orbit * sin(pi / seats) * 1.28
    tones = [palette.mid, palette.soft, palette.deep]
    turned, guest = chance.uniform(0, 2 * pi), chance.randrange(seats)
    for seat in range(seats):
        angle = turned + 2 * pi * seat / seats
        place = _place_on(centre, orbit, angle)
        sheet.overprint(sheet.mask().disc(*place, radius), WARM if seat == guest else tones[seat % 3])
    sheet.cover(sheet.mask().disc(*centre, h * 0.055), INK)
    sheet.overprint(sheet.mask().ring(*centre, h * 0.095, 3), palette.deep)


def _stand_in_arches(sheet: Sheet, palette: Palette) -> None:
    """Half circles shoulder to shoulder on one line, each with a head."""
    w, h, chance = sheet.width, sheet.height, sheet.chance
    floor = h * 0.84
    ground = sheet.mask().polygon(box(0, 0, w, floor))
    count = chance.choice([4, 5])
    pitch = w * 0.76 / count
    left = w * chance.choice([0.10, 0.14])
    tones = [palette.deep, palette.mid, palette.soft, palette.mid, palette.deep]
    chance.shuffle(tones)
    bright = chance.randrange(count)
    for person in range(count):
        radius = pitch * chance.uniform(0.58, 0.80)
        place = left + pitch * (person + 0.5)
        sheet.overprint(sheet.mask().disc(place, floor, radius).within(ground), tones[person])
        head = radius * 0.36
        lift = floor - radius - head * 1.25
        sheet.overprint(sheet.mask().disc(place, lift, head), WARM if person == bright else tones[person])
    sheet.fill(box(0, floor, w, h * 0.010), INK)


def _link_chain(sheet: Sheet, palette: Palette) -> None:
    """A chain of circles across the sheet; three of them are large, and each of these has a heart."""
    w, h, chance = sheet.width, sheet.height, sheet.chance
    sizes = [0.075, 0.12, 0.27, 0.11, 0.31, 0.11, 0.24, 0.11, 0.07]
    if chance.random() < 0.5:
        sizes.reverse()
    stretch = w * 0.90 / (2 * 0.86 * h * sum(sizes))
    radii = [h * size * stretch for size in sizes]
    tones = [palette.soft, palette.mid]
    x, phase = w * 0.05, chance.uniform(0, 2 * pi)
    for number, radius in enumerate(radii):
        x += radius * 0.86
        place = (x, h * 0.5 + h * 0.07 * sin(phase + 5.2 * x / w))
        great = radius > h * 0.2 * stretch
        sheet.overprint(sheet.mask().disc(*place, radius), palette.deep if great else tones[number % 2])
        if great:
            sheet.cover(sheet.mask().disc(*place, radius * 0.24), WARM if number == 4 else WHITE)
        x += radius * 0.86


def _make_room(sheet: Sheet, palette: Palette) -> None:
    """Circles of every size, none on top of another, each given the room it needs."""
    w, h, chance = sheet.width, sheet.height, sheet.chance
    placed: list[tuple[float, float, float]] = []
    for size in [0.23, 0.18, 0.15] + [0.115] * 4 + [0.08] * 6 + [0.05] * 11 + [0.028] * 15:
        for _ in range(400):
            # Drawn towards one diagonal, so that two corners stay empty.
            along, aside = chance.uniform(0.06, 0.94), chance.gauss(0, 0.15)
            x, y, radius = w * along, h * (0.66 - 0.32 * along + aside), h * size * chance.uniform(0.92, 1.08)
            edge = radius + h * 0.05
            inside = edge < x < w - edge and edge < y < h - edge
            if inside and all(hypot(x - a, y - b) > radius + r + h * 0.014 for a, b, r in placed):
                placed.append((x, y, radius))
                break
    inks = [palette.deep, palette.mid, palette.soft]
    for number, (x, y, radius) in enumerate(placed):
        ink = {8: WARM, 12: INK, 20: WARM}.get(number, inks[number % 3])
        sheet.overprint(sheet.mask().disc(x, y, radius), ink)


def _place_on(centre: Point, distance: float, angle: float) -> Point:
    return centre[0] + distance * cos(angle), centre[1] + distance * sin(angle)


ARRANGEMENTS: dict[str, Arrangement] = {
    "arches": _stand_in_arches,
    "chain": _link_chain,
    "horizon": _gather_at_horizon,
    "room": _make_room,
    "table": _meet_at_table,
    "two": _meet_as_two,
}
