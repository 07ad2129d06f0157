"""The names of people as they type them: who approves, who wrote, who launches."""

from collections.abc import Iterable
from unicodedata import normalize


def is_named(name: str, others: Iterable[str]) -> bool:
    """Return whether ``name`` is one of ``others``, ignoring case and spaces."""
    return fold_name(name) in {fold_name(other) for other in others}


def fold_name(name: str) -> str:
    """The form in which names are compared."""
    return " ".join(normalize("NFKC", name).casefold().split())
