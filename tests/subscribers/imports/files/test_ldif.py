"""Address books in LDIF: each entry is a row."""

from pathlib import Path

from subscribers.imports.files.address_books import is_ldif, read_ldif
from subscribers.imports.files.file_source import make_file_source
from tests.subscribers.imports.columns.reading import read_list

BOOK = """\
version: 1

# Exported by Thunderbird
dn: cn=Björn Borg,mail=bjorn@example.org
objectclass: top
objectclass: inetOrgPerson
givenName:: QmrDtnJu
sn: Borg
cn:: QmrDtnJuIEJv
 cmc=
mail: bjorn@example.org
mail: borg@example.org
o: Tennis AB
c: Sweden
preferredLanguage: sv

dn: cn=Left,mail=left@example.org
objectclass: inetOrgPerson
cn: Left
mail: left@example.org
unsubscribed: TRUE

dn: cn=The List
objectclass: groupOfNames
cn: The List
member: cn=Björn Borg,mail=bjorn@example.org
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "people.ldif"
    path.write_bytes(text.encode())
    return path


def test_an_entry_is_a_person_and_a_list_of_people_is_none(tmp_path: Path) -> None:
    outcome = read_list(write(tmp_path, BOOK))
    assert outcome.active == {"bjorn@example.org": ("Björn Borg", "Tennis AB", "SE", "sv", "")}
    assert outcome.refused == ()


def test_an_attribute_may_say_who_left(tmp_path: Path) -> None:
    assert read_list(write(tmp_path, BOOK)).left == {"left@example.org": "unsubscribed"}


def test_line_ends_of_windows_make_no_difference(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    expected = read_list(write(here, BOOK))
    found = read_list(write(there, BOOK.replace("\n", "\r\n")))
    assert (found.active, found.left) == (expected.active, expected.left)


def test_a_table_is_no_address_book(tmp_path: Path) -> None:
    assert not is_ldif(make_file_source(write(tmp_path, "dn,mail\nx,ann@example.org\n")), "utf-8")


def test_what_cannot_be_decoded_is_left_empty(tmp_path: Path) -> None:
    text = "dn: cn=x\nmail: ann@example.org\ncn:: ***\njpegPhoto:: AAAA\nlabeledURI:< file:///etc/passwd\n"
    header, row = read_ldif(make_file_source(write(tmp_path, text)), encoding="utf-8")
    assert dict(zip(header.cells, row.cells, strict=True)) == {"Email": "ann@example.org", "Name": ""}
