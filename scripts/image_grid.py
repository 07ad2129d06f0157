"""Sheets of pictures: some below, beside or in a grid with others, in as few bytes as they need."""

from collections.abc import Sequence
from pathlib import Path

from PIL import Image

_GAP = 12
_GREY = "#8a8f96"


def put_below(parts: Sequence[Image.Image]) -> Image.Image:
    """The parts one below the other."""
    height = sum(part.height for part in parts) + _GAP * (len(parts) - 1)
    sheet, top = Image.new("RGB", (parts[0].width, height), _GREY), 0
    for part in parts:
        sheet.paste(part, (0, top))
        top += part.height + _GAP
    return sheet


def put_beside(parts: Sequence[Image.Image]) -> Image.Image:
    """The parts one beside the other."""
    width = sum(part.width for part in parts) + _GAP * (len(parts) - 1)
    sheet, left = Image.new("RGB", (width, max(part.height for part in parts)), _GREY), 0
    for part in parts:
        sheet.paste(part, (left, 0))
        left += part.width + _GAP
    return sheet


def put_in_rows(parts: Sequence[Image.Image], *, of: int) -> Image.Image:
    """The parts in rows ``of`` so many."""
    return put_below([put_beside(parts[start : start + of]) for start in range(0, len(parts), of)])


def save_drawing(picture: Image.Image, path: Path) -> None:
    """Save it in 200 colours: text and drawings of few tones need no more, and a third of the bytes."""
    picture.quantize(200, dither=Image.Dither.NONE).save(path, optimize=True)


def save_page(picture: Image.Image, path: Path) -> None:
    """Save it in the 32 colours it has most of, as they are: a page has few, some in small squares alone."""
    palette = Image.new("P", (1, 1))
    palette.putpalette([value for colour in _find_colours(picture, 32) for value in colour])
    picture.quantize(palette=palette, dither=Image.Dither.NONE).save(path, optimize=True)


def _find_colours(picture: Image.Image, most: int) -> list[tuple[int, int, int]]:
    """The colours of the most dots, none of them almost the same as one before."""
    found: list[tuple[int, int, int]] = []
    for _, colour in sorted(picture.getcolors(picture.width * picture.height) or (), reverse=True):
        if all(
            max(abs(one - other) for one, other in zip(colour, known, strict=True)) >= 8 for known in found
        ):
            found.append(colour)
        if len(found) == most:
            break
    return found
