"""Read a file as an import does, without a database."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from subscribers.imports.chunk_reader import ChunkReader
from subscribers.imports.file_parts import ReadOptions, open_parts
from subscribers.imports.row_parser import RowParser

SECTORS = {"education": "Education", "culture": "Culture and Heritage"}


@dataclass(kw_only=True)
class Outcome:
    """What would come of a file; ``active`` by address, with name, organisation, country, language, tags."""

    active: dict[str, tuple[str, str, str, str, str]] = field(default_factory=dict)
    sectors: dict[str, list[str]] = field(default_factory=dict)
    left: dict[str, str] = field(default_factory=dict)
    refused: tuple[int, ...] = ()
    notes: list[str] = field(default_factory=list)
    parts: list[dict[str, Any]] = field(default_factory=list)


def read_list(path: Path, options: ReadOptions | None = None) -> Outcome:
    outcome = Outcome()
    with open_parts(path, options or ReadOptions(), sectors=SECTORS) as parts:
        for part in parts:
            reader = ChunkReader(parser=RowParser(SECTORS), key=None, offset=0)
            lists: dict[int, list[str]] = {}
            for chunk in reader.read(part):
                for number, value in chunk.lists:
                    lists.setdefault(number, []).append(value)
                for _, _, email, _, name, organisation, country, language, sectors, tags in zip(
                    *chunk.columns, strict=True
                ):
                    joined = ";".join(sorted(lists.get(tags, [])))
                    outcome.active[email] = (name, organisation, country, language, joined)
                    outcome.sectors[email] = sorted(lists.get(sectors, []))
                outcome.left |= {row.email: row.reason.value for row in chunk.suppressed}
                outcome.left |= {row.email: row.reason.value for row in chunk.suppressed_others}
                outcome.notes += [note.text for note in chunk.notes]
                outcome.refused += tuple(refusal.row for refusal in chunk.refused)
            outcome.parts.append(reader.report(part).as_dict())
    return outcome
