"""A row of cells by our own columns, whichever program wrote the file."""

from typing import NamedTuple

from subscribers.models import ConsentEvent


class RawRow(NamedTuple):
    """Cells as written. Several sectors or tags are separated by semicolons.

    ``suppress_reason`` is why this address must not get mail, None if it may.
    """

    email: str
    name: str
    organisation: str
    country: str
    sectors: str
    language: str
    tags: str
    suppress_reason: ConsentEvent | None = None
