"""Keys and values as TOML."""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from typing import TypeAlias

from mailer.settings.changes.toml_nodes import TomlPath

TomlValue: TypeAlias = (
    bool | int | float | str | date | time | Sequence["TomlValue"] | Mapping[str, "TomlValue"]
)
"""What a key may have: a value, an array or a table."""

_BARE = re.compile(r"[A-Za-z0-9_-]+")
# A literal string has no escapes: no quotation mark of its own, and no control characters but tabs.
_LITERAL = re.compile(r"[^'\x00-\x08\x0a-\x1f\x7f]*")


def write_value(value: TomlValue, *, like: str = "") -> str:
    """``value`` on one line, a text in the quotation marks that ``like`` has."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return f"'{value}'" if like == "'" and _LITERAL.fullmatch(value) else _write_text(value)
        case int() | float():
            return repr(value)
        case datetime() | date() | time():
            return value.isoformat()
        case Mapping():
            inner = ", ".join(f"{write_key(key)} = {write_value(item)}" for key, item in value.items())
            return f"{{ {inner} }}" if inner else "{}"
        case _:
            return f"[{', '.join(write_value(item, like=like) for item in value)}]"


def write_key(key: str) -> str:
    """A key, in quotation marks only if it needs them."""
    return key if _BARE.fullmatch(key) else _write_text(key)


def write_keys(path: TomlPath) -> str:
    """A dotted key; the numbers of array items are left out, as in a header."""
    return ".".join(write_key(key) for key in path if isinstance(key, str))


def _write_text(text: str) -> str:
    # JSON's escapes are TOML's. DEL is the one sign that JSON leaves as it is and TOML does not allow.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
