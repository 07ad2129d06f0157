"""The pictures of a feed's entries, fetched as they are found."""

import hashlib
from pathlib import PurePosixPath
from urllib.parse import unquote, urljoin, urlsplit

from editions.errors import ImageError
from editions.images.files import open_image
from editions.imports.omissions import OmissionKind, OmissionLog, locate, quote
from editions.imports.remote_file import Fetch, FetchError
from editions.imports.source_document import MAX_IMAGE_BYTES, SourceImage
from editions.imports.web_page.pictures import PictureFinder
from locales.phrase import AFTER_PLACE, Phrase, gettext_noop, read_error

_INVISIBLE = 2
_PIXEL_BYTES = 2_000


class RemotePictureFinder(PictureFinder):
    """Finds the pictures of one feed; each address is fetched once."""

    def __init__(self, name: str, omissions: OmissionLog, fetch: Fetch) -> None:
        super().__init__(name, None, omissions)
        self._fetch = fetch
        self._fetched: dict[str, bytes | str] = {}
        self.base = ""
        """The address that those of the next pictures are relative to."""

    def _log_missing(self, source: str, alt: str) -> None:
        """Log a picture that is in the text and damaged; for others :meth:`_read` knows the reason."""
        if source.startswith("data:"):
            super()._log_missing(source, alt)

    def _read(self, source: str, alt: str) -> SourceImage | None:
        if source.startswith("data:"):
            return super()._read(source, alt)
        address = urljoin(self.base, source)
        if address not in self._fetched:
            try:
                self._fetched[address] = self._fetch(address, MAX_IMAGE_BYTES).data
            except FetchError as error:
                self._fetched[address] = read_error(error)
        data = self._fetched[address]
        if isinstance(data, str):
            what = locate(quote(gettext_noop("a picture"), alt), address)
            self._omissions.add(Phrase(AFTER_PLACE, place=what, words=data))
            return None
        if _is_invisible(data):
            self._omissions.count(OmissionKind.pixel, alt)
            return None
        name = PurePosixPath(unquote(urlsplit(address).path)).name or "picture"
        return SourceImage(
            part=f"{hashlib.sha256(data).hexdigest()[:12]}/{name}", alt=alt, size=len(data), read=lambda: data
        )


def _is_invisible(data: bytes) -> bool:
    if len(data) > _PIXEL_BYTES:
        return False
    try:
        with open_image("picture", data) as image:
            return min(image.size) <= _INVISIBLE
    except ImageError:
        return False
