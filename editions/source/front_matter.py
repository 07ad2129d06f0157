"""The front matter of a file: read, checked against its model, and mended where a preview must show it."""

from collections.abc import Collection, Mapping
from copy import deepcopy
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from editions.cache import BoundedCache
from editions.errors import Problem
from editions.source.text_file import TextFile
from editions.source.yaml_parser import KeyPath, YamlParser, YamlValue, parse_yaml
from locales.phrase import gettext_noop

_FENCE = "---"
# Parsing YAML takes longer than the rest of a file, and authors mostly change bodies.
_parsed_yaml: BoundedCache[YamlParser] = BoundedCache(50_000, measure=lambda parsed: len(parsed.lines) + 1)
H = TypeVar("H", bound=BaseModel)
_TEXT = "text"
_EXPECTED = {
    "string_type": _TEXT,
    "list_type": gettext_noop("a list"),
    "dict_type": gettext_noop("followed by indented keys"),
    "model_type": gettext_noop("followed by indented keys"),
    "model_attributes_type": gettext_noop("followed by indented keys"),
    "bool_type": gettext_noop("yes or no"),
    "bool_parsing": gettext_noop("yes or no"),
    "date_type": gettext_noop("a date, as in 2021-12-31"),
}
# Each round removes what the round before uncovered: a picture without an alt text, then the whole picture.
_MAX_ROUNDS = 10
# In place of a required text. A check must not take it for words, so it has no letters.
_PLACEHOLDERS = {"date": "2000-01-01"}
_TEXT_PLACEHOLDER = "…"
# Its heading and its name cannot be left out without the letter itself.
_KEPT_PARTS = frozenset({"letter"})
# Without the right language, nothing could be said about how a text is marked.
_NEEDED = frozenset({"language"})


@dataclass(frozen=True, kw_only=True)
class FrontMatter:
    """A file split into front matter and body. ``values`` is None when the front matter could not be read. An
    empty value counts as not given, and is left out. ``body`` is Markdown and begins on line ``body_line`` of
    the file; ``lines`` has the line of each key and each item, counted from the top of the file."""

    values: dict[str, YamlValue] | None
    lines: Mapping[KeyPath, int]
    body: str
    body_line: int

    def line_of(self, *key_path: str | int) -> int:
        """Return the line of the key path, or of the nearest one around it that exists."""
        while key_path and key_path not in self.lines:
            key_path = key_path[:-1]
        return self.lines.get(key_path, 1)

    def value(self, *key_path: str | int) -> YamlValue:
        """Return the value at the key path; an empty text when there is none."""
        value: YamlValue = self.values or {}
        for part in key_path:
            if isinstance(value, dict) and isinstance(part, str):
                value = value.get(part, "")
            elif isinstance(value, list) and isinstance(part, int) and part < len(value):
                value = value[part]
            else:
                return ""
        return value

    def text(self, *key_path: str | int) -> str:
        """Return the text at the key path on one line; empty when there is none."""
        value = self.value(*key_path)
        return " ".join(value.split()) if isinstance(value, str) else ""

    def item_paths(self, key: str) -> list[KeyPath]:
        """Return the key paths of the items of ``key``, which may be a list or a single item."""
        written = self.value(key)
        return [(key, number) for number in range(len(written))] if isinstance(written, list) else [(key,)]


def read_front_matter(file: TextFile) -> tuple[FrontMatter, list[Problem]]:
    """Split ``file`` at its ``---`` lines and parse the front matter; errors are returned as problems."""
    lines = file.text.split("\n")
    if lines[0].rstrip() != _FENCE:
        return _without_values(file.text, 1), [
            Problem.error(
                file.name,
                1,
                "no-front-matter",
                gettext_noop(
                    "the file does not begin with front matter, so it has no title. Begin with a line ---, "
                    "then `title: …` and the other keys, then another line ---."
                ),
            )
        ]
    end = next((number for number, line in enumerate(lines[1:], start=1) if line.rstrip() == _FENCE), None)
    if end is None:
        return _without_values("", len(lines)), [
            Problem.error(
                file.name,
                1,
                "open-front-matter",
                gettext_noop(
                    "the front matter is not closed, so the file has no body. Add a line --- after the last "
                    "key."
                ),
            )
        ]
    written = "\n".join(lines[1:end])
    parsed = _parsed_yaml.get_or_create(
        (file.name, written), lambda: parse_yaml(written, name=file.name, first_line=2)
    )
    front = FrontMatter(
        values=parsed.values,
        lines=parsed.lines,
        body="\n".join(lines[end + 1 :]),
        body_line=min(end + 2, len(lines)),
    )
    return front, [*parsed.problems]


def _without_values(body: str, body_line: int) -> FrontMatter:
    return FrontMatter(values=None, lines={}, body=body, body_line=body_line)


def validate_front_matter(
    schema: type[H], front_matter: FrontMatter, *, path: str, sectors: Collection[str]
) -> tuple[H | None, list[Problem]]:
    """Validate the front matter of the file ``path`` with ``schema``; each error is a problem at its line."""
    if front_matter.values is None:
        return None, []
    try:
        return schema.model_validate(front_matter.values, context={"sectors": tuple(sectors)}), []
    except ValidationError as error:
        return None, [
            _to_problem(schema, front_matter, path, detail) for detail in error.errors(include_url=False)
        ]


def _to_problem(
    schema: type[BaseModel], front_matter: FrontMatter, path: str, detail: ErrorDetails
) -> Problem:
    key_path, kind = detail["loc"], detail["type"]
    # pydantic puts "[key]" after the place of a mapping's key.
    key_path = key_path[:-1] if key_path and key_path[-1] == "[key]" else key_path
    dotted = _dotted_path(key_path)
    if kind == "missing":
        code, message = "missing-key", _explain_missing(schema, key_path, dotted)
    elif kind == "extra_forbidden":
        code, message = "unknown-key", _explain_unknown(schema, key_path, dotted)
    elif kind in _EXPECTED:
        code = "wrong-type"
        expected = _describe_expected(schema, key_path, kind)
        words = (
            gettext_noop("`%(key_path)s` must be text. %(found)s")
            if expected == _TEXT
            else gettext_noop("`%(key_path)s` must be %(expected)s. %(found)s")
        )
        message = words % {
            "key_path": dotted,
            "expected": expected,
            "found": _describe_value(front_matter, key_path),
        }
    else:
        code, message = kind, f"`{dotted}`: {detail['msg']}"
    return Problem.error(path, front_matter.line_of(*key_path), code, message)


def _explain_missing(schema: type[BaseModel], key_path: tuple[int | str, ...], dotted: str) -> str:
    field = _model_at(schema, key_path[:-1]).model_fields[str(key_path[-1])]
    return gettext_noop("`%(key_path)s` is missing or empty. %(description)s Add a line `%(key)s: …`.") % {
        "key_path": dotted,
        "description": field.description,
        "key": key_path[-1],
    }


def _explain_unknown(schema: type[BaseModel], key_path: tuple[int | str, ...], dotted: str) -> str:
    known = list(_model_at(schema, key_path[:-1]).model_fields)
    close = get_close_matches(str(key_path[-1]).lower(), known, n=1, cutoff=0.6)
    advice = (
        gettext_noop("Did you mean `%(key)s`?") % {"key": close[0]}
        if close
        else gettext_noop("Use one of: %(keys)s.") % {"keys": ", ".join(known)}
    )
    return gettext_noop("`%(key_path)s` is not a key of this file, so it would be ignored. %(advice)s") % {
        "key_path": dotted,
        "advice": advice,
    }


def _describe_expected(schema: type[BaseModel], key_path: tuple[int | str, ...], kind: str) -> str:
    field = _model_at(schema, key_path[:-1]).model_fields.get(str(key_path[-1]))
    model = None if field is None else find_model(field.annotation)
    if model is None:
        return gettext_noop("a list, such as [one, two]") if kind == "list_type" else _EXPECTED[kind]
    keys = [key for key, inner in model.model_fields.items() if inner.is_required()]
    return gettext_noop("followed by indented keys, one on each line: `%(keys)s`") % {
        "keys": "`, `".join(keys or model.model_fields)
    }


def _describe_value(front_matter: FrontMatter, key_path: tuple[int | str, ...]) -> str:
    value = front_matter.value(*key_path)
    if isinstance(value, str):
        return gettext_noop("It is the text %(value)s.") % {"value": f"{value!r}"}
    return (
        gettext_noop("It is a list.") if isinstance(value, list) else gettext_noop("It is followed by keys.")
    )


def _dotted_path(key_path: tuple[int | str, ...]) -> str:
    """Return ``("read_more", 1, "url")`` as ``read_more[2].url``, counting from one as people do."""
    text = ""
    for part in key_path:
        text += f"[{part + 1}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _model_at(schema: type[BaseModel], key_path: tuple[int | str, ...]) -> type[BaseModel]:
    for part in key_path:
        if isinstance(part, str):
            schema = find_model(schema.model_fields[part].annotation) or schema
    return schema


def find_model(annotation: Any) -> type[BaseModel] | None:
    """Return the model in an annotation such as ``list[ReadMoreHeader]`` or ``ImageHeader | None``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(find_model, get_args(annotation))), None)


def repair_header(schema: type[H], values: Mapping[str, Any] | None, *, sectors: Collection[str]) -> H | None:
    """Return the front matter ``values`` as a ``schema``, without the keys and items that are wrong, and with
    “…” for required texts. None if what is wrong cannot be left out."""
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
    """Return the key path to mend, and whether to put something in its place."""
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
