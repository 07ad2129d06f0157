"""The list that docs/start.md begins with: contacts as Outlook exports them, in fewer columns than its 92."""
# ruff: noqa: E501 - a row of a file is easier to read on one line

from pathlib import Path

CONTACTS = """\
"First Name","Middle Name","Last Name","Title","Company","Business Country/Region","E-mail Address","E-mail Type","E-mail Display Name","Categories"
"Mei","","Lin","Ms","Ministry of Water","Mongolia","mei.lin@example.org","SMTP","Mei Lin (mei.lin@example.org)","Press"
"Bat","","Erdene","","River Office","Mongolia","bat@example.org","SMTP","Bat Erdene (bat@example.org)",""
"""
ADDRESSES = ("bat@example.org", "mei.lin@example.org")


def write_contacts(folder: Path) -> Path:
    """Write the list where the commands of docs/start.md look for it."""
    path = folder / "contacts.csv"
    path.write_text(CONTACTS, encoding="utf-8")
    return path
