"""Front matter with errors, made valid by leaving its faults out.

A story with a wrong country code has a mail all the same, and what is wrong with that mail should be told in
the same run. What comes out of here is for checks alone: nobody is sent it.
"""

from collections.abc import Collection, Mapping
from copy import deepcopy
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

H = TypeVar("H", bound=BaseModel)

# Each round removes what the round before uncovered: a picture without an alt text, then the whole picture.
_MAX_ROUNDS = 10
# In place of a required text. A check must not take it for words, so it has no letters.
_PLACEHOLDERS = {"date": "2000-01-01"}
_TEXT_PLACEHOLDER = "…"
# Its heading and its name cannot be left out without the letter itself.
_KEPT_PARTS = frozenset({"letter"})
# Without the right language, nothing could be said about how a text is marked.
_NEEDED = frozenset({"language"})


def repair_header(schema: type[H], values: Mapping[str, Any] | None, *, sectors: Collection[str]) -> H | None:
    """The front matter ``values`` as a ``schema``, without the keys and items that are wrong, and with “…”
    for required texts. None if what is wrong cannot be left out."""
    written: dict[str, Any] = deepcopy(dict(values or {}))
    for _ in range(_MAX_ROUNDS):
        try:
            return schema.model_validate(written, context={"sectors": tuple(sectors)})
        except ValidationError as error:
            details = error.errors(include_url=False)
        if any(_NEEDED.intersection(map(str, detail["loc"][:1])) for detail in details):
            return None
        # From the last item of a list to the first, so that the numbers stay right.
        targets = dict.fromkeys(_find_target(detail) for detail in details)
        for target in sorted(targets, key=_sort_key, reverse=True):
            _mend(written, target)
    return None


def _find_target(detail: ErrorDetails) -> tuple[tuple[int | str, ...], bool]:
    """The key path to mend, and whether to put something in its place."""
    path = detail["loc"]
    path = path[:-1] if path and path[-1] == "[key]" else path
    if detail["type"] != "missing":
        return path, False
    if len(path) == 1 or path[0] in _KEPT_PARTS:
        return path, True
    return path[:-1], False


def _sort_key(target: tuple[tuple[int | str, ...], bool]) -> tuple[tuple[bool, int, str], ...]:
    return tuple(
        (isinstance(part, int), part if isinstance(part, int) else 0, str(part)) for part in target[0]
    )


def _mend(written: dict[str, Any], target: tuple[tuple[int | str, ...], bool]) -> None:
    path, fill = target
    holder: Any = written
    try:
        for part in path[:-1]:
            holder = holder[part]
        if fill:
            holder[path[-1]] = _PLACEHOLDERS.get(str(path[-1]), _TEXT_PLACEHOLDER)
        else:
            del holder[path[-1]]
    except (KeyError, IndexError, TypeError):
        # A single item was written for a list, so its place is not where the schema says.
        written.pop(str(path[0]), None)
