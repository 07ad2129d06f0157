"""Print data on stdout and messages on stderr and align columns."""

import json
from collections.abc import Callable, Sequence
from typing import Any, TypeVar
from unicodedata import east_asian_width

import click

Command = TypeVar("Command", bound=Callable[..., Any])


def json_option(command: Command) -> Command:
    """Add the option ``--json``: print the result as one JSON document on stdout."""
    return click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")(command)


def say(text: str = "") -> None:
    """Print a message for the user on stderr."""
    click.echo(text, err=True)


def emit(text: str) -> None:
    """Print data on stdout."""
    click.echo(text)


def emit_json(document: object) -> None:
    """Print data as indented JSON, without escaping non-ASCII characters."""
    click.echo(json.dumps(document, ensure_ascii=False, indent=2, default=str))


def columns(rows: Sequence[Sequence[object]], *, head: Sequence[str] = (), right: Sequence[int] = ()) -> str:
    """Align rows in columns. Columns whose index is in ``right`` are right-aligned, as numbers should be."""
    cells = [[str(cell) for cell in row] for row in ([head, *rows] if head else rows)]
    if not cells:
        return ""
    widths = [max(_width(row[index]) for row in cells) for index in range(len(cells[0]))]
    return "\n".join(
        "  ".join(
            _padded(cell, width, flush_right=index in right)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    )


def shorten(text: str, cells: int) -> str:
    """Cut ``text`` to at most ``cells`` terminal cells, with an ellipsis. For tables only, never for data."""
    if _width(text) <= cells:
        return text
    kept = ""
    for character in text:
        if _width(kept + character) >= cells:
            break
        kept += character
    return f"{kept.rstrip()}…"


def _width(text: str) -> int:
    """Return the width in terminal cells: Chinese, Japanese and Korean characters take two."""
    return sum(2 if east_asian_width(character) in "WF" else 1 for character in text)


def _padded(text: str, width: int, *, flush_right: bool) -> str:
    space = " " * (width - _width(text))
    return space + text if flush_right else text + space
