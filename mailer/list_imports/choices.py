"""What a person says about a file: how to read it, what its columns hold, and why one may write to these
people.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from subscribers.imports.columns.column_corrections import ColumnCorrections, ColumnUse
from subscribers.imports.columns.status_words import StatusMeaning
from subscribers.imports.file_parts import ReadOptions


@dataclass(frozen=True, kw_only=True)
class ImportChoices:
    """``encoding``, ``delimiter`` and ``sheet`` are "" where they are to be found; ``header`` is the number
    of the row that names the columns, 0 for none, None where it is to be found. ``uses``, ``meanings`` and
    ``file_meaning`` are those of :class:`~subscribers.imports.columns.column_corrections.ColumnCorrections`.
    ``basis`` is the declared reason for writing to these people.
    """

    encoding: str = ""
    delimiter: str = ""
    sheet: str = ""
    header: int | None = None
    uses: Mapping[int, ColumnUse] = field(default_factory=dict)
    meanings: Mapping[int, Mapping[str, StatusMeaning]] = field(default_factory=dict)
    file_meaning: StatusMeaning | None = None
    basis: str = ""

    def make_read_options(self, name: str) -> ReadOptions:
        """How to read the file called ``name``."""
        return ReadOptions(
            encoding=self.encoding or None,
            delimiter=self.delimiter or None,
            sheet=self.sheet or None,
            corrections=ColumnCorrections(
                header=self.header,
                uses=self.uses,
                meanings=self.meanings,
                file_meaning=self.file_meaning,
            ),
            name=name,
            # A person sees what came of the guess before anything is imported.
            accepts_likely_encoding=True,
        )

    def write_json(self) -> str:
        """The choices as JSON, the same text for the same choices."""
        return json.dumps(
            {
                "encoding": self.encoding,
                "delimiter": self.delimiter,
                "sheet": self.sheet,
                "header": self.header,
                "uses": {str(place): use.value for place, use in sorted(self.uses.items())},
                "meanings": {
                    str(place): {value: meaning.value for value, meaning in sorted(values.items())}
                    for place, values in sorted(self.meanings.items())
                },
                "file_meaning": self.file_meaning and self.file_meaning.value,
                "basis": self.basis,
            },
            ensure_ascii=False,
        )


def read_choices(text: str) -> ImportChoices:
    """Read what :meth:`ImportChoices.write_json` wrote."""
    written: dict[str, Any] = json.loads(text)
    meaning = written["file_meaning"]
    return ImportChoices(
        encoding=written["encoding"],
        delimiter=written["delimiter"],
        sheet=written["sheet"],
        header=written["header"],
        uses={int(place): ColumnUse(use) for place, use in written["uses"].items()},
        meanings={
            int(place): {value: StatusMeaning(said) for value, said in values.items()}
            for place, values in written["meanings"].items()
        },
        file_meaning=StatusMeaning(meaning) if meaning else None,
        basis=written["basis"],
    )
