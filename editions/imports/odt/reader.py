"""From an .odt file to a document of no format."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lxml import etree

from editions.imports.html.tree import compare_sizes
from editions.imports.odt.converter import OdtConverter, TrackedChanges
from editions.imports.odt.frames import FrameReader
from editions.imports.odt.odf import (
    NAMESPACES,
    OdtPackage,
    get_attribute,
    plain_text,
    prefixed_name,
    qualified_name,
)
from editions.imports.odt.styles import OdtStyles
from editions.imports.office_archive import open_zip
from editions.imports.source_document import (
    BEFORE_HEADING,
    MACROS,
    PAGE_FOOTER,
    PAGE_HEADER,
    WHOLE_DOCUMENT,
    OmissionLog,
    SourceDocument,
    quote,
)
from locales.phrase import gettext_noop

# As for Word: a 300-page book has half as many.
_MAX_ELEMENTS = 60_000
_PAGE_PARTS = {
    "style:header": PAGE_HEADER,
    "style:header-left": PAGE_HEADER,
    "style:header-first": PAGE_HEADER,
    "style:footer": PAGE_FOOTER,
    "style:footer-left": PAGE_FOOTER,
    "style:footer-first": PAGE_FOOTER,
}


@contextmanager
def read_odt(path: Path, omissions: OmissionLog) -> Iterator[SourceDocument]:
    """Read the OpenDocument text at ``path``; its pictures can be read within the block. Raise DocumentError
    if it is damaged, protected or too large, or is not a text, and OSError if the file cannot be read."""
    with open_zip(path, program="LibreOffice") as archive:
        package = OdtPackage(path.name, archive, program="LibreOffice")
        package.reject_if_protected()
        content = package.parse_required("content.xml")
        text = content.find("office:body/office:text", NAMESPACES)
        if text is None:
            package.reject(
                "not-a-document",
                gettext_noop(
                    "this is an OpenDocument file without a text, such as a spreadsheet or a "
                    "presentation. Copy what it says into a text document and import that."
                ),
            )
        _reject_too_long(package, text)
        style_root = package.parse_part("styles.xml")
        styles = OdtStyles(content, style_root)
        frames = FrameReader(package, styles, omissions)
        converter = OdtConverter(styles, frames, TrackedChanges(text, omissions), omissions)
        body = converter.convert(text)
        compare_sizes(body)
        _log_pages_and_macros(package, style_root, omissions)
        omissions.set_place(BEFORE_HEADING)
        yield SourceDocument(
            name=package.name,
            body=body,
            images=tuple(frames.images),
            title=_read_title(package),
            language=styles.default_language(),
            east_asian_language=styles.default_language("-asian"),
        )


def _reject_too_long(package: OdtPackage, text: etree._Element) -> None:
    counted = text.iter(qualified_name("text:p"), qualified_name("text:h"), qualified_name("text:span"))
    if sum(1 for _ in counted) > _MAX_ELEMENTS:
        package.reject(
            "document-too-large",
            gettext_noop(
                "it has more than %(most)s paragraphs and runs of text, too many for a "
                "newsletter. Import a shorter document."
            ),
            most=f"{_MAX_ELEMENTS:,}",
        )


def _log_pages_and_macros(package: OdtPackage, styles: etree._Element | None, omissions: OmissionLog) -> None:
    omissions.set_place(WHOLE_DOCUMENT)
    pages = () if styles is None else styles.iterfind("office:master-styles/style:master-page/*", NAMESPACES)
    for part in pages:
        words, what = plain_text(part), _PAGE_PARTS.get(prefixed_name(part), "")
        # A page number alone is not worth mentioning.
        if what and any(character.isalpha() for character in words):
            targets = [get_attribute(link, "xlink:href") for link in part.iter(qualified_name("text:a"))]
            omissions.add(quote(what, words), words=" ".join([words, *dict.fromkeys(targets)]))
    if any(part.startswith(("Basic/", "Scripts/")) and not part.endswith("/") for part in package.parts):
        omissions.add(MACROS)


def _read_title(package: OdtPackage) -> str:
    root = package.parse_part("meta.xml")
    return "" if root is None else root.findtext("office:meta/dc:title", "", NAMESPACES)
