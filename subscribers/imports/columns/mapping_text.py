"""Write what we take the columns of a file for as a columns file, ready to edit."""

from collections.abc import Iterable, Sequence

from subscribers.imports.columns.column_layout import ColumnLayout
from subscribers.imports.columns.layout_reader import is_east_asian
from subscribers.imports.columns.status_columns import DESCRIPTIONS, StatusColumnCount, StatusValueCount
from subscribers.imports.columns.status_words import StatusMeaning

_MOST_VALUES = 20
_ORDER = tuple(meaning for meaning in StatusMeaning if meaning is not StatusMeaning.nothing)


def write_columns_text(
    layout: ColumnLayout, counts: Sequence[StatusColumnCount] = (), *, sheet: str | None = None
) -> str:
    """Return the text of a columns file for ``layout``; ``counts`` are the values of the columns about
    status.
    """
    lines = []
    if layout.header_row != 1:
        lines.append(f"header = {layout.header_row}")
    if sheet:
        lines.append(f"sheet = {_quote(sheet)}")
    lines += ["[columns]                # ours = theirs", *_column_lines(layout)]
    if layout.unused:
        lines.append(f"# Not used: {', '.join(map(_comment, layout.unused))}")
    if layout.tag_separator and layout.places.get("tags"):
        lines += ["", "[separators]", f"tags = {_quote(layout.tag_separator)}"]
    named = [column.title for column in layout.statuses if column.title in layout.titles]
    ignored = [layout.titles[place] for place in layout.ignored]
    if named or ignored:
        lines += ["", "[status]                 # who must not get mail"]
    if named:
        lines.append(f"column = {_quote_all(named)}")
    if ignored:
        lines.append(f"ignored = {_quote_all(ignored, is_list=True)}   # not about leaving")
    for count in counts:
        if count.title not in layout.titles:
            continue
        lines += ["", f"[status.{_quote(count.title)}]", *_status_lines(count)]
        if count.title not in named:  # it was only searched for words about leaving
            lines.append('nothing = ["*"]')
    return "\n".join(lines) + "\n"


def _column_lines(layout: ColumnLayout) -> Iterable[str]:
    if "email" not in layout.places:
        yield 'email = ""               # the title of the column with the addresses'
    for ours, titles in layout.meaning.items():
        if ours == "name" and len(titles) > 1:
            # The whole name is only for rows without its parts.
            parts = titles[: -len(layout.places["name"])] if "name" in layout.places else titles
            ordered = tuple(reversed(parts)) if all(map(is_east_asian, parts)) else parts
            yield f"name = {_quote_all(ordered)}"
        else:
            yield f"{ours} = {_quote(titles[0])}"


def _status_lines(count: StatusColumnCount) -> Iterable[str]:
    for meaning in _ORDER:
        values = [
            value for value in count.values if value.meaning is meaning and value.value not in DESCRIPTIONS
        ]
        if values or count.unknown:
            shown = values[:_MOST_VALUES]
            yield f"{meaning.value} = {_quote_all((value.value for value in shown), is_list=True)}"
    nothing = [
        value.value
        for value in count.values
        if value.meaning is StatusMeaning.nothing and value.value not in DESCRIPTIONS
    ]
    if nothing:
        yield f"nothing = {_quote_all(nothing[:_MOST_VALUES], is_list=True)}"
    if unknown := count.unknown[:_MOST_VALUES]:
        yield "# Enter each of these on the line above that says what it means:"
        yield f"#   {', '.join(map(_describe, unknown))}"
        if len(count.unknown) > _MOST_VALUES:
            yield f"#   and {len(count.unknown) - _MOST_VALUES:,} more"


def _describe(value: StatusValueCount) -> str:
    return f"{_comment(_quote(value.value))} ({value.count:,} {'row' if value.count == 1 else 'rows'})"


def _quote_all(texts: Iterable[str], *, is_list: bool = False) -> str:
    quoted = list(map(_quote, texts))
    return quoted[0] if len(quoted) == 1 and not is_list else f"[{', '.join(quoted)}]"


def _quote(text: str) -> str:
    """``text`` as a string of TOML, on one line."""
    escaped = "".join(
        {'"': '\\"', "\\": "\\\\"}.get(char, char if char.isprintable() else f"\\U{ord(char):08x}")
        for char in text
    )
    return f'"{escaped}"'


def _comment(text: str) -> str:
    return "".join(char if char.isprintable() else " " for char in text)
