"""What a row says, by our own columns, whoever made the file."""

from typing import NamedTuple

from subscribers.models import ConsentEvent


class RawRow(NamedTuple):
    """Cells as they are written. Several sectors or tags stand apart by semicolons.

    ``leave`` is why this address must get no mail, None for somebody who wants it.
    """

    email: str
    name: str
    organisation: str
    country: str
    sectors: str
    language: str
    tags: str
    leave: ConsentEvent | None = None
