"""From a .docx file to a document of no format: opened, reduced, converted to HTML."""

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import mammoth
from lxml import etree

from editions.errors import DocumentError
from editions.imports.docx.ooxml import NAMESPACES, DocxPackage
from editions.imports.docx.ooxml_reduction import simplify_document
from editions.imports.docx.styles import FACT_BOOKMARK, WordStyles
from editions.imports.office_archive import open_zip
from editions.imports.source_document import (
    BOLD_ATTRIBUTE,
    SIZE_ATTRIBUTE,
    WHOLE_DOCUMENT,
    OmissionLog,
    SourceDocument,
)
from locales.phrase import Phrase, gettext_noop

# mammoth's message about a symbol that it leaves out.
_UNKNOWN_SYMBOL = re.compile(r"w:sym .* char (?P<number>\w+) in font (?P<font>.+)$")
_FACT_ATTRIBUTES = {"size": SIZE_ATTRIBUTE, "bold": BOLD_ATTRIBUTE}
_STYLES = """
p.Title => p.title:fresh
p.Subtitle => p.subtitle:fresh
p.Caption => p.caption:fresh
p.Quote => blockquote > p:fresh
p.Heading7 => h6:fresh
p.Heading8 => h6:fresh
p.Heading9 => h6:fresh
"""


def _map_styles() -> str:
    """mammoth's style map, with lists up to five levels deep."""
    lists = [
        f"p.{style}{level} => {'ul|ol > li > ' * (level - 1)}{tag} > li:fresh"
        for style, tag in (("ListBullet", "ul"), ("ListNumber", "ol"))
        for level in range(1, 6)
    ]
    return "\n".join([_STYLES, *lists])


def _apply_facts(tree: etree._Element) -> None:
    """Turn the bookmarks that say how a paragraph looks into attributes."""
    for mark in [mark for mark in tree.iter("a") if (mark.get("id") or "").startswith(FACT_BOOKMARK)]:
        fact, _, value = mark.get("id", "").removeprefix(FACT_BOOKMARK).partition("-")
        block = next(mark.iterancestors("p"), None)
        cell = next(mark.iterancestors("td", "th"), None)
        if fact == "align" and cell is not None:
            cell.set("align", value)
        elif block is not None and fact in _FACT_ATTRIBUTES:
            block.set(_FACT_ATTRIBUTES[fact], value)
        mark.tag = FACT_BOOKMARK
    etree.strip_elements(tree, FACT_BOOKMARK, with_tail=False)


def _image_number(image: Any) -> dict[str, str]:
    with image.open() as held:
        return {"src": held.read().decode()}


def convert_to_html(data: bytes, *, name: str, omissions: OmissionLog) -> etree._Element:
    """Return the document ``data``, made by :func:`~editions.imports.docx.ooxml_reduction.simplify_document`,
    as a ``<body>`` in which the ``src`` of a picture is its number. Symbols of picture fonts that Unicode
    does not have are logged. Raise DocumentError if mammoth cannot read it, or it is nested too deep."""
    try:
        converted = mammoth.convert_to_html(
            io.BytesIO(data),
            style_map=_map_styles(),
            convert_image=mammoth.images.img_element(_image_number),
            include_embedded_style_map=False,
        )
        tree = etree.fromstring(f"<body>{converted.value}</body>")
    except Exception as error:
        # mammoth trusts its input, so a damaged document can make it fail in any way.
        raise DocumentError(
            name,
            "broken-document",
            gettext_noop(
                "the document cannot be read completely (%(name)s: %(error)s). Open it in Word, save "
                "it again and import it again."
            ),
            name=type(error).__name__,
            error=error,
        ) from error
    _apply_facts(tree)
    for message in converted.messages:
        if found := _UNKNOWN_SYMBOL.search(message.message):
            omissions.set_place(WHOLE_DOCUMENT)
            symbol = gettext_noop("a symbol of the font %(font)s, number %(number)s")
            omissions.add(Phrase(symbol, font=found["font"], number=found["number"]))
    return tree


@contextmanager
def read_docx(path: Path, omissions: OmissionLog) -> Iterator[SourceDocument]:
    """Read the Word document at ``path``; its pictures can be read within the block. Raise DocumentError if
    it is none, or is damaged, protected or too large, and OSError if the file cannot be read."""
    with open_zip(path, program="Word") as archive:
        package = DocxPackage(path.name, archive)
        styles = WordStyles(package.parse_part(package.part_of_kind("styles")))
        data, images = simplify_document(package, styles, omissions)
        yield SourceDocument(
            name=package.name,
            body=convert_to_html(data, name=package.name, omissions=omissions),
            images=tuple(images),
            title=_read_property(package, "dc:title"),
            language=styles.default_language(),
            east_asian_language=styles.default_language("w:eastAsia"),
        )


def _read_property(package: DocxPackage, name: str) -> str:
    root = package.parse_part("docProps/core.xml")
    return "" if root is None else root.findtext(name, "", NAMESPACES) or ""
