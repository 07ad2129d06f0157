"""The frames of an OpenDocument text: pictures are kept, and charts, objects and drawings are logged."""

import re
from functools import partial

from lxml import etree

from editions.errors import ImageError
from editions.images.files import open_image
from editions.imports.odt.odf import NAMESPACES, OdtPackage, get_attribute, plain_text, prefixed_name
from editions.imports.odt.styles import OdtStyles
from editions.imports.source_document import (
    AS_PICTURE,
    CHART,
    DRAWING,
    EQUATION,
    LINKED_PICTURE,
    MAX_IMAGE_BYTES,
    NO_CROP,
    OmissionLog,
    SourceImage,
    advise,
    quote,
)
from locales.phrase import gettext_noop

_VECTOR_ENDINGS = (".svg", ".emf", ".wmf", ".svm")
# What a program can write on one line, without fractions, roots or raised numbers.
_LINEAR_MATH = frozenset({"math", "semantics", "mrow", "mi", "mn", "mo", "mtext", "mstyle", "mspace"})
_CLIP = re.compile(r"rect\(\s*([^)]*)\)")
_LENGTH = re.compile(r"(-?\d+(?:\.\d+)?)(cm|mm|in|pt|pc|px)?")
_INCHES = {"cm": 1 / 2.54, "mm": 1 / 25.4, "in": 1.0, "pt": 1 / 72, "pc": 1 / 6, "px": 1 / 96, "": 1 / 2.54}
_DEFAULT_DPI = 96.0


class FrameReader:
    """Reads the frames of one document, and adds its pictures to ``images``."""

    def __init__(self, package: OdtPackage, styles: OdtStyles, omissions: OmissionLog) -> None:
        self.images: list[SourceImage] = []
        self._package = package
        self._styles = styles
        self._omissions = omissions

    def read_image(self, frame: etree._Element) -> int | None:
        """Return the number of the picture in ``frame``; None, which is logged, if the file has none."""
        alt = _read_alt(frame)
        parts = [
            self._package.find_part(get_attribute(image, "xlink:href"))
            for image in frame.findall("draw:image", NAMESPACES)
        ]
        found = [part for part in parts if part and self._package.part_size(part)]
        if not found:
            self._omissions.add(quote(LINKED_PICTURE, alt))
            return None
        # A drawing has a picture next to it for programs that cannot show drawings, such as mail programs.
        part = next((part for part in found if not part.lower().endswith(_VECTOR_ENDINGS)), found[0])
        self.images.append(
            SourceImage(
                part=part,
                alt=alt,
                size=self._package.part_size(part),
                read=partial(self._package.read_part, part),
                crop=self._read_crop(frame, part),
            )
        )
        return len(self.images) - 1

    def read_object(self, frame: etree._Element, element: etree._Element) -> str:
        """Return the text of a simple equation in ``frame``; empty for other objects, which are logged."""
        kind = prefixed_name(element)
        part = self._package.find_part(f"{get_attribute(element, 'xlink:href')}/content.xml")
        root = self._package.parse_part(part) if part and kind == "draw:object" else None
        if root is None:
            root = next(iter(element), None)
        alt = _read_alt(frame)
        text = "" if root is None else plain_text(root)
        if root is not None and prefixed_name(root) == "math:math":
            return self._read_equation(root)
        if root is not None and root.find(".//chart:chart", NAMESPACES) is not None:
            advice = gettext_noop("save it as a picture in LibreOffice and add it to images/")
            self._omissions.add(advise(quote(CHART, text or alt), advice), words=text)
        elif kind == "draw:floating-frame":
            self._omissions.add(gettext_noop("a page of another address shown in a frame"))
        else:
            what = quote(gettext_noop("an embedded object"), text or alt)
            advice = gettext_noop("copy its contents from LibreOffice")
            self._omissions.add(advise(what, advice), words=text)
        return ""

    def log_drawing(self, shape: etree._Element) -> None:
        self._omissions.add(quote(DRAWING, _read_alt(shape)))

    def _read_equation(self, root: etree._Element) -> str:
        parts = [part for part in root.iter() if isinstance(part.tag, str)]
        names = {etree.QName(part).localname for part in parts} - {"annotation"}
        words = plain_text(root)
        if names <= _LINEAR_MATH:
            return words
        self._omissions.add(advise(quote(EQUATION, words), AS_PICTURE), words=words)
        return ""

    def _read_crop(self, frame: etree._Element, part: str) -> tuple[float, float, float, float]:
        """Return what ``fo:clip`` cuts off, written as lengths of the picture in its natural size."""
        found = _CLIP.fullmatch(
            self._styles.graphic_property(get_attribute(frame, "draw:style-name"), "fo:clip")
        )
        lengths = [
            max(float(number) * _INCHES[unit], 0.0)
            for number, unit in (_LENGTH.findall(found[1]) if found else [])
        ]
        if len(lengths) != 4 or not any(lengths) or self._package.part_size(part) > MAX_IMAGE_BYTES:
            return NO_CROP
        try:
            with open_image(part, self._package.read_part(part)) as image:
                dpi = image.info.get("dpi", (_DEFAULT_DPI, _DEFAULT_DPI))
                width, height = (
                    size / (float(each) if float(each) > 1 else _DEFAULT_DPI)
                    for size, each in zip(image.size, dpi, strict=True)
                )
        except ImageError:
            return NO_CROP
        top, right, bottom, left = lengths
        crop = (left / width, top / height, right / width, bottom / height)
        return crop if crop[0] + crop[2] < 1 and crop[1] + crop[3] < 1 else NO_CROP


def _read_alt(frame: etree._Element) -> str:
    """Return the text a person gave the frame: its description, or else its title."""
    texts = (" ".join(frame.findtext(name, "", NAMESPACES).split()) for name in ("svg:desc", "svg:title"))
    return next((text for text in texts if text), "")
