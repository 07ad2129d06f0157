"""The name of the next edition, which becomes its folder and part of its address."""

import re
from collections.abc import Collection
from datetime import date

from mailer.i18n import gettext_noop

RESERVED = frozenset({"new"})
"""Names that would hide a page of Studio."""

NAME_TAKEN = gettext_noop("There is an edition with the name %(name)s already. Enter another name.")
BAD_NAME = gettext_noop("Write the name in letters, digits and hyphens, such as 2026-2.")
NO_NAME = gettext_noop("Enter a name for the edition, such as 2026-2.")

_YEAR_AND_NUMBER = re.compile(r"(?P<before>.*?)(?P<year>(?:19|20)\d\d)-(?P<number>\d{1,2})(?P<after>\D*)")
_LAST_NUMBER = re.compile(r"(?P<before>.*?)(?P<number>\d+)(?P<after>\D*)")


def suggest_name(slugs: Collection[str], today: date) -> str:
    """A name for the edition after those with the names ``slugs``, the newest of which comes first: 2026-3
    after 2026-2, and 2027-1 in the next year."""
    newest = next(iter(slugs), "")
    if found := _YEAR_AND_NUMBER.fullmatch(newest):
        same_year = int(found["year"]) >= today.year
        year = found["year"] if same_year else str(today.year)
        number = int(found["number"]) + 1 if same_year else 1
        width = len(found["number"]) if found["number"].startswith("0") else 1
        name = f"{found['before']}{year}-{number:0{width}d}{found['after']}"
    elif found := _LAST_NUMBER.fullmatch(newest):
        name = f"{found['before']}{int(found['number']) + 1:0{len(found['number'])}d}{found['after']}"
    else:
        name = f"{today:%Y-%m}"
    number = 2
    free = name
    while free in slugs:
        free, number = f"{name}-{number}", number + 1
    return free
