"""Saving a document's pictures as files that an email can carry, named after a hash of their content."""

import hashlib
import io
import re
from pathlib import Path

from PIL import Image, ImageOps

from editions.errors import ImageError
from editions.images.files import FORMATS, MPO, open_image
from editions.images.prepare import measure_image
from editions.imports.omissions import OmissionLog, quote
from editions.imports.source_document import MAX_IMAGE_BYTES, SourceImage

_CONVERTED_FORMATS = ("WEBP", "TIFF", "BMP")
_ENDINGS = {"JPEG": ".jpg", "PNG": ".png", "GIF": ".gif"}
_VECTOR_FORMATS = {
    ".emf": "a Windows drawing (EMF)",
    ".wmf": "a Windows drawing (WMF)",
    ".svg": "an SVG drawing",
}
_NAME_DIGITS = 12
_MAX_KEPT_PIXELS = 13_000_000
_MAX_KEPT_BYTES = 10_000_000
_MAX_SIDE = 2400
"""Pixels a side of a huge photograph keeps: twice what the widest picture of a mail shows."""


class ImageStore:
    """Saves the pictures of one document in ``folder``, each once."""

    def __init__(self, folder: Path, omissions: OmissionLog) -> None:
        self._folder = folder
        self._omissions = omissions
        self._names: dict[tuple[str, tuple[float, ...]], str | None] = {}

    def save(self, picture: SourceImage) -> str | None:
        """Save ``picture`` and return its file name; None when an email cannot carry it, which is logged.

        Raises:
            DocumentError: the picture cannot be unpacked.
        """
        key = (picture.part, picture.crop)
        if key not in self._names:
            self._names[key] = self._write(picture)
        return self._names[key]

    def _write(self, picture: SourceImage) -> str | None:
        part = Path(picture.part)
        refused = _VECTOR_FORMATS.get(part.suffix.lower())
        if picture.size > MAX_IMAGE_BYTES:
            refused = f"a picture of more than {MAX_IMAGE_BYTES // 1_000_000} MB"
        if not refused:
            try:
                return self._keep(*_make_sendable(part.name, picture.read(), picture.crop))
            except ImageError as error:
                refused = f"a picture that cannot be used ({_explain(error)})"
        self._omissions.add(
            f"{refused}, {part.name}{quote(picture.alt)}; save it as PNG or JPEG and add it to images/"
        )
        return None

    def _keep(self, data: bytes, ending: str) -> str:
        """Write ``data`` and decode it, as sending will.

        Raises:
            ImageError: it is damaged somewhere after its first bytes.
        """
        path = self._folder / f"{hashlib.sha256(data).hexdigest()[:_NAME_DIGITS]}{ending}"
        self._folder.mkdir(exist_ok=True)
        path.write_bytes(data)
        try:
            measure_image(path)
        except ImageError:
            path.unlink()
            raise
        return path.name


def _explain(error: ImageError) -> str:
    """Why a picture cannot be used, and for a format that Pillow knows, what it is."""
    known = re.search(r" is (HEIC|AVIF|PDF|SVG), and ([^.]*)", error.reason)
    return f"{known[1]}: {known[2]}" if known else error.code.replace("-", " ")


def _make_sendable(name: str, data: bytes, crop: tuple[float, float, float, float]) -> tuple[bytes, str]:
    """``data`` and its file ending; unchanged where an email can carry it, it is not cropped and not huge.

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
    """The part of ``image`` that Word shows. The rest was cropped, perhaps for a reason, and must not
    appear."""
    left, top = round(image.width * crop[0]), round(image.height * crop[1])
    right, bottom = round(image.width * (1 - crop[2])), round(image.height * (1 - crop[3]))
    return image.crop((left, top, max(right, left + 1), max(bottom, top + 1)))
