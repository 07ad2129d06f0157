"""A portrait that is nobody: a head and shoulders of overlapping circles, made to be cropped round."""

from drawing.palette import INK, WARM, WHITE, mix, read_colour
from drawing.sheet import Sheet, box

SLATE = read_colour("#4d6478")


def draw_portrait(sheet: Sheet) -> None:
    """Draw the bust in the middle of a square sheet; nothing that matters is in the corners."""
    side = sheet.width
    whole = sheet.mask().polygon(box(0, 0, side, side))
    sheet.overprint(whole, mix(SLATE, WHITE, 0.86))
    sheet.overprint(sheet.mask().disc(side * 0.66, side * 0.36, side * 0.24), mix(WARM, WHITE, 0.20))
    sheet.overprint(sheet.mask().disc(side * 0.50, side * 1.02, side * 0.40), mix(SLATE, WHITE, 0.30))
    sheet.overprint(sheet.mask().disc(side * 0.40, side * 1.07, side * 0.36), mix(SLATE, INK, 0.2))
    sheet.cover(sheet.mask().disc(side * 0.50, side * 0.42, side * 0.175), mix(SLATE, INK, 0.55))
