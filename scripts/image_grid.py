"""Combine pictures in columns, rows or a grid, and save them in few bytes."""

from collections.abc import Sequence
from pathlib import Path

from PIL import Image

_GAP = 12
_GREY = "#8a8f96"


def put_below(parts: Sequence[Image.Image]) -> Image.Image:
    """Stack pictures vertically."""
    height = sum(part.height for part in parts) + _GAP * (len(parts) - 1)
    sheet, top = Image.new("RGB", (parts[0].width, height), _GREY), 0
    for part in parts:
        sheet.paste(part, (0, top))
        top += part.height + _GAP
    return sheet


def put_beside(parts: Sequence[Image.Image]) -> Image.Image:
    """Place pictures side by side."""
    width = sum(part.width for part in parts) + _GAP * (len(parts) - 1)
    sheet, left = Image.new("RGB", (width, max(part.height for part in parts)), _GREY), 0
    for part in parts:
        sheet.paste(part, (left, 0))
        left += part.width + _GAP
    return sheet


def put_in_rows(parts: Sequence[Image.Image], *, of: int) -> Image.Image:
    """Arrange pictures in rows of ``of``."""
    return put_below([put_beside(parts[start : start + of]) for start in range(0, len(parts), of)])


def save_drawing(picture: Image.Image, path: Path, *, colours: int = 224) -> None:
    """Save with so many colours, at least 80; 224 are enough for text and drawings and take a third of the
    bytes: the most frequent ones unchanged, because blue links would turn green, and the others near
    enough."""
    others = picture.quantize(colours - 64, dither=Image.Dither.NONE).getpalette() or []
    _save(
        picture,
        [*_find_colours(picture, 64), *zip(others[::3], others[1::3], others[2::3], strict=True)],
        path,
    )


def save_page(picture: Image.Image, path: Path) -> None:
    """Save with the 32 most frequent colours, unchanged: a page has few colours, some only in small areas."""
    _save(picture, _find_colours(picture, 32), path)


def _save(picture: Image.Image, colours: Sequence[tuple[int, ...]], path: Path) -> None:
    palette = Image.new("P", (1, 1))
    palette.putpalette([value for colour in colours for value in colour])
    picture.quantize(palette=palette, dither=Image.Dither.NONE).save(path, optimize=True)


def _find_colours(picture: Image.Image, most: int) -> list[tuple[int, int, int]]:
    """Return the most frequent colours, without near duplicates."""
    found: list[tuple[int, int, int]] = []
    for _, colour in sorted(picture.getcolors(picture.width * picture.height) or (), reverse=True):
        if all(
            max(abs(one - other) for one, other in zip(colour, known, strict=True)) >= 8 for known in found
        ):
            found.append(colour)
        if len(found) == most:
            break
    return found
