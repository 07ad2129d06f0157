"""Validating front matter, with pydantic's errors as problems a writer understands."""

from collections.abc import Collection
from difflib import get_close_matches
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from editions.problem import Level, Problem
from editions.source.front_matter import FrontMatter
from locales.phrase import gettext_noop

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
    return Problem(
        path=path, line=front_matter.line_of(*key_path), level=Level.error, code=code, message=message
    )


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
    """``("read_more", 1, "url")`` as ``read_more[2].url``, counting from one as people do."""
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
    """The model in an annotation such as ``list[ReadMoreHeader]`` or ``ImageHeader | None``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(find_model, get_args(annotation))), None)
