"""Values as YAML: a text is plain where it can be, quoted where it must be, and on lines of its own where it
has several."""

import re
import textwrap
from collections.abc import Iterable, Sequence

from editions.source.yaml_parser import YamlValue

# A letter or digit first, then anything that does not end the value or begin a comment.
_PLAIN_SCALAR = re.compile(r"[^\W_](?:[^\n:#]|:(?=\S)|(?<=\S)#)*(?<![\s:])")
_FLOW_INDICATORS = re.compile(r"[,\[\]{}]")
# What YAML reads as something other than text.
_NON_TEXT_SCALAR = re.compile(
    r"true|false|null|0[xo][\da-f]+|\d[\d.]*(e[-+]?\d+)?|\d{4}-\d\d?-\d\d?([Tt\s].*)?", re.IGNORECASE
)
_INDENT = "  "
_WIDTH = 110
_MAX_FLOW_WIDTH = 90
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
# Not on a line as they are: tabs are indentation to YAML, and the byte order mark is dropped at a beginning.
_ESCAPED = re.compile(r"[\\\"\t\n\x7f-\x9f\u2028\u2029\ufeff]")
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\t": "\\t", "\n": "\\n"}


def quote_yaml(text: str, *, in_flow: bool = False) -> str:
    """Return ``text``, which has no control characters, as a YAML value; ``in_flow`` is within ``[…]``.

    >>> quote_yaml("Teachers meet"), quote_yaml("Water: a right")
    ('Teachers meet', '"Water: a right"')
    """
    if (
        _PLAIN_SCALAR.fullmatch(text)
        and not _NON_TEXT_SCALAR.fullmatch(text)
        and not (in_flow and _FLOW_INDICATORS.search(text))
    ):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def write_scalar(text: str, *, style: str = "", in_flow: bool = False) -> str:
    """Return ``text`` as a value on one line, in the quotation marks ``style`` if it has any.

    >>> write_scalar("Teachers meet"), write_scalar("1.10"), write_scalar("Water: a right", style="'")
    ('Teachers meet', '"1.10"', "'Water: a right'")
    """
    if style == '"' or any(sign in text for sign in "\t\n\ufeff\x85\u2028\u2029\x7f"):
        return f'"{_ESCAPED.sub(_escape, text)}"'
    if style == "'":
        return "'" + text.replace("'", "''") + "'"
    # A day is text to YAML 1.2, and the project's files have it plain.
    return text if _DATE.fullmatch(text) else quote_yaml(text, in_flow=in_flow)


def write_inline(value: YamlValue, *, in_flow: bool = False) -> str:
    """Return ``value`` on one line; lists and keys in brackets."""
    if isinstance(value, str):
        return write_scalar(value, in_flow=in_flow)
    if isinstance(value, list):
        return f"[{', '.join(write_inline(item, in_flow=True) for item in value)}]"
    inner = (
        f"{write_scalar(key, in_flow=True)}: {write_inline(item, in_flow=True)}"
        for key, item in value.items()
    )
    return f"{{{', '.join(inner)}}}"


def write_block_scalar(text: str, *, style: str = "|") -> tuple[str, list[str]] | None:
    """Return ``text`` as the sign of a block and its lines, not yet indented; None where only quotes can hold
    it. ``style`` is ``>`` for a text without line ends that is folded to the width of a page."""
    if style == ">" and text and not re.search(r"\s\s|[^\S ]|^\s|\s$", text):
        return ">-", textwrap.wrap(text, _WIDTH, break_long_words=False, break_on_hyphens=False)
    body = text.removesuffix("\n")
    lines = body.split("\n")
    if len(lines) < 2 or re.search(r"[\x7f-\x9f\u2028\u2029\ufeff]", text):
        return None
    # A line of blanks alone says nothing of its indentation, and the first line says that of all.
    if lines[0][:1].isspace() or not all(lines[index] for index in (0, -1)):
        return None
    if any(line.isspace() or "\t" in line for line in lines):
        return None
    return ("|" if text.endswith("\n") else "|-"), lines


def write_value(value: YamlValue, *, style: str = "", is_flow: bool | None = None) -> tuple[str, list[str]]:
    """Return ``value`` as what stands after the colon of its key, and the lines below, not yet indented.
    ``style`` is that of the text that was there before, ``is_flow`` whether the list was in brackets."""
    if isinstance(value, str):
        block = write_block_scalar(value, style="|" if "\n" in value else style)
        if block is not None:
            sign, lines = block
            return f" {sign}", indent_lines(lines, _INDENT)
        return f" {write_scalar(value, style=style)}", []
    if isinstance(value, list):
        if is_flow or (is_flow is None and _fits_in_brackets(value)):
            return f" {write_inline(value)}", []
        return "", indent_lines(write_items(value), _INDENT)
    if is_flow:
        return f" {write_inline(value)}", []
    return "", indent_lines(write_entries(value), _INDENT)


def write_items(value: Sequence[YamlValue]) -> list[str]:
    """Return the lines of a list with an item on each."""
    lines: list[str] = []
    for item in value:
        if isinstance(item, dict) and item:
            first, *others = write_entries(item)
        elif isinstance(item, str):
            first, others = write_scalar(item), []
        else:
            first, others = write_inline(item), []
        lines += [f"- {first}", *indent_lines(others, _INDENT)]
    return lines


def write_entries(values: dict[str, YamlValue]) -> list[str]:
    lines: list[str] = []
    for key, value in values.items():
        after, below = write_value(value)
        lines += [f"{write_scalar(key)}:{after}", *below]
    return lines


def indent_lines(lines: Iterable[str], indent: str) -> list[str]:
    """Return ``lines`` further to the right; blank lines stay without blanks."""
    return [f"{indent}{line}" if line else "" for line in lines]


def _escape(found: re.Match[str]) -> str:
    sign = found.group()
    return _ESCAPES.get(sign) or f"\\u{ord(sign):04X}"


def _fits_in_brackets(value: Sequence[YamlValue]) -> bool:
    is_short = all(isinstance(item, str) and "\n" not in item for item in value)
    return is_short and len(write_inline([*value])) <= _MAX_FLOW_WIDTH
