"""What belongs to the pages or the file of a document and not to its text: headers, footers, macros."""

from editions.imports.docx.ooxml import plain_text
from editions.imports.docx.package import DocxPackage
from editions.imports.omissions import (
    MACROS,
    PAGE_FOOTER,
    PAGE_HEADER,
    WHOLE_DOCUMENT,
    OmissionLog,
    quote,
)


def log_headers_and_macros(package: DocxPackage, omissions: OmissionLog) -> None:
    """Log the headers and footers of ``package``, and its macros."""
    omissions.set_place(WHOLE_DOCUMENT)
    for relation in package.relationships(package.document).values():
        if relation.kind in {"header", "footer"} and not relation.external:
            root = package.parse_part(relation.target)
            text = "" if root is None else plain_text(root)
            # A page number alone is not worth mentioning.
            if any(character.isalpha() for character in text):
                linked = package.relationships(relation.target).values()
                targets = [each.target for each in linked if each.external]
                what = PAGE_HEADER if relation.kind == "header" else PAGE_FOOTER
                omissions.add(quote(what, text), words=" ".join([text, *dict.fromkeys(targets)]))
    if any(part.endswith("vbaProject.bin") for part in package.parts):
        omissions.add(MACROS)
