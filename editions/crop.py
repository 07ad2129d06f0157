"""Cropping a picture to a shape, around the point that must stay in sight."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class ImageShape(StrEnum):
    """The shape that a picture is cropped to."""

    wide = "wide"
    """16 to 9, as films are."""

    landscape = "landscape"
    """3 to 2, as most cameras make them."""

    square = "square"
    """As wide as high."""


PROPORTIONS: Mapping[ImageShape, tuple[int, int]] = MappingProxyType(
    {ImageShape.wide: (16, 9), ImageShape.landscape: (3, 2), ImageShape.square: (1, 1)}
)
"""Width and height of each shape."""


@dataclass(frozen=True, kw_only=True)
class Focus:
    """The point of a picture that stays in sight when it is cropped, in per cent from its left and top
    edges."""

    x: int = 50
    y: int = 50

    def __str__(self) -> str:
        return f"{self.x} {self.y}"


CENTRE = Focus()


@dataclass(frozen=True, kw_only=True)
class Crop:
    """What is shown of a picture: as much as ``shape`` has room for, with ``focus`` as near to its middle as
    the picture's edges permit."""

    shape: ImageShape
    focus: Focus = CENTRE

    def find_box(self, width: int, height: int) -> tuple[int, int, int, int]:
        """The part of a picture of ``width`` and ``height`` pixels: left, top, right and bottom."""
        wide, high = PROPORTIONS[self.shape]
        shown_width = min(width, max(1, round(height * wide / high)))
        shown_height = min(height, max(1, round(width * high / wide)))
        left = _place(width, shown_width, self.focus.x)
        top = _place(height, shown_height, self.focus.y)
        return left, top, left + shown_width, top + shown_height

    def find_size(self, width: int, height: int) -> tuple[int, int]:
        """The width and height of what is shown of a picture, in its own pixels."""
        left, top, right, bottom = self.find_box(width, height)
        return right - left, bottom - top


def _place(length: int, shown: int, focus: int) -> int:
    """Where ``shown`` pixels of ``length`` begin, so that the point at ``focus`` per cent is in their
    middle."""
    return max(0, min(length - shown, round(length * focus / 100 - shown / 2)))
