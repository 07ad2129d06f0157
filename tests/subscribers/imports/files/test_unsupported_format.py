"""Files that are no lists, or not in a format we read: each is called by its name."""

from pathlib import Path

import pytest

from subscribers.errors import ImportFileError
from subscribers.imports.file_parts import ReadOptions, open_parts
from tests.factories.workbooks import ods, pack

OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)
FILES: dict[str, tuple[bytes, str]] = {
    "old.xls": (OLE + "Workbook\0".encode("utf-16-le"), r"Excel 97 workbook \(\.xls\)"),
    "locked.xlsx": (OLE + "EncryptedPackage\0".encode("utf-16-le"), "protected by a password"),
    "letter.doc": (OLE + "WordDocument\0".encode("utf-16-le"), "Word document"),
    "binary.xlsb": (pack({"xl/workbook.bin": b"x"}), r"binary workbook \(\.xlsb\)"),
    "list.numbers": (pack({"Index/Document.iwa": b"x"}), "Numbers document of Apple"),
    "letter.docx": (pack({"word/document.xml": b"<w/>"}), "Word document"),
    "letter.odt": (
        pack({"mimetype": "application/vnd.oasis.opendocument.text", "content.xml": "<a/>"}),
        "text document, not a spreadsheet",
    ),
    "list.pdf": (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "PDF document"),
    "list.rtf": (b"{\\rtf1\\ansi x}", "RTF"),
    "list.csv.gz": (b"\x1f\x8b\x08\0", "gzip"),
    "export.xls": (b"\n<table border=1>\n<tr><td>email</td></tr></table>", r"web page \(HTML\)"),
    "page.xls": ("\ufeff<html xmlns:x='urn:excel'>".encode("utf-16"), r"web page \(HTML\)"),
    "archive.xls": (b'MIME-Version: 1.0\nContent-Type: multipart/related; boundary="x"\n', "MHTML"),
    "2003.xls": (
        b'<?xml version="1.0"?>\n<Workbook xmlns="urn:schemas-microsoft-com:office:spreadsheet">',
        "XML Spreadsheet 2003",
    ),
    "list.fods": (b'<?xml version="1.0"?><office:document xmlns:office="x">', "Flat XML"),
    "list.xml": (b'<?xml version="1.0"?><people/>', "XML file"),
    "list.gsheet": (b'{"url": "https://docs.google.com/spreadsheets/d/1"}', "Google Sheets"),
    "list.json": (b'[{"email": "ann@example.org"}]', "JSON"),
}


@pytest.mark.parametrize("file", FILES)
def test_what_we_do_not_read_is_called_by_its_name_with_what_to_do(tmp_path: Path, file: str) -> None:
    data, reason = FILES[file]
    (tmp_path / file).write_bytes(data)
    with pytest.raises(ImportFileError, match=reason) as caught, open_parts(tmp_path / file, ReadOptions()):
        pass
    assert any(word in str(caught.value) for word in ("ave ", "Ask ", "Unpack", "xport", "choose", "Open"))


def test_a_list_whose_first_cell_looks_like_markup_is_a_list(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("email,name\n<ann@example.org>,{x}\n", encoding="utf-8")
    with open_parts(tmp_path / "list.csv", ReadOptions()) as parts:
        assert [row.cells for row in parts[0].rows] == [("<ann@example.org>", "{x}")]


@pytest.mark.parametrize("file", ["list.csv", "lists.zip"])
def test_a_sheet_can_only_be_chosen_where_there_are_sheets(tmp_path: Path, file: str) -> None:
    text = b"email\nann@example.org\n"
    (tmp_path / file).write_bytes(pack({"a.csv": text}) if file.endswith("zip") else text)
    with (
        pytest.raises(ImportFileError, match="it has no sheets"),
        open_parts(tmp_path / file, ReadOptions(sheet="Members")),
    ):
        pass


def test_a_spreadsheet_of_libreoffice_is_none_of_them(tmp_path: Path) -> None:
    table = '<table:table table:name="S"><table:table-row><table:table-cell office:value-type="string">'
    data = ods(f"{table}<text:p>email</text:p></table:table-cell></table:table-row></table:table>")
    (tmp_path / "list.ods").write_bytes(data)
    with open_parts(tmp_path / "list.ods", ReadOptions()) as parts:
        assert parts[0].form == "OpenDocument spreadsheet"
