"""What commands print, on stdout, on stderr and into files, and the options that many of them have."""

import io
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import date
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

import click

from locales.languages import display_width
from mailer.atomic_write import atomic_file

Command = TypeVar("Command", bound=Callable[..., Any])
V = TypeVar("V")


json_option = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")


def user_option(help: str, *names: str, **more: Any) -> Callable[[Command], Command]:
    """Return the option for who acts, ``--by`` if no other ``names`` are given: the user of this machine if
    nobody is named."""
    return click.option(*(names or ["--by"]), metavar="NAME", envvar=["LOGNAME", "USER"], help=help, **more)


def say(text: str = "") -> None:
    """Print a message for the user on stderr."""
    click.echo(text, err=True)


def emit(text: str) -> None:
    """Print data on stdout."""
    click.echo(text)


def emit_json(document: object) -> None:
    """Print data as indented JSON, without escaping non-ASCII characters."""
    click.echo(json.dumps(document, ensure_ascii=False, indent=2, default=write_json))


def write_json(value: Any) -> Any:
    """Return an object as the JSON output has it: as it says itself, or by its fields."""
    if hasattr(value, "as_dict"):
        return value.as_dict()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return dict(value)
    if is_dataclass(value):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    return str(value)


def write_csv(output: Path, what: str, write: Callable[..., int]) -> None:
    """Write CSV to ``output``, or to stdout for ``-``. ``write`` writes to its ``stream`` and returns how
    many of ``what`` it has written. A file appears only once it is complete."""
    if output == Path("-"):
        write(stream=sys.stdout)
        return
    with atomic_file(output) as binary:
        # Without a byte order mark, Excel reads the file in the system's own encoding instead of UTF-8.
        stream = io.TextIOWrapper(binary, encoding="utf-8-sig", newline="", write_through=False)
        number = write(stream=stream)
        stream.flush()
        stream.detach()
    say(f"Wrote {output}: {number:,} {what}.")


def find_explained(code: str, known: Mapping[str, V], *, kind: str, page: str) -> V:
    """Return the entry for the ``code`` of ``--explain``; ``page`` lists all codes of this ``kind``."""
    if code in known:
        return known[code]
    close = get_close_matches(code, known, n=1)
    advice = f"Did you mean {close[0]}?" if close else f"See {page} for the full list."
    raise click.BadParameter(f"there is no {kind} called {code!r}. {advice}", param_hint="--explain")


def columns(rows: Sequence[Sequence[object]], *, head: Sequence[str] = (), right: Sequence[int] = ()) -> str:
    """Align rows in columns. Columns whose index is in ``right`` are right-aligned, as numbers should be."""
    cells = [[str(cell) for cell in row] for row in ([head, *rows] if head else rows)]
    if not cells:
        return ""
    widths = [max(display_width(row[index]) for row in cells) for index in range(len(cells[0]))]
    return "\n".join(
        "  ".join(
            _padded(cell, width, flush_right=index in right)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    )


def shorten(text: str, cells: int) -> str:
    """Cut ``text`` to at most ``cells`` terminal cells, with an ellipsis. For tables only, never for data."""
    if display_width(text) <= cells:
        return text
    kept = ""
    for character in text:
        if display_width(kept + character) >= cells:
            break
        kept += character
    return f"{kept.rstrip()}…"


def _padded(text: str, width: int, *, flush_right: bool) -> str:
    space = " " * (width - display_width(text))
    return space + text if flush_right else text + space
