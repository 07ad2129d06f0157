"""The problems of an edition as data, and the errors that carry them."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from locales.phrase import Phrase, fill_in, gettext_noop

_AT_LINE = gettext_noop("Line %(line)s: %(reason)s")


class ProblemLevel(StrEnum):
    """How serious a problem is."""

    error = "error"
    """The edition cannot be sent until this is fixed."""

    warning = "warning"
    """The edition can be sent, but would be better without this."""


@dataclass(frozen=True, kw_only=True, order=True)
class Problem:
    """A problem that a writer can fix. ``path`` is relative to the edition's folder, ``line`` counts from 1
    (and is 1 for a whole file), and ``code`` is a stable kebab-case name such as ``unknown-country``."""

    path: str
    line: int
    level: ProblemLevel
    code: str
    message: str

    @classmethod
    def error(cls, path: str, line: int, code: str, message: str, /, **values: object) -> Self:
        words = fill_in(message, values)
        return cls(path=path, line=line, level=ProblemLevel.error, code=code, message=words)

    @classmethod
    def warning(cls, path: str, line: int, code: str, message: str, /, **values: object) -> Self:
        words = fill_in(message, values)
        return cls(path=path, line=line, level=ProblemLevel.warning, code=code, message=words)

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.message} [{self.code}]"


class EditionError(Exception):
    """The edition cannot be used. ``problems`` are all that were found in one reading, by file and line."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class FaultError(EditionError):
    """There is one fault, ``code``, of what is called ``name``; the ``reason`` says what to do."""

    line = 1

    def __init__(self, name: str, code: str, message: str, /, **values: object) -> None:
        self.name = name
        self.code = code
        self.reason: str = fill_in(message, values)
        super().__init__([Problem.error(self.path, self.line, code, self.reason)])

    @property
    def path(self) -> str:
        """Where the problem is, relative to the edition."""
        return self.name

    def __str__(self) -> str:
        return f"{self.name}: {self.reason}"


class ImageError(FaultError):
    """A picture cannot be used; ``name`` is its file."""

    @property
    def path(self) -> str:
        return f"images/{self.name}"

    def __str__(self) -> str:
        return str(self.problems[0])


class DocumentError(FaultError):
    """A document cannot become an edition; ``name`` is its file or address."""


class NewEditionError(FaultError):
    """An edition with the slug ``name`` cannot be made."""


class FrontMatterError(FaultError):
    """The front matter of a file cannot be changed; ``line`` says where."""

    def __init__(self, line: int, code: str, reason: str) -> None:
        self.line = line
        super().__init__("", code, reason)

    def __str__(self) -> str:
        return Phrase(_AT_LINE, line=self.line, reason=self.reason)


class StoryOrderError(FaultError):
    """The story with the slug ``name`` cannot be moved or added."""

    @property
    def path(self) -> str:
        return "stories"

    def __str__(self) -> str:
        return self.reason
