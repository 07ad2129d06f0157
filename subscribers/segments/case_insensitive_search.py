"""Case-insensitive search in any script, with the same results on every database.

SQLite's ``lower`` only handles ASCII and PostgreSQL's depends on how the server was set up, so neither
reliably finds "ЮНЕСКО" for "юнеско". Here each letter matches both its cases, and the pattern is made from
Python's own tables.
"""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Boolean, ColumnElement, literal
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Mapped
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement


class _ContainsWords(FunctionElement[bool]):
    """``column``, a GLOB pattern for SQLite, and a regular expression for PostgreSQL."""

    name = "contains_words"
    type = Boolean()
    inherit_cache = True


def contains_words(column: Mapped[str] | ColumnElement[str], words: str) -> ColumnElement[bool]:
    """Return the condition that ``column`` contains ``words``, ignoring case. Patterns are bound
    parameters."""
    letters = list(_case_variants(words))
    glob = "".join(f"[{letter}]" if len(letter) > 1 or letter in "*?[" else letter for letter in letters)
    regex = "".join(f"[{letter}]" if len(letter) > 1 else _escape_regex(letter) for letter in letters)
    return _ContainsWords(column, literal(f"*{glob}*"), literal(regex))


def _case_variants(words: str) -> Iterator[str]:
    """Yield each character together with its other case, if that is a single character."""
    for char in words:
        lower, upper = char.lower(), char.upper()
        both = lower + upper
        # The long s and the kelvin sign map to another letter's other case, so they only match themselves.
        is_pair = len(both) == 2 and (lower.upper(), upper.lower()) == (upper, lower) and lower != upper
        yield both if is_pair else char


def _escape_regex(char: str) -> str:
    # Other characters may have a meaning in a pattern. A space is kept, because "\ " is not an escape.
    return char if char.isalnum() or char == "_" or not char.isascii() or char == " " else f"\\{char}"


@compiles(_ContainsWords, "sqlite")
def _compile_glob(element: _ContainsWords, compiler: SQLCompiler, **options: Any) -> str:
    column, glob, _ = element.clauses
    return f"({compiler.process(column, **options)} GLOB {compiler.process(glob, **options)})"


@compiles(_ContainsWords, "postgresql")
def _compile_regex(element: _ContainsWords, compiler: SQLCompiler, **options: Any) -> str:
    column, _, regex = element.clauses
    return f"({compiler.process(column, **options)} ~ {compiler.process(regex, **options)})"
