"""The list that README begins with: what a team has in its address book."""

from pathlib import Path

CONTACTS = """\
name,email,organisation,country
Mei Lin,mei.lin@example.org,Ministry of Water,Mongolia
Bat Erdene,bat@example.org,River Office,Mongolia
"""
ADDRESSES = ("bat@example.org", "mei.lin@example.org")


def write_contacts(folder: Path) -> Path:
    """Write the list where README's commands look for it."""
    path = folder / "contacts.csv"
    path.write_text(CONTACTS, encoding="utf-8")
    return path
