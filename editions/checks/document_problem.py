"""Problems at a line of one of an edition's files."""

from editions.problem import Level, Problem
from editions.source.document import AnyDocument


def make_error(document: AnyDocument, line: int, code: str, message: str) -> Problem:
    """A problem of ``document`` that keeps the edition from being sent."""
    return Problem(path=document.name, line=line, level=Level.error, code=code, message=message)


def make_warning(document: AnyDocument, line: int, code: str, message: str) -> Problem:
    """A problem of ``document`` with which the edition can be sent."""
    return Problem(path=document.name, line=line, level=Level.warning, code=code, message=message)
