"""The line ends of a text: Unix, Windows, or old Mac OS."""

import re

_LINE_END = re.compile(r"\r\n|\r|\n")


def find_line_end(text: str) -> str:
    """The line end that ``text`` has first; ``\\n`` if it has none."""
    found = _LINE_END.search(text)
    return found[0] if found else "\n"


def normalise_line_ends(text: str) -> str:
    """``text`` with ``\\n`` for every kind of line end."""
    return _LINE_END.sub("\n", text) if "\r" in text else text
