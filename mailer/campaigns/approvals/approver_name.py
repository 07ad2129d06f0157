"""The names of people as they type them: who approves, who wrote, who launches."""

from collections.abc import Iterable
from unicodedata import normalize


def is_named(name: str, others: Iterable[str]) -> bool:
    """Return whether ``name`` is one of ``others``, ignoring case and spaces."""
    return _fold(name) in {_fold(other) for other in others}


def _fold(name: str) -> str:
    return " ".join(normalize("NFKC", name).casefold().split())
