"""The pictures of a page: found in its folder, and put below the titles they belong to."""

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping
from functools import partial
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote, unquote_to_bytes, urlsplit

from lxml import etree

from editions.errors import DocumentError
from editions.imports.html.tree import HEADINGS, text_content
from editions.imports.source_document import OmissionKind, OmissionLog, SourceImage, locate, quote
from editions.imports.web_page.styles import Declarations, read_pixels
from locales.phrase import gettext_noop

_DATA = re.compile(r"data:(?P<kind>[\w/+.-]*)(?P<options>(?:;[^,;]*)*),(?P<data>.*)", re.DOTALL)
_INVISIBLE = 2.0
_SMALL = 48.0
"""Pixels. A picture of no more in both directions is an icon."""
_LAZY_SOURCES = ("data-src", "data-lazy-src", "data-original")
_SUFFIXES = {"jpeg": ".jpg", "svg+xml": ".svg"}
_MAX_TITLE_LENGTH = 120
_LARGE = 115


class PictureFinder:
    """Finds the pictures of a page. ``folder`` is where the page is, ``images`` what was found."""

    def __init__(self, name: str, folder: Path | None, omissions: OmissionLog) -> None:
        self.images: list[SourceImage] = []
        self._name = name
        self._folder = None if folder is None else folder.resolve()
        self._omissions = omissions
        self._numbers: dict[str, int] = {}

    def find(self, element: etree._Element, said: Declarations, *, linked: bool) -> int | str:
        """Return the number of the picture of an ``<img>``, or the text that stands for it, which is empty
        for one that is left out. ``linked`` is whether a click on it leads anywhere."""
        alt = " ".join((element.get("alt") or "").split())
        source = next(
            (value.strip() for name in ("src", *_LAZY_SOURCES) if (value := element.get(name) or "").strip()),
            "",
        )
        if element.get("data-src") and source.startswith("data:"):
            source = (element.get("data-src") or "").strip()
        width, height = (_read_side(element, said, name) for name in ("width", "height"))
        sides = [side for side in (width, height) if side is not None]
        if not source or (sides and min(sides) <= _INVISIBLE):
            self._omissions.count(OmissionKind.pixel, alt)
            return ""
        if len(sides) == 2 and max(sides) <= _SMALL:
            if not linked:
                self._omissions.add(quote(gettext_noop("a small picture"), alt))
            return alt if linked else ""
        image = self._read(source, alt)
        if image is None:
            self._log_missing(source, alt)
            return alt if linked else ""
        self.images.append(image)
        return len(self.images) - 1

    def _log_missing(self, source: str, alt: str) -> None:
        address = "" if source.startswith(("cid:", "data:")) else source
        missing = gettext_noop("a picture that is not next to the page")
        self._omissions.add(locate(quote(missing, alt), address))

    def _read(self, source: str, alt: str) -> SourceImage | None:
        if source.startswith("data:"):
            return _read_data(source, alt)
        path = self._local_path(source)
        if path is None:
            return None
        return SourceImage(
            part=f"{path.parent.name}/{path.name}",
            alt=alt,
            size=path.stat().st_size,
            read=partial(_read_file, path, self._name),
        )

    def _local_path(self, source: str) -> Path | None:
        """Return the file of ``source``, if it is in the page's folder or below it."""
        if self._folder is None:
            return None
        if source.startswith("cid:"):
            # Mail programs name a picture image001.png@01DA… and save it under the first part.
            source = source.removeprefix("cid:").partition("@")[0]
        parts = urlsplit(source)
        if parts.scheme or parts.netloc or not parts.path:
            return None
        try:
            path = (self._folder / unquote(parts.path)).resolve()
            return path if path.is_relative_to(self._folder) and path.is_file() else None
        except (OSError, ValueError):
            return None


def _read_data(source: str, alt: str) -> SourceImage | None:
    """Return the picture of a ``data:`` address (RFC 2397)."""
    found = _DATA.fullmatch(source)
    if not found:
        return None
    try:
        packed = "base64" in found["options"]
        data = base64.b64decode(unquote(found["data"])) if packed else unquote_to_bytes(found["data"])
    except (binascii.Error, ValueError):
        return None
    kind = found["kind"].partition("/")[2]
    name = f"{hashlib.sha256(data).hexdigest()[:12]}{_SUFFIXES.get(kind, f'.{kind}')}"
    return SourceImage(part=name, alt=alt, size=len(data), read=lambda: data)


def _read_file(path: Path, name: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DocumentError(
            name,
            "broken-document",
            gettext_noop("its picture %(name)s cannot be read (%(error)s)."),
            name=path.name,
            error=error.strerror,
        ) from error


def _read_side(element: etree._Element, said: Mapping[str, tuple[str, bool]], name: str) -> float | None:
    written = said.get(name, ("", False))[0]
    pixels = read_pixels(written) if written else None
    return pixels if pixels is not None else read_pixels(element.get(name) or "")


def move_pictures_below_titles(body: etree._Element) -> None:
    """Put pictures directly above a title below it, unless the page has them below its titles."""
    blocks = [block for block in body if len(block) or text_content(block).strip()]
    pairs = [*pairwise(blocks)]
    above = [(first, second) for first, second in pairs if _is_picture(first) and _is_title(second)]
    below = sum(_is_title(first) and _is_picture(second) for first, second in pairs)
    if below >= len(above):
        return
    for picture, title in above:
        title.addnext(picture)


def _is_picture(block: etree._Element) -> bool:
    return block.tag == "p" and block.find(".//img") is not None and not text_content(block).strip()


def _is_title(block: etree._Element) -> bool:
    text = text_content(block).strip()
    if block.tag in HEADINGS:
        return bool(text)
    stands_out = block.get("data-bold") is not None or int(block.get("data-size") or 100) >= _LARGE
    return block.tag == "p" and stands_out and 0 < len(text) <= _MAX_TITLE_LENGTH
