"""A file's text from its example: each key below its explanation, those not set behind a ``#``."""

import textwrap
from collections.abc import Iterator, Mapping
from datetime import date
from enum import StrEnum
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from editions.new_edition import quote_value
from editions.skeleton.examples import Example, Values
from editions.source.validation_errors import schema_in

_WIDTH = 100
_TRANSLATED = "zh-Hans"


def compose_example(example: Example) -> str:
    """The text of the file ``example`` shows."""
    return "\n".join([*_write_file(example), ""])


def _write_file(example: Example) -> Iterator[str]:
    yield "---"
    explained = bool(example.shown)
    if explained:
        yield "# A key behind a # without a space is not set; take the # away to set it."
    for key, field in example.schema.model_fields.items():
        if not explained and key not in example.written:
            continue
        if explained:
            yield ""
            yield from _explain(field)
        yield from _write_key(
            key, field, example.written.get(key), example.shown.get(key), explained=explained
        )
    if example.translation:
        yield ""
        yield from _translate(example.name, *example.translation)
    yield "---"
    yield ""
    yield example.body.strip()


def _explain(field: FieldInfo) -> Iterator[str]:
    said = field.description or ""
    if choices := _choices(field):
        said += f" One of {', '.join(choices)}."
    yield from (f"# {line}" for line in textwrap.wrap(said, _WIDTH - 2))


def _choices(field: FieldInfo) -> list[str]:
    kind = field.annotation
    return [*map(str, kind)] if isinstance(kind, type) and issubclass(kind, StrEnum) else []


def _write_key(key: str, field: FieldInfo, written: Any, shown: Any, *, explained: bool) -> Iterator[str]:
    model = schema_in(field.annotation)
    if written is None:
        yield from _hide(_write_value(key, _example_of(key, field, shown), model, explained=explained))
        return
    yield from _write_value(key, written, model, explained=explained)
    if isinstance(shown, Mapping) and model is not None:
        for inner, value in shown.items():
            lines = _write_key(inner, model.model_fields[inner], None, value, explained=explained)
            yield from (f"  {line}" for line in lines)


def _example_of(key: str, field: FieldInfo, shown: Any) -> Any:
    """What to show of a key that is not set: its example, or else what it is without one."""
    if shown is None and field.is_required():
        raise ValueError(f"the skeleton has no example of `{key}`, which every such file must have")
    return str(field.get_default(call_default_factory=True)) if shown is None else shown


def _write_value(key: str, value: Any, model: type[BaseModel] | None, *, explained: bool) -> Iterator[str]:
    if isinstance(value, Mapping):
        yield f"{key}:"
        yield from (f"  {line}" for line in _write_nested(value, model, explained=explained))
    elif isinstance(value, list) and value and isinstance(value[0], Mapping):
        yield f"{key}:"
        for item in value:
            first, *others = _write_nested(item, model, explained=explained)
            yield from (f"  - {first}", *(f"    {line}" for line in others))
    elif isinstance(value, list):
        yield f"{key}: [{', '.join(quote_value(item, in_row=True) for item in value)}]"
    else:
        yield f"{key}: {value.isoformat() if isinstance(value, date) else quote_value(value)}"


def _write_nested(values: Values, model: type[BaseModel] | None, *, explained: bool) -> Iterator[str]:
    """Keys below a key, each explained on its own line."""
    for key, value in values.items():
        field = model.model_fields[key] if model else None
        first, *others = _write_value(
            key, value, schema_in(field.annotation) if field else None, explained=explained
        )
        yield f"{first}  # {field.description}" if field and explained else first
        yield from others


def _hide(lines: Iterator[str]) -> Iterator[str]:
    """Put a ``#`` before each line, behind its indent."""
    for line in lines:
        words = line.lstrip(" ")
        yield f"{line[: len(line) - len(words)]}#{words}"


def _translate(name: str, schema: type[BaseModel], values: Values, body: str) -> Iterator[str]:
    """How the same file looks in another language, as an explanation."""
    other = f"{name.removesuffix('.md')}.{_TRANSLATED}.md"
    yield f"# The same in Chinese is {other}, with the words of this file and none of its facts:"
    lines = ["---", *_translated_keys(schema, values), "---", "", body]
    yield from (f"#     {line}".rstrip() for line in lines)


def _translated_keys(schema: type[BaseModel], values: Values) -> Iterator[str]:
    for key, field in schema.model_fields.items():
        first, *others = _write_value(key, values[key], schema_in(field.annotation), explained=False)
        yield f"{first}  # {field.description}"
        yield from others
