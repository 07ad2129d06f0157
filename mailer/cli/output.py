"""Print data on stdout and messages on stderr, align columns, and write output files."""

import json
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, TypeVar
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
    """The width in terminal cells: Chinese, Japanese and Korean characters take two."""
    return sum(2 if east_asian_width(character) in "WF" else 1 for character in text)


def _padded(text: str, width: int, *, flush_right: bool) -> str:
    space = " " * (width - _width(text))
    return space + text if flush_right else text + space


def write_file(path: Path, data: bytes, *, private: bool = False) -> None:
    """Write ``data`` to ``path`` atomically: if the disk is full or the process is killed, the old file
    stays.

    With ``private``, only the owner may read the file.
    """
    with writing_file(path, private=private) as file:
        file.write(data)


@contextmanager
def writing_file(path: Path, *, private: bool = False) -> Iterator[BinaryIO]:
    """A file to write in pieces, which appears at ``path`` only when the block ends normally."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o600 if private else 0o666 & ~umask)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
