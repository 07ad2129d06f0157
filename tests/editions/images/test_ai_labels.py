"""What a picture's own labels say about AI, before preparation removes them."""

import io
from pathlib import Path

import pytest
from PIL import Image, PngImagePlugin

from editions.images.prepared_images import make_xmp, measure_image, prepare_image, read_ai_label
from editions.model import AiOrigin

_IPTC = b"http://cv.iptc.org/newscodes/digitalsourcetype/"
_XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description Iptc4xmpExt:DigitalSourceType="%s"/></x:xmpmeta>'
)


def jpeg(xmp: bytes = b"", boxes: bytes = b"") -> bytes:
    """A JPEG with ``xmp``, and with ``boxes`` cut into APP11 segments of 100 bytes, each with its head."""
    out = io.BytesIO()
    Image.effect_noise((700, 400), 60).save(out, "JPEG", **({"xmp": xmp} if xmp else {}))
    data = out.getvalue()
    segments = b""
    for number, start in enumerate(range(0, len(boxes), 100), start=1):
        head = b"JP\0\x01" + number.to_bytes(4, "big") + len(boxes).to_bytes(4, "big") + b"jumb"
        payload = head + boxes[start : start + 100]
        segments += b"\xff\xeb" + (len(payload) + 2).to_bytes(2, "big") + payload
    return data[:2] + segments + data[2:]


def png(texts: dict[str, str], *, packed: bool = False) -> bytes:
    info = PngImagePlugin.PngInfo()
    for keyword, text in texts.items():
        if keyword == "XML:com.adobe.xmp":
            info.add_itxt(keyword, text, zip=packed)
        else:
            info.add_text(keyword, text, zip=packed)
    out = io.BytesIO()
    Image.new("RGB", (700, 400), "#123456").save(out, "PNG", pnginfo=info)
    return out.getvalue()


@pytest.mark.parametrize(
    ("name", "origin"),
    [
        (b"trainedAlgorithmicMedia", AiOrigin.generated),
        (b"compositeWithTrainedAlgorithmicMedia", AiOrigin.edited),
        (b"algorithmicallyEnhanced", AiOrigin.edited),
        (b"compositeSynthetic", AiOrigin.edited),
        (b"digitalCapture", None),
        (b"algorithmicMedia", None),
    ],
)
def test_the_digital_source_type_in_xmp_is_read(name: bytes, origin: AiOrigin | None) -> None:
    assert read_ai_label(jpeg(_XMP % (_IPTC + name))) is origin


def test_content_credentials_are_read_even_where_they_are_cut_inside_the_name() -> None:
    # In CBOR the head of the next text follows at once, and may be a letter.
    claim = b"x" * 80 + b"qdigitalSourceTypexF" + _IPTC + b"trainedAlgorithmicMediamsoftwareAgent"
    assert read_ai_label(jpeg(boxes=claim)) is AiOrigin.generated


def test_a_photograph_with_a_generated_part_is_edited() -> None:
    claim = _IPTC + b"digitalCapture" + b"." * 9 + _IPTC + b"trainedAlgorithmicMedia"
    assert read_ai_label(jpeg(boxes=claim)) is AiOrigin.edited


def test_content_credentials_of_a_png_are_read() -> None:
    data, claim = png({}), _IPTC + b"trainedAlgorithmicMedia"
    chunk = len(claim).to_bytes(4, "big") + b"caBX" + claim + b"\0\0\0\0"
    assert read_ai_label(data[:33] + chunk + data[33:]) is AiOrigin.generated


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    "texts",
    [
        {"XML:com.adobe.xmp": (_XMP % (_IPTC + b"trainedAlgorithmicMedia")).decode()},
        {"parameters": "a hill\nSteps: 20, Sampler: Euler a, Seed: 7"},
        {"prompt": '{"3": {"class_type": "KSampler"}}'},
        {"invokeai_metadata": "{}"},
        {"Software": "NovelAI"},
    ],
)
def test_what_generators_write_into_a_png_is_read(texts: dict[str, str], packed: bool) -> None:
    assert read_ai_label(png(texts, packed=packed)) is AiOrigin.generated


@pytest.mark.parametrize(
    "content",
    [
        png({"Software": "GIMP", "parameters": "none"}),
        jpeg(),
        b"",
        b"\xff\xd8\xff\xe1\0",
        b"\x89PNG\r\n\x1a\n\0\0",
    ],
)
def test_a_picture_without_a_label_says_nothing(content: bytes) -> None:
    assert read_ai_label(content) is None


@pytest.mark.parametrize("ending", ["jpg", "png"])
@pytest.mark.parametrize("origin", list(AiOrigin))
def test_a_prepared_picture_keeps_the_label_and_nothing_else(
    tmp_path: Path, ending: str, origin: AiOrigin
) -> None:
    path = tmp_path / f"a.{ending}"
    xmp = make_xmp(origin).replace(b"<rdf:Description ", b'<rdf:Description e:PersonInImage="Somebody" ')
    path.write_bytes(jpeg(xmp) if ending == "jpg" else png({"XML:com.adobe.xmp": xmp.decode()}))
    assert measure_image(path).ai is origin
    prepared = prepare_image(path, width=200)
    assert prepared.name.endswith(ending)
    assert read_ai_label(prepared.data) is origin
    assert b"Somebody" not in prepared.data
