"""Saving a document's pictures as files that an email can carry, named after a hash of their content."""

import hashlib
import re
from pathlib import Path

from editions.errors import ImageError
from editions.images.conversion import convert_image
from editions.images.prepare import measure_image
from editions.imports.omissions import OmissionLog, quote
from editions.imports.source_document import MAX_IMAGE_BYTES, SourceImage

_VECTOR_FORMATS = {
    ".emf": "a Windows drawing (EMF)",
    ".wmf": "a Windows drawing (WMF)",
    ".svg": "an SVG drawing",
}
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
            refused = f"a picture of more than {MAX_IMAGE_BYTES // 1_000_000} MB"
        if not refused:
            try:
                return self._keep(*convert_image(part.name, picture.read(), picture.crop))
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
