"""Write what a file's columns are taken for as a columns file, without importing anything."""

from collections.abc import Collection
from pathlib import Path

from subscribers.errors import ImportFileError, SubscriberError
from subscribers.imports.file_parts import FilePart, ReadOptions, open_parts


def propose_columns(path: Path, options: ReadOptions, *, sectors: Collection[str]) -> str:
    """Return a columns file for the file at ``path``, also for one that cannot be imported without.

    Raises:
        ImportFileError: it cannot be read, or has our own columns, so that there is nothing to say.
    """
    try:
        with open_parts(path, options, sectors=sectors) as parts:
            for part in parts:
                _read_all(part)
            texts = [text for part in parts if (text := part.mapping.columns_text(sheet=options.sheet))]
    except ImportFileError as error:
        if error.columns_text:
            return error.columns_text
        raise
    if not texts:
        raise ImportFileError(
            options.name or path.name, "it has our own columns, so it needs no table of columns."
        )
    return texts[0]


def _read_all(part: FilePart) -> None:
    """Read every row, so that the values of all columns about status are counted."""
    for row in part.rows:
        try:
            part.mapping.read_row(row)
        except SubscriberError:
            continue
