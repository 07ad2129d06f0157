"""From a .docx file to a document of no format: opened, simplified, converted to HTML."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from editions.imports.docx.converter import convert_to_html
from editions.imports.docx.drawings import EmbeddedImage
from editions.imports.docx.ooxml import NAMESPACES
from editions.imports.docx.package import DocxPackage, open_docx
from editions.imports.docx.simplifier import simplify_document
from editions.imports.docx.styles import Styles
from editions.imports.omissions import OmissionLog
from editions.imports.source_document import SourceDocument, SourceImage


@contextmanager
def read_docx(path: Path, omissions: OmissionLog) -> Iterator[SourceDocument]:
    """Read the Word document at ``path``; its pictures can be read within the block.

    Raises:
        DocumentError: it is not a Word document, or is damaged, protected or too large.
        OSError: the file cannot be read.
    """
    with open_docx(path) as package:
        styles = Styles(package.parse_part(package.part_of_kind("styles")))
        simplified = simplify_document(package, styles, omissions)
        yield SourceDocument(
            name=package.name,
            body=convert_to_html(simplified.data, name=package.name, omissions=omissions),
            images=tuple(_source_image(package, image) for image in simplified.images),
            title=_read_property(package, "dc:title"),
            language=styles.default_language(),
            east_asian_language=styles.default_language("w:eastAsia"),
            heading_advice="In Word, give the title of each story the style Heading 1",
        )


def _source_image(package: DocxPackage, image: EmbeddedImage) -> SourceImage:
    return SourceImage(
        part=image.part,
        alt=image.alt,
        size=package.part_size(image.part),
        read=partial(package.read_part, image.part),
        crop=image.crop,
    )


def _read_property(package: DocxPackage, name: str) -> str:
    """A property of the document, such as its title."""
    root = package.parse_part("docProps/core.xml")
    return "" if root is None else root.findtext(name, "", NAMESPACES) or ""
