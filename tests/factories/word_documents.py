"""Word documents for tests: ordinary ones made with python-docx, and malformed ones made by hand."""

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

import docx
from docx.document import Document
from docx.oxml import parse_xml
from PIL import Image

W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
R = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_TYPES = "http://schemas.openxmlformats.org/package/2006/content-types"
_RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"
_NAMES = {
    "w": W,
    "r": R,
    "wp": "http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing",
    "a": "http://schemas.openxmlformats.org/drawingml/2006/main",
    "pic": "http://schemas.openxmlformats.org/drawingml/2006/picture",
    "c": "http://schemas.openxmlformats.org/drawingml/2006/chart",
    "dgm": "http://schemas.openxmlformats.org/drawingml/2006/diagram",
    "mc": "http://schemas.openxmlformats.org/markup-compatibility/2006",
    "m": "http://schemas.openxmlformats.org/officeDocument/2006/math",
    "v": "urn:schemas-microsoft-com:vml",
    "o": "urn:schemas-microsoft-com:office:office",
    "wps": "http://schemas.microsoft.com/office/word/2010/wordprocessingShape",
}
DECLARED = " ".join(f'xmlns:{prefix}="{address}"' for prefix, address in _NAMES.items())
HEADING = '<w:p><w:pPr><w:pStyle w:val="Heading1"/></w:pPr><w:r><w:t>{}</w:t></w:r></w:p>'
PARAGRAPH = '<w:p><w:r><w:t xml:space="preserve">{}</w:t></w:r></w:p>'
_STYLES = f"""<w:styles {DECLARED}>
<w:style w:type="paragraph" w:default="1" w:styleId="Normal"><w:name w:val="Normal"/></w:style>
<w:style w:type="paragraph" w:styleId="Heading1"><w:name w:val="heading 1"/></w:style>
</w:styles>"""


def start_document(title: str = "") -> Document:
    """A new document from Word's default template."""
    document = docx.Document()
    document.core_properties.title = title
    return document


def append_xml(document: Document, xml: str) -> None:
    """Append ``xml``, which uses Word's prefixes, to the document."""
    around = parse_xml(f"<w:body {DECLARED}>{xml}</w:body>")
    for element in list(around):
        document.element.body.insert(len(document.element.body) - 1, element)


def append_run(paragraph: object, xml: str) -> None:
    """Append ``xml`` to a paragraph, after its runs."""
    around = parse_xml(f"<w:p {DECLARED}>{xml}</w:p>")
    for element in list(around):
        paragraph._p.append(element)  # type: ignore[attr-defined]


def draw(kind: str = "PNG", width: int = 1200, height: int = 700, colour: str = "#206050") -> io.BytesIO:
    """A picture as a file."""
    out = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(out, kind)
    out.seek(0)
    return out


def write_package(path: Path, parts: Mapping[str, str | bytes]) -> Path:
    """A ZIP of ``parts``, with the required parts of a document added."""
    whole: dict[str, str | bytes] = {
        "[Content_Types].xml": f'<Types xmlns="{_TYPES}"/>',
        "_rels/.rels": relations({"rId1": ("officeDocument", "word/document.xml", False)}),
        "word/_rels/document.xml.rels": relations({"rId1": ("styles", "styles.xml", False)}),
        "word/styles.xml": _STYLES,
        "word/document.xml": body(HEADING.format("A story") + PARAGRAPH.format("Its words.")),
        **parts,
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in whole.items():
            archive.writestr(name, data)
    return path


def body(xml: str) -> str:
    """``word/document.xml`` around ``xml``."""
    return f"<w:document {DECLARED}><w:body>{xml}</w:body></w:document>"


def relations(entries: Mapping[str, tuple[str, str, bool]]) -> str:
    """A part's relationships: id to kind, target, and whether the target is external."""
    lines = []
    for key, (kind, target, external) in entries.items():
        mode = ' TargetMode="External"' if external else ""
        lines.append(f'<Relationship Id="{key}" Type="{R}/{kind}" Target="{target}"{mode}/>')
    return f'<Relationships xmlns="{_RELATIONS}">{"".join(lines)}</Relationships>'
