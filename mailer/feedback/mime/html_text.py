"""The words of an HTML part, for messages that have no plain one."""

import html
import re

# What stands between these is not for readers.
_INVISIBLE = (("<style", "</style"), ("<script", "</script"), ("<title", "</title"), ("<!--", "-->"))
# Neither goes on beyond the next bracket, or a text full of open ones would take their square.
_BREAK = re.compile(r"<(?:br|/p|/div|/tr|/li|/h\d|/table|hr|p|/pre)\b[^<>]*>", re.IGNORECASE)
_TAG = re.compile(r"<[/!?a-zA-Z][^<>]*>")
_ADDRESS_IN_BRACKETS = re.compile(r"<([^\s<>@]+@[^\s<>@]+)>")


def read_html_text(source: str) -> str:
    """Return the words of ``source``, a line for each paragraph, row or item."""
    # Some servers write "<name@example.org>" into HTML without escaping it.
    text = _ADDRESS_IN_BRACKETS.sub(r"&lt;\1&gt;", source)
    for start, end in _INVISIBLE:
        text = _remove_between(text, start, end)
    if "<pre" not in text.lower():
        text = " ".join(line.strip() for line in text.split("\n"))
    text = _TAG.sub("", _BREAK.sub("\n", text))
    text = html.unescape(text).replace("\xa0", " ")
    return "\n".join(line.strip() for line in text.split("\n"))


def _remove_between(text: str, start: str, end: str) -> str:
    """Cut from each ``start`` to the next ``end``. A search by regular expression would be quadratic."""
    lower = text.lower()
    if start not in lower or len(lower) != len(text):
        return text
    kept, position = [], 0
    while (begin := lower.find(start, position)) >= 0 and (stop := lower.find(end, begin)) >= 0:
        kept.append(text[position:begin])
        position = stop
    return "".join([*kept, text[position:]])
