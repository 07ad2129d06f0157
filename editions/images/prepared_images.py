"""Preparing pictures to be sent."""

import hashlib
import io
import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from PIL import Image, ImageCms, ImageDraw, ImageOps, ImageSequence, PngImagePlugin

from editions.cache import BoundedCache, FileStamp, digest_content, known_digest, stamp_file
from editions.images.files import MPO, broken_image_error, open_image, read_image_file
from editions.model import AiOrigin, Crop

# The names are not delimited in CBOR, where the next byte may be a letter.
_SOURCE_TYPE = re.compile(
    rb"(?:digitalsourcetype/|digsrctype:|DigitalSourceType\s*=\s*[\"']|DigitalSourceType>)"
    rb"(trainedAlgorithmicMedia|compositeWithTrainedAlgorithmicMedia|compositeSynthetic|algorithmicallyEnhanced"
    rb"|digitalCapture|composite(?:Capture)?)"
)
_EDITED = {b"compositeWithTrainedAlgorithmicMedia", b"compositeSynthetic", b"algorithmicallyEnhanced"}
_GENERATED = b"trainedAlgorithmicMedia"
_PNG = b"\x89PNG\r\n\x1a\n"
_MAX_UNPACKED = 1_000_000
_SHARE = 0.17
_LEAST = 96
_SMOOTHING = 4
_DARK = 175
_MAX_PNG_COLOURS = 1024
_JPEG_QUALITY = 78
V = TypeVar("V")
_Form = tuple[int, bool, Crop | None]


def read_ai_label(content: bytes) -> AiOrigin | None:
    """Return what the labels in ``content``, a JPEG, PNG or GIF, say; None if nothing of this kind."""
    found: set[bytes] = set()
    for part in _label_parts(content):
        found.update(_SOURCE_TYPE.findall(part))
        if _is_generator_text(part):
            found.add(_GENERATED)
    if _GENERATED in found:
        # A photograph of which a part was generated has both.
        return AiOrigin.generated if found == {_GENERATED} else AiOrigin.edited
    return AiOrigin.edited if found & _EDITED else None


def make_xmp(origin: AiOrigin) -> bytes:
    """XMP with the label for ``origin``, for a picture whose own has been removed."""
    kind = _GENERATED if origin is AiOrigin.generated else b"compositeWithTrainedAlgorithmicMedia"
    return (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        b'<rdf:Description xmlns:e="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" e:DigitalSourceType="http://cv.'
        b"iptc.org/newscodes/digitalsourcetype/" + kind + b'"/></rdf:RDF></x:xmpmeta>'
    )


def _label_parts(content: bytes) -> Iterator[bytes]:
    if content.startswith(_PNG):
        yield from _png_texts(content)
    elif content.startswith(b"\xff\xd8"):
        yield from _jpeg_segments(content)
    else:
        yield content


def _jpeg_segments(content: bytes) -> Iterator[bytes]:
    """XMP (APP1), and the boxes of Content Credentials (APP11), which are cut into several segments."""
    boxes, place = b"", 2
    while place + 4 <= len(content) and content[place] == 0xFF and content[place + 1] != 0xDA:
        marker, length = content[place + 1], int.from_bytes(content[place + 2 : place + 4], "big")
        payload = content[place + 4 : place + 2 + length]
        if marker == 0xEB:
            # Identifier, instance, sequence number, and in each segment the head of the box again.
            boxes += payload[16:] if boxes else payload
        elif marker == 0xE1:
            yield payload
        place += 2 + max(length, 2)
    yield boxes


def _png_texts(content: bytes) -> Iterator[bytes]:
    place = len(_PNG)
    while place + 8 <= len(content):
        length, kind = int.from_bytes(content[place : place + 4], "big"), content[place + 4 : place + 8]
        data = content[place + 8 : place + 8 + length]
        if kind in {b"caBX", b"tEXt"}:
            yield data
        elif kind in {b"zTXt", b"iTXt"}:
            yield _unpack(kind, data)
        place += 12 + length


def _unpack(kind: bytes, data: bytes) -> bytes:
    """Return the text of a chunk, unpacked if it is packed, with its keyword before it."""
    keyword, _, rest = data.partition(b"\0")
    packed = rest[1:] if kind == b"zTXt" else rest[2:].split(b"\0", 2)[-1]
    if kind == b"iTXt" and rest[:1] != b"\x01":
        return data
    try:
        return keyword + b"\0" + zlib.decompressobj().decompress(packed, _MAX_UNPACKED)
    except zlib.error:
        return data


def _is_generator_text(part: bytes) -> bool:
    """Return whether ``part`` is a text chunk in which a generator of pictures notes its settings."""
    keyword, _, text = part.partition(b"\0")
    return (
        (keyword == b"parameters" and b"Steps: " in text and b"Sampler: " in text)
        or (keyword in {b"prompt", b"workflow"} and b'"class_type"' in text)
        or keyword == b"invokeai_metadata"
        or (keyword == b"Software" and text.strip() == b"NovelAI")
    )


def draw_play_sign(image: Image.Image) -> Image.Image:
    """Return ``image`` with a white triangle on a dark disc in its middle; both are seen on any picture."""
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


# EXIF tag 274 is the orientation; 5 to 8 lay the picture on its side.
_ORIENTATION, _SIDEWAYS = 274, frozenset({5, 6, 7, 8})


@dataclass(frozen=True, kw_only=True)
class ImageSize:
    """The pixels of a picture, upright, what its labels say about AI, and its file's SHA-256."""

    width: int
    height: int
    digest: bytes
    ai: AiOrigin | None = None


@dataclass(frozen=True, kw_only=True)
class PreparedImage:
    """A picture ready to be sent. ``name`` is 16 hex digits of the content's hash, and .jpg, .png or .gif."""

    name: str
    data: bytes
    width: int
    height: int


_sizes: BoundedCache[ImageSize] = BoundedCache(10_000)
_prepared: BoundedCache[PreparedImage] = BoundedCache(64_000_000, measure=lambda image: len(image.data))


def measure_image(path: Path) -> ImageSize:
    """Return the size of the picture at ``path``, which is decoded completely, as sending it will. Raise
    ImageError if it is not a JPEG, PNG or GIF, is damaged, or is too large."""
    return _get_or_create(_sizes, path, None, decode_size)


def recall_size(stamp: FileStamp) -> ImageSize | None:
    """Return the size of the picture with ``stamp``, if it was measured before and cannot have changed."""
    digest = known_digest(stamp)
    return _sizes.get((digest, None)) if digest else None


def decode_size(name: str, content: bytes) -> ImageSize:
    """Return the size of a picture in memory, as :func:`measure_image` does that of a file."""
    with open_image(name, content) as image:
        if image.format == MPO:
            image.load()
        else:
            for _ in ImageSequence.Iterator(image):
                image.load()
            image.seek(0)
        sideways = image.getexif().get(_ORIENTATION) in _SIDEWAYS
        width, height = image.size[::-1] if sideways else image.size
        digest = hashlib.sha256(content).digest()
        return ImageSize(width=width, height=height, digest=digest, ai=read_ai_label(content))


def prepare_image(
    path: Path, *, width: int, play: bool = False, crop: Crop | None = None, digest: bytes = b""
) -> PreparedImage:
    """Return the picture at ``path`` to be shown ``width`` CSS pixels wide: at most twice as many pixels,
    never enlarged. Photographs become progressive JPEG on white; PNG with few colours stays PNG; GIF stays
    GIF, animated or not. With ``play``, it has the sign of a video. The same file, width and crop give the
    same bytes. A label that says what AI did to it is kept, in JPEG and PNG. ``digest`` is the SHA-256 of the
    file as it was measured: what was prepared from that content before is the result, whatever the file has
    become since. Raise ImageError as :func:`measure_image` does."""
    form = (width, play, crop)
    if digest and (found := _prepared.get((digest, form))):
        return found
    return _get_or_create(_prepared, path, form, lambda name, content: _prepare(name, content, *form))


def _get_or_create(
    cache: BoundedCache[V], path: Path, form: _Form | None, create: Callable[[str, bytes], V]
) -> V:
    """Return what ``create`` makes of the file at ``path``, from the cache if its content was seen before."""
    try:
        stamp = stamp_file(path)
    except OSError as error:
        raise broken_image_error(path.name, error) from error
    digest = known_digest(stamp)
    if digest and (found := cache.get((digest, form))):
        return found
    content = read_image_file(path)
    return cache.get_or_create((digest_content(content, stamp), form), lambda: create(path.name, content))


def _prepare(name: str, content: bytes, width: int, play: bool, crop: Crop | None) -> PreparedImage:
    label = read_ai_label(content)
    xmp = make_xmp(label) if label else b""
    with open_image(name, content) as image:
        if image.format == "GIF" and not play:
            return _prepare_gif(image, 2 * width, crop)
        # A part of the picture may need all its pixels.
        if image.format != "PNG" and crop is None:
            image.draft("RGB", (2 * width, 2 * width))
        upright = _convert_colours(ImageOps.exif_transpose(image))
        small = _shrink(_cut(upright, crop), 2 * width)
        if play:
            small = draw_play_sign(_flatten_on_white(small))
        elif image.format == "PNG" and upright.getcolors(_MAX_PNG_COLOURS) is not None:
            return _encode(small, "PNG", optimize=True, **_png_label(xmp))
        flat = _flatten_on_white(small)
        labelled = {"xmp": xmp} if xmp else {}
        return _encode(flat, "JPEG", quality=_JPEG_QUALITY, optimize=True, progressive=True, **labelled)


def _png_label(xmp: bytes) -> dict[str, PngImagePlugin.PngInfo]:
    if not xmp:
        return {}
    texts = PngImagePlugin.PngInfo()
    texts.add_itxt("XML:com.adobe.xmp", xmp.decode())
    return {"pnginfo": texts}


def _convert_colours(image: Image.Image) -> Image.Image:
    """Return ``image`` in sRGB: in mode L or RGB, or RGBA if it has transparency."""
    profile = image.info.get("icc_profile")
    if image.mode.startswith("I"):
        # 16 bits a pixel; convert() alone would cut off instead of scaling.
        image = image.convert("I").point(lambda value: value * (1 / 256)).convert("L")
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        colours = _apply_profile(rgba.convert("RGB"), profile)
        colours.putalpha(rgba.getchannel("A"))
        return colours
    if image.mode in {"1", "L"}:
        image = image.convert("L")
    elif image.mode == "P":
        image = image.convert("RGB")
    return _apply_profile(image, profile)


def _apply_profile(image: Image.Image, profile: bytes | None) -> Image.Image:
    target = "L" if image.mode == "L" else "RGB"
    if profile:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            converted = ImageCms.profileToProfile(
                image, source, ImageCms.createProfile("sRGB"), outputMode="RGB"
            )
        except (ImageCms.PyCMSError, OSError, ValueError):
            # The profile is damaged or for another kind of picture; browsers ignore it too.
            return image.convert(target)
        if converted is not None:
            return converted
    return image.convert(target)


def _cut(image: Image.Image, crop: Crop | None) -> Image.Image:
    return image if crop is None else image.crop(crop.find_box(image.width, image.height))


def _shrink(image: Image.Image, max_width: int) -> Image.Image:
    if image.width <= max_width:
        return image
    height = max(1, round(image.height * max_width / image.width))
    return image.resize((max_width, height), Image.Resampling.LANCZOS)


def _flatten_on_white(image: Image.Image) -> Image.Image:
    if image.mode != "RGBA":
        return image
    sheet = Image.new("RGB", image.size, "white")
    sheet.paste(image, mask=image.getchannel("A"))
    return sheet


def _prepare_gif(image: Image.Image, max_width: int, crop: Crop | None) -> PreparedImage:
    if image.width <= max_width and crop is None:
        # Pillow keeps duration and loop by itself, and the comment unless told otherwise.
        return _encode(image, "GIF", save_all=True, comment=b"")
    frames, durations = [], []
    for frame in ImageSequence.Iterator(image):
        durations.append(frame.info.get("duration", 0))
        frames.append(_shrink(_cut(frame.convert("RGBA"), crop), max_width))
    if len(frames) == 1:
        return _encode(frames[0], "GIF")
    loop = {"loop": image.info["loop"]} if "loop" in image.info else {}
    return _encode(
        frames[0], "GIF", save_all=True, append_images=frames[1:], duration=durations, disposal=2, **loop
    )


def _encode(image: Image.Image, kind: str, **options: Any) -> PreparedImage:
    # Pillow would write comments, resolution and profiles in here into the new file.
    for name in ("comment", "dpi", "icc_profile", "exif", "xmp"):
        image.info.pop(name, None)
    out = io.BytesIO()
    image.save(out, kind, **options)
    data = out.getvalue()
    ending = {"JPEG": "jpg", "PNG": "png", "GIF": "gif"}[kind]
    return PreparedImage(
        name=f"{hashlib.sha256(data).hexdigest()[:16]}.{ending}",
        data=data,
        width=image.width,
        height=image.height,
    )
