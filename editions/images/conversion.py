"""Converting a picture to a format that an email can carry."""

import io

from PIL import Image, ImageOps

from editions.images.files import FORMATS, MPO, open_image

_CONVERTED_FORMATS = ("WEBP", "TIFF", "BMP")
_ENDINGS = {"JPEG": ".jpg", "PNG": ".png", "GIF": ".gif"}
_MAX_KEPT_PIXELS = 13_000_000
_MAX_KEPT_BYTES = 10_000_000
_MAX_SIDE = 2400
"""Pixels a side of a huge photograph keeps: twice what the widest picture of a mail shows."""


def convert_image(
    name: str, data: bytes, crop: tuple[float, float, float, float] = (0, 0, 0, 0)
) -> tuple[bytes, str]:
    """Return ``data`` and its file ending; unchanged where an email can carry it, it is not cropped and not
    huge. ``crop`` is the share to cut off at the left, the top, the right and the bottom.

    Raises:
        ImageError: Pillow cannot read it, or it is too large.
    """
    with open_image(name, data, formats=(*FORMATS, *_CONVERTED_FORMATS)) as image:
        kind = str(image.format)
        is_huge = len(data) > _MAX_KEPT_BYTES or image.width * image.height > _MAX_KEPT_PIXELS
        if kind in FORMATS and not any(crop) and (not is_huge or kind == "GIF"):
            return data, _ENDINGS[kind]
        kind = "JPEG" if kind in {"JPEG", MPO} else "PNG"
        if kind == "JPEG" and is_huge:
            # Decoded at a half or a quarter of its size, a large photograph takes little memory.
            image.draft("RGB", (_MAX_SIDE, _MAX_SIDE))
        shown = ImageOps.exif_transpose(_crop(image, crop))
        if is_huge:
            shown.thumbnail((_MAX_SIDE, _MAX_SIDE), Image.Resampling.LANCZOS)
        # The profile of its colours and what it says of its origin stay; the camera's place and time do not.
        kept = {key: shown.info[key] for key in ("icc_profile", "xmp") if shown.info.get(key)}
        out = io.BytesIO()
        if kind == "JPEG":
            shown.convert("RGB").save(out, kind, quality=90, **kept)
        else:
            kept.pop("xmp", None)
            shown.convert("RGBA" if shown.has_transparency_data else "RGB").save(out, kind, **kept)
        return out.getvalue(), _ENDINGS[kind]


def _crop(image: Image.Image, crop: tuple[float, float, float, float]) -> Image.Image:
    """The part of ``image`` that is shown. The rest was cropped, perhaps for a reason, and must not
    appear."""
    left, top = round(image.width * crop[0]), round(image.height * crop[1])
    right, bottom = round(image.width * (1 - crop[2])), round(image.height * (1 - crop[3]))
    return image.crop((left, top, max(right, left + 1), max(bottom, top + 1)))
