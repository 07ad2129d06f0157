"""Files that are not Word documents, damaged ones and attacks: rejected with a message, within limits."""

import subprocess
import sys
import zipfile
from datetime import date
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from editions.errors import DocumentError
from editions.imports.importer import import_document
from tests.factories.damaged_zip import METHODS, pack_damaged
from tests.factories.word_documents import DECLARED, HEADING, PARAGRAPH, W, body, relations, write_package

TODAY = date(2026, 11, 24)
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


def refuse(tmp_path: Path, path: Path) -> DocumentError:
    """The complaint about the file at ``path``, which leaves nothing behind."""
    with pytest.raises(DocumentError) as refused:
        import_document(path, tmp_path / "editions", slug="x", today=TODAY)
    assert list((tmp_path / "editions").iterdir()) == []
    assert str(refused.value).startswith(f"{path.name}: ")
    return refused.value


def damage_part(tmp_path: Path, part: str, method: int) -> Path:
    """A document whose ``part`` is packed by ``method`` and cannot be unpacked."""
    with zipfile.ZipFile(write_package(tmp_path / "x.docx", {part: "<w:p/>"})) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    path = tmp_path / "damaged.docx"
    path.write_bytes(pack_damaged(parts, damaged=part, method=method))
    return path


def read_or_refuse(path: Path) -> str:
    """The body of the one story in the document at ``path``, or the code of the complaint about it."""
    try:
        imported = import_document(path, path.parent / "editions", slug="x", today=TODAY)
    except DocumentError as error:
        return error.code
    return (imported.folder / imported.stories[0]).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "the file is empty"),
        (OLE + b"\0" * 600, "this is an old .doc, not a .docx. Open it in Word, save it as .docx"),
        (OLE + "EncryptedPackage".encode("utf-16-le"), "it is protected by a password"),
        (b"{\\rtf1 hello}", "this is an RTF document"),
        (b"%PDF-1.7", "this is a PDF"),
        (b"From: a@example.org\nSubject: News\n", "a saved mail or a web archive"),
        (b"<?xml version='1.0'?><rss version='2.0'/>", "this is a saved feed. Import its address"),
        (b"<?xml version='1.0'?><pkg:package/>", "a Word document saved as XML"),
        (b"<office:document>", "a flat OpenDocument text"),
        (b"<other/>", "this is XML, and not a web page"),
        (b"Just words", "this is not a Word document"),
        (b"PK\x03\x04 broken", "the file is damaged and cannot be unpacked"),
    ],
)
def test_a_file_that_is_not_a_word_document_is_named(tmp_path: Path, data: bytes, words: str) -> None:
    path = tmp_path / "report.docx"
    path.write_bytes(data)
    assert words in str(refuse(tmp_path, path))


@pytest.mark.parametrize(
    ("member", "words"),
    [
        ("mimetype", "a file of the kind 'x'"),
        ("xl/workbook.xml", "a zip file without a Word document"),
        ("Index/Document.iwa", "In Pages, choose File, Export To, Word"),
        ("ppt/presentation.xml", "a PowerPoint presentation"),
    ],
)
def test_another_zip_is_told_apart(tmp_path: Path, member: str, words: str) -> None:
    path = tmp_path / "report.docx"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(member, "x")
    assert words in str(refuse(tmp_path, path))


def test_a_document_without_text_is_named_as_empty(tmp_path: Path) -> None:
    path = write_package(tmp_path / "x.docx", {"word/document.xml": body(PARAGRAPH.format(" "))})
    complaint = refuse(tmp_path, path)
    assert complaint.code == "no-stories"
    assert "there is no text in it" in str(complaint)


@pytest.mark.parametrize(
    "part", ["word/document.xml", "word/styles.xml", "_rels/.rels", "word/_rels/document.xml.rels"]
)
def test_a_document_type_is_refused(tmp_path: Path, part: str) -> None:
    lol = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    bomb = f'<!DOCTYPE x [<!ENTITY l0 "lol">{lol}]><w:styles xmlns:w="{W}">&l9;</w:styles>'
    complaint = refuse(tmp_path, write_package(tmp_path / "x.docx", {part: bomb}))
    assert complaint.code in {"document-type", "broken-document"}


def test_an_outside_entity_is_never_read(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("TOP SECRET")
    xml = body(HEADING.format("Story") + PARAGRAPH.format("&x;"))
    path = write_package(
        tmp_path / "x.docx",
        {"word/document.xml": f'<!DOCTYPE w:document [<!ENTITY x SYSTEM "{secret.as_uri()}">]>{xml}'},
    )
    assert refuse(tmp_path, path).code == "document-type"


@pytest.mark.parametrize("target", ["../../../secret.xml", "/etc/passwd", "file:///etc/passwd"])
def test_a_part_outside_the_file_is_not_there(tmp_path: Path, target: str) -> None:
    path = write_package(
        tmp_path / "x.docx", {"_rels/.rels": relations({"rId1": ("officeDocument", target, False)})}
    )
    assert refuse(tmp_path, path).code == "not-a-document"


def test_too_many_files_in_the_zip_are_refused(tmp_path: Path) -> None:
    path = write_package(tmp_path / "x.docx", {f"word/{number}": "" for number in range(10_001)})
    assert refuse(tmp_path, path).code == "document-too-large"


def make_bomb(path: Path) -> Path:
    """A document of a megabyte whose text unpacks to a gigabyte."""
    with zipfile.ZipFile(write_package(path, {}), "r") as archive:
        kept = {name: archive.read(name) for name in archive.namelist() if name != "word/document.xml"}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in kept.items():
            archive.writestr(name, data)
        with archive.open("word/document.xml", "w", force_zip64=True) as part:
            part.write(f"<w:document {DECLARED}><w:body>".encode())
            for _ in range(1024):
                part.write(b" " * 1024 * 1024)
            part.write(b"</w:body></w:document>")
    return path


_MEASURED = r"""
import datetime, pathlib, re, sys
from editions.imports.importer import import_document
def peak():
    # Not ru_maxrss: a process begins with that of the one that started it.
    return int(re.search(r"VmHWM:\s+(\d+)", pathlib.Path("/proc/self/status").read_text())[1])
before = peak()
try:
    source, target = map(pathlib.Path, sys.argv[1:])
    import_document(source, target, slug="x", today=datetime.date.today())
except Exception as error:
    print(error)
print(peak() - before)
"""


def measure(path: Path, tmp_path: Path) -> tuple[str, int]:
    """What a program of its own says of the document, and by how many kilobytes it grew."""
    command = [sys.executable, "-c", _MEASURED, str(path), str(tmp_path / "editions")]
    words, grown = subprocess.run(command, capture_output=True, text=True).stdout.splitlines()
    return words, int(grown)


@pytest.mark.spare
def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    path = make_bomb(tmp_path / "bomb.docx")
    assert path.stat().st_size < 2_000_000
    words, grown = measure(path, tmp_path)
    assert "is 1,073," in words
    assert grown < 30_000


@pytest.mark.spare
def test_a_size_that_lies_does_not_unpack_more(tmp_path: Path) -> None:
    path = make_bomb(tmp_path / "bomb.docx")
    data = path.read_bytes()
    size = 1024**3 + len(f"<w:document {DECLARED}><w:body>") + len("</w:body></w:document>")
    assert size.to_bytes(4, "little") in data
    path.write_bytes(data.replace(size.to_bytes(4, "little"), (1000).to_bytes(4, "little")))
    assert refuse(tmp_path, path).code == "broken-document"
    words, grown = measure(path, tmp_path)
    assert "cannot be unpacked" in words
    assert grown < 30_000


def test_a_document_longer_than_any_newsletter_is_refused(tmp_path: Path) -> None:
    whole = body(HEADING.format("Story") + "<w:p><w:r/></w:p>" * 30_001)
    path = write_package(tmp_path / "x.docx", {"word/document.xml": whole})
    assert "more than 60,000 paragraphs" in str(refuse(tmp_path, path))


def test_deep_nesting_is_refused(tmp_path: Path) -> None:
    depth = 5_000
    xml = HEADING.format("Story") + "<w:sdt><w:sdtContent>" * depth + "</w:sdtContent></w:sdt>" * depth
    path = write_package(tmp_path / "x.docx", {"word/document.xml": body(xml)})
    assert refuse(tmp_path, path).code == "broken-document"


@pytest.mark.parametrize("depth", [20, 60, 120])
def test_nesting_as_deep_as_xml_allows_is_read_or_refused(tmp_path: Path, depth: int) -> None:
    table = (
        "<w:tbl><w:tr><w:tc>" * (depth // 3) + PARAGRAPH.format("x") + "</w:tc></w:tr></w:tbl>" * (depth // 3)
    )
    path = write_package(tmp_path / "x.docx", {"word/document.xml": body(HEADING.format("Story") + table)})
    assert read_or_refuse(path).endswith(("\n\nx\n", "broken-document"))


def test_a_table_of_a_million_columns_is_cut(tmp_path: Path) -> None:
    cell = '<w:tc><w:tcPr><w:gridSpan w:val="1000000"/></w:tcPr><w:p><w:r><w:t>x</w:t></w:r></w:p></w:tc>'
    table = f"<w:tbl>{f'<w:tr>{cell}{cell}</w:tr>' * 2}</w:tbl>"
    path = write_package(tmp_path / "x.docx", {"word/document.xml": body(HEADING.format("Story") + table)})
    imported = import_document(path, tmp_path / "editions", slug="x", today=TODAY)
    assert len((imported.folder / imported.stories[0]).read_text()) < 2_000


def test_a_strict_document_is_read_like_any_other(tmp_path: Path) -> None:
    strict = body(HEADING.format("Story") + PARAGRAPH.format("Words.")).replace(
        W, "http://purl.oclc.org/ooxml/wordprocessingml/main"
    )
    path = write_package(tmp_path / "x.docx", {"word/document.xml": strict})
    imported = import_document(path, tmp_path / "editions", slug="x", today=TODAY)
    assert (imported.folder / imported.stories[0]).read_text().endswith("\nWords.\n")


@pytest.mark.parametrize(
    "xml",
    [
        '<w:p><w:r><w:sym/><w:sym w:font="Wingdings" w:char="F0E0"/><w:sym w:char="zz"/></w:r></w:p>',
        '<w:p><w:hyperlink r:id="nothing"><w:r><w:t>x</w:t></w:r></w:hyperlink></w:p>',
        '<w:p><w:r><w:footnoteReference w:id="7"/></w:r></w:p>',
        "<w:p><w:r><w:footnoteReference/></w:r></w:p>",
        '<w:p><w:r><w:drawing><a:blip r:embed="nothing"/></w:drawing></w:r></w:p>',
        "<w:p><w:pPr><w:numPr><w:numId/></w:numPr></w:pPr></w:p>",
        '<w:tbl><w:tr><w:tc><w:tcPr><w:gridSpan w:val="x"/></w:tcPr><w:p/></w:tc></w:tr></w:tbl>',
        "<w:p><mc:AlternateContent/></w:p>",
        '<w:p><w:r><w:fldChar w:fldCharType="end"/></w:r></w:p>',
        "<w:tbl/><w:tbl><w:tr/></w:tbl><w:p><w:r><w:ruby/></w:r></w:p>",
    ],
)
def test_what_is_malformed_is_passed_over_or_refused(tmp_path: Path, xml: str) -> None:
    whole = body(HEADING.format("Story") + xml + PARAGRAPH.format("End."))
    path = write_package(tmp_path / "x.docx", {"word/document.xml": whole})
    assert read_or_refuse(path).endswith(("End.\n", "broken-document"))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.floats(0, 1), noise=st.binary(min_size=1, max_size=8))
def test_a_damaged_file_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, place: float, noise: bytes
) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    path = write_package(folder / "x.docx", {})
    data = path.read_bytes()
    at = int(place * (len(data) - 1))
    path.write_bytes(data[:at] + noise + data[at + len(noise) :])
    told = read_or_refuse(path)
    assert told.startswith("---\n") or list((folder / "editions").iterdir()) == []


@pytest.mark.parametrize("method", METHODS)
def test_a_part_damaged_inside_is_refused_however_it_is_packed(tmp_path: Path, method: int) -> None:
    path = damage_part(tmp_path, "word/document.xml", method)
    assert refuse(tmp_path, path).code == "broken-document"


@pytest.mark.parametrize("method", METHODS)
def test_what_a_file_says_it_is_may_be_damaged_too(tmp_path: Path, method: int) -> None:
    path = damage_part(tmp_path, "mimetype", method)
    assert "Its words." in read_or_refuse(path)


def test_a_protected_part_is_refused(tmp_path: Path) -> None:
    path = write_package(tmp_path / "x.docx", {})
    data = bytearray(path.read_bytes())
    central = data.index(b"PK\x01\x02")
    while central != -1:
        data[central + 8] |= 1
        central = data.find(b"PK\x01\x02", central + 1)
    path.write_bytes(bytes(data))
    assert refuse(tmp_path, path).code in {"protected-document", "broken-document"}
