"""What a picture's own labels say about artificial intelligence.

Programs that generate or edit pictures label them: in Content Credentials (C2PA), in XMP, or in text
chunks of their own in a PNG. The first two name one of IPTC's digital source types
(cv.iptc.org/newscodes/digitalsourcetype). The name is looked for in the bytes, and no signature is
verified: a label says what its maker said.
"""

import re
import zlib
from collections.abc import Iterator

from editions.model import AiOrigin

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


def read_ai_label(content: bytes) -> AiOrigin | None:
    """What the labels in ``content``, a JPEG, PNG or GIF, say; None if they say nothing of this kind."""
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
    """The parts of a file in which labels are."""
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
    """The text of a chunk, unpacked if it is packed, with its keyword before it."""
    keyword, _, rest = data.partition(b"\0")
    packed = rest[1:] if kind == b"zTXt" else rest[2:].split(b"\0", 2)[-1]
    if kind == b"iTXt" and rest[:1] != b"\x01":
        return data
    try:
        return keyword + b"\0" + zlib.decompressobj().decompress(packed, _MAX_UNPACKED)
    except zlib.error:
        return data


def _is_generator_text(part: bytes) -> bool:
    """Whether ``part`` is a text chunk in which a generator of pictures notes its settings: the web interface
    of Stable Diffusion, ComfyUI, InvokeAI or NovelAI."""
    keyword, _, text = part.partition(b"\0")
    return (
        (keyword == b"parameters" and b"Steps: " in text and b"Sampler: " in text)
        or (keyword in {b"prompt", b"workflow"} and b'"class_type"' in text)
        or keyword == b"invokeai_metadata"
        or (keyword == b"Software" and text.strip() == b"NovelAI")
    )
