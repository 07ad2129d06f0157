"""Paper and ink: a supersampled canvas that takes flat colours through masks and comes back as a small JPEG.

Every length is in pixels of the finished picture. The canvas works at ``SCALE`` times that and is brought
down at the end, which is where the smooth edges come from. Pillow's own noise takes no seed, so the grain is
made here.
"""

from collections.abc import Callable, Iterable
from io import BytesIO
from math import cos, hypot, radians, sin
from random import Random

from PIL import Image, ImageChops, ImageDraw, ImageFilter

from artwork.palette import PAPER, Colour, Palette

SCALE = 3
MAX_BYTES = 120_000
Point = tuple[float, float]
Arrangement = Callable[["Canvas", Palette], None]


class Mask:
    """The area a colour is applied to. Shapes add to it, and ``paint=0`` removes them."""

    def __init__(self, width: float, height: float) -> None:
        self.image = Image.new("L", (round(width * SCALE), round(height * SCALE)), 0)
        self._draw = ImageDraw.Draw(self.image)

    def polygon(self, points: Iterable[Point], paint: int = 255) -> "Mask":
        self._draw.polygon([(x * SCALE, y * SCALE) for x, y in points], fill=paint)
        return self

    def disc(self, x: float, y: float, radius: float, paint: int = 255) -> "Mask":
        # Pillow includes the last row and column, which would make every disc one pixel too wide.
        left, top, right, bottom = (side * SCALE for side in (x - radius, y - radius, x + radius, y + radius))
        self._draw.ellipse([left, top, max(left, right - 1), max(top, bottom - 1)], fill=paint)
        return self

    def ring(self, x: float, y: float, radius: float, width: float) -> "Mask":
        """Add a ring, ``width`` wide, centred on ``radius``."""
        outer = Mask(*(side / SCALE for side in self.image.size)).disc(x, y, radius + width / 2)
        outer.disc(x, y, radius - width / 2, paint=0)
        self.image.paste(255, mask=outer.image)
        return self

    def arc(self, centre: Point, radius: float, width: float, start: float, end: float) -> "Mask":
        """Add part of a ring with square ends, from ``start`` to ``end`` degrees clockwise from three
        o'clock."""
        steps = max(2, int(abs(end - start) / 1.5))
        angles = [radians(start + (end - start) * step / steps) for step in range(steps + 1)]
        outside = [_around(centre, radius + width / 2, angle) for angle in angles]
        inside = [_around(centre, radius - width / 2, angle) for angle in reversed(angles)]
        return self.polygon(outside + inside)

    def stroke(self, start: Point, end: Point, width: float) -> "Mask":
        """Add a short line with round ends, made of dense dots so that many of them form a smooth curve."""
        # Pillow's own wide lines snap to whole pixels, which is visible when they are short.
        (x0, y0), (x1, y1) = start, end
        dots = max(1, round(hypot(x1 - x0, y1 - y0) * 1.5))
        for dot in range(dots + 1):
            share = dot / dots
            self.disc(x0 + (x1 - x0) * share, y0 + (y1 - y0) * share, width / 2)
        return self

    def within(self, other: "Mask") -> "Mask":
        """Return the intersection with another mask."""
        self.image = ImageChops.multiply(self.image, other.image)
        self._draw = ImageDraw.Draw(self.image)
        return self


class Canvas:
    """A canvas of ``width`` by ``height`` pixels, with the random numbers of this picture."""

    def __init__(self, width: int, height: int, random: Random) -> None:
        self.width, self.height, self.random = width, height, random
        self._picture = Image.new("RGB", (width * SCALE, height * SCALE), PAPER)
        self._tooth = self._make_tooth()

    def mask(self) -> Mask:
        return Mask(self.width, self.height)

    def overprint(self, mask: Mask, colour: Colour) -> None:
        """Apply translucent ink, which darkens where it overlaps other ink, as in print."""
        inked = ImageChops.multiply(self._picture, Image.new("RGB", self._picture.size, colour))
        self._picture.paste(inked, mask=ImageChops.multiply(mask.image, self._tooth))

    def cover(self, mask: Mask, colour: Colour) -> None:
        """Apply opaque ink."""
        self._picture.paste(colour, mask=mask.image)

    def fill(self, points: Iterable[Point], colour: Colour) -> None:
        """Fill a polygon, without the cost of a mask."""
        ImageDraw.Draw(self._picture).polygon([(x * SCALE, y * SCALE) for x, y in points], fill=colour)

    def finish(self) -> Image.Image:
        """Return the picture at its final size, with the grain of the paper."""
        small = self._picture.resize((self.width, self.height), Image.Resampling.LANCZOS)
        noise = Image.frombytes("L", small.size, self.random.randbytes(self.width * self.height))
        faint = [round(128 + (value - 128) * 0.06) for value in range(256)]
        grain = noise.filter(ImageFilter.GaussianBlur(0.7)).point(faint)
        return ImageChops.add(small, Image.merge("RGB", [grain] * 3), scale=1, offset=-128)

    def _make_tooth(self) -> Image.Image:
        """Return the grain: how much ink the paper absorbs at each place."""
        across, down = self.width // 3, self.height // 3
        noise = Image.frombytes("L", (across, down), self.random.randbytes(across * down))
        nearly_all = [min(255, round(236 + value * 0.15)) for value in range(256)]
        soft = noise.filter(ImageFilter.GaussianBlur(1.2)).point(nearly_all)
        return soft.resize(self._picture.size, Image.Resampling.BICUBIC)


def encode_jpeg(picture: Image.Image, limit: int = MAX_BYTES) -> bytes:
    """Return the best JPEG within ``limit`` bytes; raises ValueError if even the lowest quality is larger."""
    for quality in range(92, 40, -3):
        stream = BytesIO()
        picture.save(stream, "JPEG", quality=quality, optimize=True, progressive=True, subsampling="4:2:0")
        if stream.tell() <= limit:
            return stream.getvalue()
    raise ValueError(
        f"the picture does not fit {limit:,} bytes at a quality worth having; give it less grain"
    )


def box(left: float, top: float, width: float, height: float) -> list[Point]:
    """Return the corners of an upright rectangle, clockwise from top left."""
    return [(left, top), (left + width, top), (left + width, top + height), (left, top + height)]


def turn(points: Iterable[Point], degrees: float, about: Point) -> list[Point]:
    """Rotate points clockwise around a point."""
    c, s = cos(radians(degrees)), sin(radians(degrees))
    x0, y0 = about
    return [(x0 + (x - x0) * c - (y - y0) * s, y0 + (x - x0) * s + (y - y0) * c) for x, y in points]


def _around(centre: Point, radius: float, angle: float) -> Point:
    return centre[0] + radius * cos(angle), centre[1] + radius * sin(angle)
