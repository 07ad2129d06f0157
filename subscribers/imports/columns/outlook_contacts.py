"""Contacts that Outlook exports, in any language of its interface.

The titles are translated, but there are always 92 columns in the same order.
"""

from collections.abc import Mapping, Sequence

from subscribers.imports.columns.column_titles import find_field
from subscribers.imports.columns.header_row import has_address

_WIDTH = 92
_PLACES: Mapping[str, tuple[int, ...]] = {
    "given": (1,),
    "middle": (2,),
    "family": (3,),
    "organisation": (5,),
    "country": (14, 21, 28),
    "tags": (54,),
    "email": (57, 60, 63),
    "language": (73,),
}
_KINDS = frozenset({"SMTP", "EX", "X400", "FAX", "MAPIPDL", ""})
_EXCHANGE_PREFIX = "/o="


def find_outlook_places(
    titles: Sequence[str], columns: Sequence[Sequence[str]]
) -> dict[str, tuple[int, ...]]:
    """Return what the columns of Outlook's contacts hold, nothing if these are not Outlook's."""
    if len(titles) != _WIDTH or "" in titles:
        return {}
    emails, kinds = columns[57], columns[58]
    if not {kind.strip().upper() for kind in kinds} <= _KINDS:
        return {}
    if not any(has_address(cell) or is_exchange_name(cell) for cell in emails):
        return {}
    # Some languages put the family name first.
    named = {
        field: (place,) for place in range(6) if (field := find_field(titles[place])) in ("given", "family")
    }
    if len(named) < 2:
        named = {}
    return dict(_PLACES) | {str(field): place for field, place in named.items()}


def is_exchange_name(cell: str) -> bool:
    """Whether a cell names a mailbox inside Exchange instead of an address."""
    return cell.strip().lower().startswith(_EXCHANGE_PREFIX)
