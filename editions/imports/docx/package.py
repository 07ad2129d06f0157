"""A .docx: its parts and the relationships between them, read with limits and written for mammoth."""

import io
import posixpath
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lxml import etree

from editions.imports.docx.ooxml import to_transitional
from editions.imports.office_archive import OfficeArchive, open_zip
from locales.phrase import gettext_noop


@dataclass(frozen=True, kw_only=True)
class Relationship:
    """A relationship between two parts. ``target`` is a part's name, or a URL if ``external``; ``kind`` is
    the last word of its type, such as ``hyperlink``."""

    kind: str
    target: str
    external: bool


class DocxPackage(OfficeArchive):
    def __init__(self, name: str, archive: zipfile.ZipFile) -> None:
        super().__init__(name, archive, program="Word")
        self.document = self._find_document()

    def parse_part(self, part: str) -> etree._Element | None:
        root = super().parse_part(part)
        return None if root is None else to_transitional(root)

    def relationships(self, part: str) -> Mapping[str, Relationship]:
        folder, _, name = part.rpartition("/")
        root = self.parse_part(posixpath.join(folder, "_rels", f"{name}.rels"))
        if root is None:
            return {}
        return {
            element.get("Id", ""): _read_relationship(folder, element)
            for element in root
            if isinstance(element.tag, str) and element.tag.endswith("}Relationship")
        }

    def part_of_kind(self, kind: str) -> str:
        """Return the name of the document's part of this ``kind``; empty when there is none."""
        found = (relation for relation in self.relationships(self.document).values() if relation.kind == kind)
        return next((relation.target for relation in found if not relation.external), "")

    def _find_document(self) -> str:
        main = (relation for relation in self.relationships("").values() if relation.kind == "officeDocument")
        document = next((relation.target for relation in main), "word/document.xml")
        if document not in self.parts or not document.endswith(".xml"):
            self.reject(
                "not-a-document",
                gettext_noop(
                    "this is a zip file without a Word document. Open it in Word, save it as .docx and "
                    "import that."
                ),
            )
        if self.is_encrypted(document):
            self.reject(
                "protected-document",
                gettext_noop(
                    "it is protected by a password. Open it in Word, remove the password, save it and "
                    "import it again."
                ),
            )
        return document


@contextmanager
def open_docx(path: Path) -> Iterator[DocxPackage]:
    """Return the Word document at ``path``, which is a zip file.

    Raises:
        DocumentError: it is not a Word document, or is damaged, protected or too large.
        OSError: the file cannot be read.
    """
    with open_zip(path, program="Word") as archive:
        yield DocxPackage(path.name, archive)


def _read_relationship(folder: str, element: etree._Element) -> Relationship:
    target = element.get("Target", "")
    external = element.get("TargetMode") == "External"
    if not external:
        # A target outside the zip does not name a part, and nothing outside is ever opened.
        target = posixpath.normpath(posixpath.join("/", folder, target)).lstrip("/")
    return Relationship(kind=element.get("Type", "").rpartition("/")[2], target=target, external=external)


_CONTENT_TYPES = (
    '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Default Extension="png" ContentType="image/png"/></Types>'
)
_RELATIONSHIPS_NAMESPACE = "http://schemas.openxmlformats.org/package/2006/relationships"


def write_docx(
    parts: Mapping[str, bytes], links: Mapping[str, Mapping[str, Relationship]], images: int
) -> bytes:
    """Return the ``parts`` (``document``, ``footnotes`` and so on) as a .docx, with the hyperlinks among the
    ``links`` of each; each picture is a part that contains its number."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("[Content_Types].xml", _CONTENT_TYPES)
        for kind, data in parts.items():
            archive.writestr(f"word/{kind}.xml", data)
        for kind, relations in links.items():
            archive.writestr(f"word/_rels/{kind}.xml.rels", _relationships_xml(relations, images))
        for number in range(images):
            archive.writestr(f"word/media/{number}.png", str(number))
    return packed.getvalue()


def _relationships_xml(relationships: Mapping[str, Relationship], images: int) -> bytes:
    root = etree.Element(f"{{{_RELATIONSHIPS_NAMESPACE}}}Relationships")
    entries = [
        (identifier, "hyperlink", relation.target)
        for identifier, relation in relationships.items()
        if relation.kind == "hyperlink"
    ]
    entries += [(f"picture{number}", "image", f"media/{number}.png") for number in range(images)]
    for identifier, kind, target in entries:
        attributes = {"Id": identifier, "Type": f"http://schemas.openxmlformats.org/{kind}", "Target": target}
        etree.SubElement(root, f"{{{_RELATIONSHIPS_NAMESPACE}}}Relationship", attributes)
    return etree.tostring(root)
