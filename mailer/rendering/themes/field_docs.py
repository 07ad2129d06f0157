"""Documentation of fields, kept in their annotations for template authors: docs/templates.md is generated
from it."""

import inspect
from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from types import NoneType
from typing import Any, get_args, get_type_hints


@dataclass(frozen=True)
class Help:
    """One or more sentences about a field, in its annotation: ``Annotated[str, Help("What it is.")]``."""

    text: str


@dataclass(frozen=True, kw_only=True)
class FieldDoc:
    """A field or property: its ``type`` without annotations, and its help text, which may be empty."""

    name: str
    type: Any
    help: str


def describe_fields(holder: type) -> tuple[FieldDoc, ...]:
    """Return the fields of the dataclass ``holder`` in order, then its properties."""
    bare = get_type_hints(holder)
    full = get_type_hints(holder, include_extras=True)
    own = [
        FieldDoc(
            name=field.name,
            type=bare[field.name],
            help=next((part.text for part in get_args(full[field.name]) if isinstance(part, Help)), ""),
        )
        for field in fields(holder)
    ]
    derived = [
        FieldDoc(name=name, type=get_type_hints(member.fget)["return"], help=inspect.getdoc(member) or "")
        for name, member in vars(holder).items()
        if isinstance(member, property)
    ]
    return (*own, *derived)


def walk_dataclasses(holder: type) -> Iterator[type]:
    """Yield ``holder`` and every dataclass reachable by its fields, each once, as they are found."""
    waiting, seen = [holder], set()
    while waiting:
        current = waiting.pop(0)
        if current not in seen:
            seen.add(current)
            yield current
            waiting += [found for field in describe_fields(current) for found in find_dataclasses(field.type)]


def find_dataclasses(annotation: Any) -> Iterator[type]:
    """Yield the dataclasses in an annotation, also inside tuples, mappings and unions."""
    if isinstance(annotation, type) and is_dataclass(annotation):
        yield annotation
    for part in get_args(annotation):
        if part is not NoneType:
            yield from find_dataclasses(part)
