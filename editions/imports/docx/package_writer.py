"""Writing the simplified parts of a document as a new .docx for mammoth."""

import io
import zipfile
from collections.abc import Mapping

from lxml import etree

from editions.imports.docx.package import Relationship

_CONTENT_TYPES = (
    '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Default Extension="png" ContentType="image/png"/></Types>'
)
_RELATIONSHIPS_NAMESPACE = "http://schemas.openxmlformats.org/package/2006/relationships"


def write_docx(
    parts: Mapping[str, bytes], links: Mapping[str, Mapping[str, Relationship]], images: int
) -> bytes:
    """The ``parts`` (``document``, ``footnotes`` and so on) as a .docx, with the hyperlinks among the
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
