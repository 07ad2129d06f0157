"""Workbooks part by part: what openpyxl cannot write, and what nobody should."""

import io
import zipfile
from collections.abc import Mapping, Sequence

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"
_ODF = "urn:oasis:names:tc:opendocument:xmlns"
_ODS_TYPE = b"application/vnd.oasis.opendocument.spreadsheet"


def pack(members: Mapping[str, str | bytes], *, stored: Sequence[str] = ()) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            method = zipfile.ZIP_STORED if name in stored else zipfile.ZIP_DEFLATED
            archive.writestr(name, data, method)
    return stream.getvalue()


def excel_parts(
    sheet: str, *, texts: str = "", styles: str = "", prefix: str = "", namespace: str = MAIN
) -> dict[str, str | bytes]:
    """The parts of a workbook with one sheet; ``sheet`` is what is inside its root, ``texts`` the shared
    texts, ``styles`` the contents of the style sheet. ``prefix`` is that of the sheet's namespace.
    """
    names = {"worksheet": "worksheets/sheet1", "sharedStrings": "sharedStrings", "styles": "styles"}
    links = "".join(
        f'<Relationship Id="r{kind}" Type="{_OFFICE}/{kind}" Target="{name}.xml"/>'
        for kind, name in names.items()
    )
    colon = f":{prefix}" if prefix else ""
    root = f"{prefix}:worksheet" if prefix else "worksheet"
    return {
        "[Content_Types].xml": "<Types/>",
        "_rels/.rels": f'<Relationships xmlns="{_PACKAGE}"><Relationship Id="r1" '
        f'Type="{_OFFICE}/officeDocument" Target="/xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{namespace}" xmlns:r="{_OFFICE}"><sheets>'
        '<sheet name="List" sheetId="1" r:id="rworksheet"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{_PACKAGE}">{links}</Relationships>',
        "xl/worksheets/sheet1.xml": f'<{root} xmlns{colon}="{namespace}">{sheet}</{root}>',
        "xl/sharedStrings.xml": f'<sst xmlns="{namespace}">{texts}</sst>',
        "xl/styles.xml": f'<styleSheet xmlns="{namespace}">{styles}</styleSheet>',
    }


def excel(sheet: str, **parts: str) -> bytes:
    return pack(excel_parts(sheet, **parts))


def ods(tables: str, *, styles: str = "") -> bytes:
    """An OpenDocument spreadsheet; ``tables`` are its sheets, ``styles`` its automatic styles."""
    spaces = {"office": "office:1.0", "table": "table:1.0", "text": "text:1.0", "style": "style:1.0"}
    names = "".join(f' xmlns:{prefix}="{_ODF}:{name}"' for prefix, name in spaces.items())
    names += f' xmlns:draw="{_ODF}:drawing:1.0"'
    names += ' xmlns:calcext="urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0"'
    body = f"<office:body><office:spreadsheet>{tables}</office:spreadsheet></office:body>"
    content = (
        f"<office:document-content{names}><office:automatic-styles>{styles}</office:automatic-styles>"
        f"{body}</office:document-content>"
    )
    members = {"mimetype": _ODS_TYPE, "content.xml": content, "META-INF/manifest.xml": "<manifest/>"}
    return pack(members, stored=["mimetype"])


def ods_row(*cells: str, repeated: int = 1) -> str:
    """A row of text cells; a cell that begins with < is XML."""
    more = f' table:number-rows-repeated="{repeated}"' if repeated > 1 else ""
    return f"<table:table-row{more}>{''.join(map(_ods_cell, cells))}</table:table-row>"


def ods_sheet(name: str, *rows: str, style: str = "") -> str:
    return f'<table:table table:name="{name}" table:style-name="{style}">{"".join(rows)}</table:table>'


def ods_text(text: str, attributes: str = "") -> str:
    kind = f'office:value-type="string" {attributes}'
    return f"<table:table-cell {kind}><text:p>{text}</text:p></table:table-cell>"


def _ods_cell(cell: str) -> str:
    if cell.startswith("<"):
        return cell
    return ods_text(cell) if cell else "<table:table-cell/>"
