"""Generate JSON Schemas of front matter, which let editors complete and check it."""

import json
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any

from pydantic import BaseModel

from editions.correction_note import NoteHeader, NoteTranslation
from editions.model import Personalisation, StoryKind
from editions.source.schema import EditionHeader, EditionTranslation, StoryHeader, StoryTranslation


def list_schemas(read_meanings: Callable[[type[StrEnum]], Mapping[str, str]]) -> dict[str, str]:
    """Return the schemas by file name; ``read_meanings`` returns the docstring of each member of an enum."""
    kinds: dict[str, type[BaseModel]] = {
        "edition": EditionHeader,
        "edition-translation": EditionTranslation,
        "story": StoryHeader,
        "story-translation": StoryTranslation,
        "correction": NoteHeader,
        "correction-translation": NoteTranslation,
    }
    return {f"{name}.schema.json": _write_schema(model, read_meanings) for name, model in kinds.items()}


def _write_schema(model: type[BaseModel], read_meanings: Callable[[type[StrEnum]], Mapping[str, str]]) -> str:
    schema = _trim_schema(model.model_json_schema())
    schema = {"$schema": "http://json-schema.org/draft-07/schema#", **schema}
    for enum in (StoryKind, Personalisation):
        if described := schema.get("$defs", {}).get(enum.__name__):
            described["enumDescriptions"] = list(read_meanings(enum).values())
    return json.dumps(schema, ensure_ascii=False, indent=2) + "\n"


def _trim_schema(part: Any) -> Any:
    """Remove what pydantic adds and editors do not need: titles made from names, and null, because an empty
    value counts as missing."""
    if isinstance(part, list):
        return [_trim_schema(item) for item in part]
    if not isinstance(part, dict):
        return part.replace("``", "`") if isinstance(part, str) else part
    if len(choices := part.get("anyOf", [])) == 2 and {"type": "null"} in choices:
        (choice,) = (choice for choice in choices if choice != {"type": "null"})
        part = choice | {key: value for key, value in part.items() if key not in {"anyOf", "default"}}
    dull = {"title"} if isinstance(part.get("title"), str) else set()
    trimmed = {key: _trim_schema(value) for key, value in part.items() if key not in dull}
    if trimmed.get("items", {}).get("$ref", "").endswith("ReadMoreHeader"):
        # A single link may be written without a list.
        both = [trimmed["items"], {"type": "array", "items": trimmed["items"]}]
        return {"description": trimmed["description"], "anyOf": both}
    return trimmed
