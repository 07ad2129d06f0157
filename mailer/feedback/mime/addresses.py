"""The addresses in header fields, however they are written."""

import re
from email.utils import parseaddr

_ADDRESS = re.compile(
    r'"[^"\n]{1,64}"@[^\s<>,;:"()\[\]]{1,255}|[^\s<>,;:"()\[\]]{1,255}@[^\s<>,;:"()\[\]]{1,255}'
)
# What most fields are: one address, perhaps after a name. It saves the search above.
_SIMPLE = re.compile(
    r'(?:[^<>"@,;:()]*<|"[^"<>@]*" *<)?([^\s<>,;:"()\[\]@]{1,255}@[^\s<>,;:"()\[\]@]{1,255})>?'
)
# A field with more is a mailing list or an attack.
_MAX_FIELD = 64 * 1024


def list_addresses(*values: str) -> tuple[str, ...]:
    """Return the addresses in ``values``, each once, in their order, as they are spelled."""
    found: dict[str, str] = {}
    for value in values:
        if "@" in value:
            simple = _SIMPLE.fullmatch(value)
            matches = [simple[1]] if simple else [match[0] for match in _ADDRESS.finditer(value[:_MAX_FIELD])]
            for match in matches:
                address = match.strip("'`*.")
                found.setdefault(address.lower(), address)
    return tuple(found.values())


def read_mailbox(value: str) -> str:
    """Return the address of the first mailbox in ``value``, "" if there is none."""
    try:
        return parseaddr(value[:_MAX_FIELD])[1]
    except RecursionError:
        # Comments within comments, or groups within groups, a thousand deep.
        return ""
