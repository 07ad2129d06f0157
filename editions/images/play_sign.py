"""The play sign on a video's still picture, drawn into it so that every email program shows it."""

from PIL import Image, ImageDraw

_SHARE = 0.17
_LEAST = 96
_SMOOTHING = 4
_DARK = 175


def draw_play_sign(image: Image.Image) -> Image.Image:
    """``image`` with a white triangle on a dark disc in its middle; both are seen on any picture."""
    size = min(max(_LEAST, round(min(image.size) * _SHARE * 2)), *image.size)
    large = size * _SMOOTHING
    disc, triangle = Image.new("L", (large, large)), Image.new("L", (large, large))
    ImageDraw.Draw(disc).ellipse((0, 0, large - 1, large - 1), fill=_DARK)
    # Its centre of gravity, not its middle, is in the middle of the disc.
    points = [(0.38, 0.28), (0.38, 0.72), (0.76, 0.5)]
    ImageDraw.Draw(triangle).polygon([(x * large, y * large) for x, y in points], fill=255)
    place = ((image.width - size) // 2, (image.height - size) // 2)
    drawn = image.convert("RGB")
    for colour, mask in (("black", disc), ("white", triangle)):
        small = mask.resize((size, size), Image.Resampling.LANCZOS)
        drawn.paste(Image.new("RGB", small.size, colour), place, small)
    return drawn
