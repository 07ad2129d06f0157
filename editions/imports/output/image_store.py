"""Saving a document's pictures as files that an email can carry, named after a hash of their content."""

import hashlib
import re
from pathlib import Path

from editions.errors import ImageError
from editions.images.files import convert_image
from editions.images.prepared_images import measure_image
from editions.imports.omissions import OmissionLog, advise, quote
from editions.imports.source_document import MAX_IMAGE_BYTES, SourceImage
from locales.phrase import AFTER_PLACE, FURTHER, Phrase, gettext_noop

_VECTOR_FORMATS = {
    ".emf": gettext_noop("a Windows drawing (EMF)"),
    ".wmf": gettext_noop("a Windows drawing (WMF)"),
    ".svg": gettext_noop("an SVG drawing"),
}
_FAULTS = {
    "image-format": gettext_noop("image format"),
    "image-too-large": gettext_noop("image too large"),
    "broken-image": gettext_noop("broken image"),
}
"""What is wrong with a picture, by its code."""
_NAME_DIGITS = 12


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
            too_large = gettext_noop("a picture of more than %(most)s MB")
            refused = Phrase(too_large, most=MAX_IMAGE_BYTES // 1_000_000)
        if not refused:
            try:
                return self._keep(*convert_image(part.name, picture.read(), picture.crop))
            except ImageError as error:
                unusable = gettext_noop("a picture that cannot be used (%(why)s)")
                refused = Phrase(unusable, why=_explain(error))
        advice = gettext_noop("save it as PNG or JPEG and add it to images/")
        named = Phrase(FURTHER, first=refused, next=part.name)
        self._omissions.add(advise(quote(named, picture.alt), advice))
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
    if known:
        return Phrase(AFTER_PLACE, place=known[1], words=known[2])
    return Phrase(_FAULTS.get(error.code, error.code.replace("-", " ")))
