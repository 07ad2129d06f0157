"""The files of pictures: finding, opening and converting one, and explaining what is wrong with it."""

import io
import os
import struct
import threading
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path

from PIL import Image, ImageOps, UnidentifiedImageError

from editions.errors import ImageError
from editions.source.folder import IMAGES_FOLDER, leads_outside
from locales.phrase import gettext_noop

FORMATS = ("JPEG", "PNG", "GIF")
"""The formats that every email program shows, by Pillow's names."""

MPO = "MPO"
"""What Pillow calls a phone's JPEG with further pictures behind the first, such as its brightness in HDR.
Other programs show the first, and so do we."""

_MAX_BYTES = 20_000_000
_MAX_PIXELS = 50_000_000

# Pillow warns through Python's filters, which are global to the process; and one large picture in memory at a
# time is enough.
_pillow_lock = threading.Lock()

# What Pillow raises for files that are damaged or made to attack it.
_PILLOW_ERRORS = (
    OSError,
    ValueError,
    SyntaxError,
    EOFError,
    LookupError,
    TypeError,
    ArithmeticError,
    AssertionError,
    NotImplementedError,
    MemoryError,
    struct.error,
    zlib.error,
)

_NOT_SHOWN = gettext_noop("email programs do not show it")
_SIGNATURES = (
    (0, b"RIFF", "WebP", gettext_noop("Outlook for Windows does not show it")),
    (0, b"<svg", "SVG", gettext_noop("Gmail and Outlook do not show it")),
    (0, b"<?xml", "SVG", gettext_noop("Gmail and Outlook do not show it")),
    (4, b"ftyphei", "HEIC", gettext_noop("only Apple's programs show it")),
    (4, b"ftypmif1", "HEIC", gettext_noop("only Apple's programs show it")),
    (4, b"ftypavif", "AVIF", gettext_noop("Outlook does not show it")),
    (0, b"II*\0", "TIFF", _NOT_SHOWN),
    (0, b"MM\0*", "TIFF", _NOT_SHOWN),
    (0, b"BM", "BMP", _NOT_SHOWN),
    (0, b"%PDF", "PDF", _NOT_SHOWN),
)
_CONVERTED_FORMATS = ("WEBP", "TIFF", "BMP")
_ENDINGS = {"JPEG": ".jpg", "PNG": ".png", "GIF": ".gif"}
_MAX_KEPT_PIXELS = 13_000_000
_MAX_KEPT_BYTES = 10_000_000
_MAX_SIDE = 2400
"""Pixels a side of a huge photograph keeps: twice what the widest picture of a mail shows."""


def locate_image(folder: Path, name: str) -> Path:
    """Return the path of the picture ``name`` of the edition in ``folder``. Raise ImageError if the name is
    not a plain file name, the file is missing, or it is outside the folder."""
    if not name or name in {".", ".."} or any(character in name for character in "/\\\0"):
        raise ImageError(
            name,
            "image-path",
            gettext_noop(
                "%(name)s is not a plain file name. Pictures must be in %(folder)s/: "
                "write the file's name alone."
            ),
            name=f"{name!r}",
            folder=IMAGES_FOLDER,
        )
    path = folder / f"{IMAGES_FOLDER}/{name}"
    try:
        exists, is_inside = path.is_file(), not leads_outside(folder, f"{IMAGES_FOLDER}/{name}")
    except (OSError, RuntimeError):
        exists, is_inside = False, True
    if not is_inside:
        raise ImageError(
            name,
            "outside-folder",
            gettext_noop(
                "%(name)s is a link to a file outside the edition's folder. Replace it with a "
                "copy of the file."
            ),
            name=name,
        )
    if not exists:
        raise ImageError(
            name,
            "missing-image",
            gettext_noop("%(folder)s/%(name)s does not exist. %(advice)s"),
            folder=IMAGES_FOLDER,
            name=name,
            advice=_suggest_file(folder, name),
        )
    return path


def _suggest_file(folder: Path, name: str) -> str:
    try:
        names = {path.name.lower(): path.name for path in (folder / IMAGES_FOLDER).iterdir()}
    except OSError:
        names = {}
    close = get_close_matches(name.lower(), names, n=1, cutoff=0.7)
    if close:
        return gettext_noop("Did you mean %(choice)s?") % {"choice": names[close[0]]}
    return gettext_noop("Put the picture into %(folder)s/, or correct the name.") % {"folder": IMAGES_FOLDER}


def read_image_file(path: Path) -> bytes:
    """Return the bytes of the picture at ``path``. Raise ImageError if it cannot be read, or is too large."""
    try:
        with path.open("rb") as file:
            # Checked first, so that a file of gigabytes is not read into memory to be rejected.
            is_too_large = os.fstat(file.fileno()).st_size > _MAX_BYTES
            content = b"" if is_too_large else file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise broken_image_error(path.name, error) from error
    if is_too_large or len(content) > _MAX_BYTES:
        raise ImageError(
            path.name,
            "image-too-large",
            gettext_noop("%(name)s is larger than %(most)s MB. Save a smaller copy."),
            name=path.name,
            most=_MAX_BYTES // 1000000,
        )
    return content


@contextmanager
def open_image(name: str, content: bytes, *, formats: tuple[str, ...] = FORMATS) -> Iterator[Image.Image]:
    """Open ``content``, from the file ``name``, as a picture in one of ``formats``. Raise ImageError if it is
    in another format, has too many pixels, or cannot be read."""
    with _pillow_lock, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with Image.open(io.BytesIO(content), formats=formats) as image:
                _reject_decompression_bomb(name, image)
                yield image
        except UnidentifiedImageError as error:
            raise _format_error(name, content) from error
        except Image.DecompressionBombError as error:
            raise _too_many_pixels_error(name) from error
        except _PILLOW_ERRORS as error:
            raise broken_image_error(name, error) from error


def _reject_decompression_bomb(name: str, image: Image.Image) -> None:
    """Check the header before any pixel is unpacked: a few kilobytes of PNG can expand to gigabytes."""
    frames = 1 if image.format == MPO else int(getattr(image, "n_frames", 1))
    if image.width * image.height * frames > _MAX_PIXELS:
        raise _too_many_pixels_error(name)


def _too_many_pixels_error(name: str) -> ImageError:
    return ImageError(
        name,
        "image-too-large",
        gettext_noop("%(name)s has more than %(most)s million pixels. Save a smaller copy."),
        name=name,
        most=_MAX_PIXELS // 1000000,
    )


def _format_error(name: str, content: bytes) -> ImageError:
    start = content[:32]
    if not start:
        return ImageError(
            name, "broken-image", gettext_noop("%(name)s is empty. Export or download it again."), name=name
        )
    for offset, signature, kind, why in _SIGNATURES:
        if start[offset:].startswith(signature) and (kind != "WebP" or start[8:12] == b"WEBP"):
            return ImageError(
                name,
                "image-format",
                gettext_noop("%(name)s is %(kind)s, and %(why)s. Save it as JPEG or PNG."),
                name=name,
                kind=kind,
                why=why,
            )
    return ImageError(
        name,
        "image-format",
        gettext_noop(
            "%(name)s is not a JPEG, PNG or GIF, so email programs do not show it. Save it as JPEG."
        ),
        name=name,
    )


def broken_image_error(name: str, error: BaseException) -> ImageError:
    if isinstance(error, OSError) and error.errno:
        return ImageError(
            name,
            "unreadable-file",
            gettext_noop("%(name)s cannot be read (%(error)s). Check its permissions and try again."),
            name=name,
            error=error.strerror,
        )
    return ImageError(
        name,
        "broken-image",
        gettext_noop(
            "%(name)s is damaged and cannot be read completely (%(error)s). Export or download it again."
        ),
        name=name,
        error=error,
    )


def convert_image(
    name: str, data: bytes, crop: tuple[float, float, float, float] = (0, 0, 0, 0)
) -> tuple[bytes, str]:
    """Return ``data`` and its file ending; unchanged where an email can carry it, it is not cropped and not
    huge. ``crop`` is the share to cut off at the left, the top, the right and the bottom. Raise ImageError if
    Pillow cannot read it, or it is too large."""
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
    """Return the part of ``image`` that is shown. The rest may have been cropped for a reason."""
    left, top = round(image.width * crop[0]), round(image.height * crop[1])
    right, bottom = round(image.width * (1 - crop[2])), round(image.height * (1 - crop[3]))
    return image.crop((left, top, max(right, left + 1), max(bottom, top + 1)))
