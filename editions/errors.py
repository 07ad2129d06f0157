"""The problems of an edition as data, and the errors that carry them."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum

from locales.phrase import Phrase, gettext_noop


class ProblemLevel(StrEnum):
    """How serious a problem is."""

    error = "error"
    """The edition cannot be sent until this is fixed."""

    warning = "warning"
    """The edition can be sent, but would be better without this."""


@dataclass(frozen=True, kw_only=True, order=True)
class Problem:
    """A problem that a writer can fix.

    ``path`` is relative to the edition's folder, ``line`` counts from 1 (and is 1 for a whole file), ``code``
    is a stable kebab-case name such as ``unknown-country``, and ``message`` says what, why, and what to do.
    """

    path: str
    line: int
    level: ProblemLevel
    code: str
    message: str

    def as_dict(self) -> dict[str, str | int]:
        return {**asdict(self), "level": self.level.value}

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.message} [{self.code}]"


_AT_LINE = gettext_noop("Line %(line)s: %(reason)s")


class EditionError(Exception):
    """The edition cannot be used; its problems say where and what to do.

    ``problems`` are all that were found in one reading, in the order of files and lines.
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class ImageError(EditionError):
    """A picture cannot be used: ``code`` and ``reason`` say why, ``name`` is its file."""

    def __init__(self, name: str, code: str, reason: str) -> None:
        self.name = name
        self.code = code
        self.reason = reason
        super().__init__(
            [Problem(path=f"images/{name}", line=1, level=ProblemLevel.error, code=code, message=reason)]
        )


class DocumentError(EditionError):
    """A document cannot become an edition: ``code`` and ``reason`` say why, ``name`` is its file or
    address."""

    def __init__(self, name: str, code: str, reason: str) -> None:
        self.name = name
        self.code = code
        self.reason = reason
        super().__init__([Problem(path=name, line=1, level=ProblemLevel.error, code=code, message=reason)])

    def __str__(self) -> str:
        # A document has no lines to count.
        return f"{self.name}: {self.reason}"


class NewEditionError(EditionError):
    """An edition with the name ``slug`` cannot be made: ``code`` and ``reason`` say why."""

    def __init__(self, slug: str, code: str, reason: str) -> None:
        self.slug = slug
        self.code = code
        self.reason = reason
        super().__init__([Problem(path=slug, line=1, level=ProblemLevel.error, code=code, message=reason)])

    def __str__(self) -> str:
        return f"{self.slug}: {self.reason}"


class FrontMatterError(EditionError):
    """The front matter of a file cannot be changed: ``reason`` says why and what to do, ``line`` where."""

    def __init__(self, line: int, code: str, reason: str) -> None:
        self.line = line
        self.code = code
        self.reason = reason
        super().__init__([Problem(path="", line=line, level=ProblemLevel.error, code=code, message=reason)])

    def __str__(self) -> str:
        return Phrase(_AT_LINE, line=self.line, reason=self.reason)


class StoryOrderError(EditionError):
    """A story cannot be moved or added: ``slug`` is its own, ``code`` and ``reason`` say why."""

    def __init__(self, slug: str, code: str, reason: str) -> None:
        self.slug = slug
        self.code = code
        self.reason = reason
        super().__init__(
            [Problem(path="stories", line=1, level=ProblemLevel.error, code=code, message=reason)]
        )

    def __str__(self) -> str:
        return self.reason
