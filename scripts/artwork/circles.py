"""Social and human sciences: circles that meet."""

from math import cos, hypot, pi, sin

from artwork.canvas import Arrangement, Canvas, Point, box
from artwork.palette import INK, WARM, WHITE, Palette


def _gather_at_horizon(canvas: Canvas, palette: Palette) -> None:
    """Circles large and small come together along one line, a sun with them; below it they are reflected."""
    w, h, random = canvas.width, canvas.height, canvas.random
    level = h * 0.63
    crowd = [
        (0.135, 0.13, palette.soft),
        (0.255, 0.21, palette.mid),
        (0.410, 0.31, palette.deep),
        (0.585, 0.345, palette.mid),
        (0.745, 0.24, palette.soft),
        (0.865, 0.13, palette.deep),
    ]
    above = canvas.mask().polygon(box(0, 0, w, level))
    below = canvas.mask().polygon(box(0, level, w, h - level))
    canvas.overprint(canvas.mask().disc(w * 0.715, h * 0.30, h * 0.105), WARM)
    for x, size, ink in crowd:
        radius = h * size * random.uniform(0.97, 1.03)
        place = (w * (x + random.uniform(-0.006, 0.006)), level)
        canvas.overprint(canvas.mask().disc(*place, radius).within(above), ink)
        rings = canvas.mask()
        for ring in range(1, 5):
            rings.ring(*place, radius * ring / 4, 3)
        canvas.overprint(rings.within(below), palette.mid)
    canvas.fill(box(0, level - 2.5, w, 5), INK)


def _meet_as_two(canvas: Canvas, palette: Palette) -> None:
    """Two great circles share a lens, the darkest thing on the canvas; small ones follow round one of
    them."""
    w, h, random = canvas.width, canvas.height, canvas.random
    first, second = h * random.uniform(0.31, 0.35), h * random.uniform(0.24, 0.30)
    side, slope = random.choice([-1, 1]), random.uniform(-0.30, 0.30)
    middle, apart = (w * (0.5 - 0.04 * side), h * 0.50), (first + second) * 0.70
    left = _place_on(middle, -side * apart / 2, slope)
    right = _place_on(middle, side * apart / 2, slope)
    canvas.overprint(canvas.mask().disc(*left, first), palette.mid)
    canvas.overprint(canvas.mask().disc(*right, second), palette.deep)
    sizes = [h * random.choice([0.026, 0.036, 0.05, 0.066]) for _ in range(random.choice([9, 10, 11]))]
    reach = second + h * 0.045
    away = (slope if side > 0 else slope + pi) - sum(sizes) / reach
    for number, size in enumerate(sizes):
        away += size / reach
        ink = WARM if number == len(sizes) // 3 else (palette.mid, palette.soft)[number % 2]
        canvas.overprint(canvas.mask().disc(*_place_on(right, reach, away), size), ink)
        away += size / reach
    canvas.cover(canvas.mask().disc(*left, h * 0.028), INK)


def _meet_at_table(canvas: Canvas, palette: Palette) -> None:
    """A ring of circles about one table, touching as neighbours do; one is new."""
    w, h, random = canvas.width, canvas.height, canvas.random
    seats = random.choice([7, 8, 9])
    centre = (w * random.choice([0.36, 0.50, 0.64]), h * 0.5)
    orbit = h * 0.29
    radius = orbit * sin(pi / seats) * 1.28
    tones = [palette.mid, palette.soft, palette.deep]
    turned, guest = random.uniform(0, 2 * pi), random.randrange(seats)
    for seat in range(seats):
        angle = turned + 2 * pi * seat / seats
        place = _place_on(centre, orbit, angle)
        canvas.overprint(canvas.mask().disc(*place, radius), WARM if seat == guest else tones[seat % 3])
    canvas.cover(canvas.mask().disc(*centre, h * 0.055), INK)
    canvas.overprint(canvas.mask().ring(*centre, h * 0.095, 3), palette.deep)


def _stand_in_arches(canvas: Canvas, palette: Palette) -> None:
    """Half circles shoulder to shoulder on one line, each with a head."""
    w, h, random = canvas.width, canvas.height, canvas.random
    floor = h * 0.84
    ground = canvas.mask().polygon(box(0, 0, w, floor))
    count = random.choice([4, 5])
    pitch = w * 0.76 / count
    left = w * random.choice([0.10, 0.14])
    tones = [palette.deep, palette.mid, palette.soft, palette.mid, palette.deep]
    random.shuffle(tones)
    bright = random.randrange(count)
    for person in range(count):
        radius = pitch * random.uniform(0.58, 0.80)
        place = left + pitch * (person + 0.5)
        canvas.overprint(canvas.mask().disc(place, floor, radius).within(ground), tones[person])
        head = radius * 0.36
        lift = floor - radius - head * 1.25
        canvas.overprint(canvas.mask().disc(place, lift, head), WARM if person == bright else tones[person])
    canvas.fill(box(0, floor, w, h * 0.010), INK)


def _link_chain(canvas: Canvas, palette: Palette) -> None:
    """A chain of circles across the canvas; three of them are large, and each of these has a heart."""
    w, h, random = canvas.width, canvas.height, canvas.random
    sizes = [0.075, 0.12, 0.27, 0.11, 0.31, 0.11, 0.24, 0.11, 0.07]
    if random.random() < 0.5:
        sizes.reverse()
    stretch = w * 0.90 / (2 * 0.86 * h * sum(sizes))
    radii = [h * size * stretch for size in sizes]
    tones = [palette.soft, palette.mid]
    x, phase = w * 0.05, random.uniform(0, 2 * pi)
    for number, radius in enumerate(radii):
        x += radius * 0.86
        place = (x, h * 0.5 + h * 0.07 * sin(phase + 5.2 * x / w))
        great = radius > h * 0.2 * stretch
        canvas.overprint(canvas.mask().disc(*place, radius), palette.deep if great else tones[number % 2])
        if great:
            canvas.cover(canvas.mask().disc(*place, radius * 0.24), WARM if number == 4 else WHITE)
        x += radius * 0.86


def _make_room(canvas: Canvas, palette: Palette) -> None:
    """Circles of every size, none on top of another, each given the room it needs."""
    w, h, random = canvas.width, canvas.height, canvas.random
    placed: list[tuple[float, float, float]] = []
    for size in [0.23, 0.18, 0.15] + [0.115] * 4 + [0.08] * 6 + [0.05] * 11 + [0.028] * 15:
        for _ in range(400):
            # Drawn towards one diagonal, so that two corners stay empty.
            along, aside = random.uniform(0.06, 0.94), random.gauss(0, 0.15)
            x, y, radius = w * along, h * (0.66 - 0.32 * along + aside), h * size * random.uniform(0.92, 1.08)
            edge = radius + h * 0.05
            inside = edge < x < w - edge and edge < y < h - edge
            if inside and all(hypot(x - a, y - b) > radius + r + h * 0.014 for a, b, r in placed):
                placed.append((x, y, radius))
                break
    inks = [palette.deep, palette.mid, palette.soft]
    for number, (x, y, radius) in enumerate(placed):
        ink = {8: WARM, 12: INK, 20: WARM}.get(number, inks[number % 3])
        canvas.overprint(canvas.mask().disc(x, y, radius), ink)


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
