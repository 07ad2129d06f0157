"""A generic portrait: a head and shoulders of overlapping circles, to be cropped to a circle."""

from artwork.canvas import Canvas, box
from artwork.palette import INK, WARM, WHITE, mix, read_colour

SLATE = read_colour("#4d6478")


def draw_portrait(canvas: Canvas) -> None:
    """Draw the bust in the middle of a square canvas; nothing that matters is in the corners."""
    side = canvas.width
    whole = canvas.mask().polygon(box(0, 0, side, side))
    canvas.overprint(whole, mix(SLATE, WHITE, 0.86))
    canvas.overprint(canvas.mask().disc(side * 0.66, side * 0.36, side * 0.24), mix(WARM, WHITE, 0.20))
    canvas.overprint(canvas.mask().disc(side * 0.50, side * 1.02, side * 0.40), mix(SLATE, WHITE, 0.30))
    canvas.overprint(canvas.mask().disc(side * 0.40, side * 1.07, side * 0.36), mix(SLATE, INK, 0.2))
    canvas.cover(canvas.mask().disc(side * 0.50, side * 0.42, side * 0.175), mix(SLATE, INK, 0.55))
