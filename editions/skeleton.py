"""Writing the skeleton of an edition, with an example of each kind of story."""

import textwrap
from collections.abc import Iterator, Mapping
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from editions.changes.yaml_writer import quote_yaml
from editions.new_editions import create_edition_folder
from editions.skeleton_examples import IMAGE_NAME, Example, Values, edition_example, story_examples
from editions.source.folder import IMAGES_FOLDER, STORIES_FOLDER
from editions.source.front_matter import find_model

_WIDTH = 100
_TRANSLATION_LANGUAGE = "zh-Hans"


def format_example(example: Example) -> str:
    return "\n".join([*_file_lines(example), ""])


def _file_lines(example: Example) -> Iterator[str]:
    yield "---"
    explained = bool(example.commented_out)
    if explained:
        yield "# A key directly after a # is not set. Remove the # to set it."
    for key, field in example.schema.model_fields.items():
        if not explained and key not in example.values:
            continue
        if explained:
            yield ""
            yield from _description_lines(field)
        yield from _key_lines(
            key, field, example.values.get(key), example.commented_out.get(key), with_comments=explained
        )
    if example.translation:
        yield ""
        yield from _translation_lines(example.name, *example.translation)
    yield "---"
    yield ""
    yield example.body.strip()


def _description_lines(field: FieldInfo) -> Iterator[str]:
    text = field.description or ""
    if choices := _choices(field):
        text += f" One of {', '.join(choices)}."
    yield from (f"# {line}" for line in textwrap.wrap(text, _WIDTH - 2))


def _choices(field: FieldInfo) -> list[str]:
    kind = field.annotation
    return [*map(str, kind)] if isinstance(kind, type) and issubclass(kind, StrEnum) else []


def _key_lines(key: str, field: FieldInfo, written: Any, shown: Any, *, with_comments: bool) -> Iterator[str]:
    model = find_model(field.annotation)
    if written is None:
        yield from _comment_out(
            _value_lines(key, _example_value(key, field, shown), model, with_comments=with_comments)
        )
        return
    yield from _value_lines(key, written, model, with_comments=with_comments)
    if isinstance(shown, Mapping) and model is not None:
        for inner, value in shown.items():
            lines = _key_lines(inner, model.model_fields[inner], None, value, with_comments=with_comments)
            yield from (f"  {line}" for line in lines)


def _example_value(key: str, field: FieldInfo, shown: Any) -> Any:
    """Return the value to show for a key that is not set: its example, or else its default."""
    if shown is None and field.is_required():
        raise ValueError(f"the skeleton has no example of `{key}`, which every such file must have")
    return str(field.get_default(call_default_factory=True)) if shown is None else shown


def _value_lines(
    key: str, value: Any, model: type[BaseModel] | None, *, with_comments: bool
) -> Iterator[str]:
    if isinstance(value, Mapping):
        yield f"{key}:"
        yield from (f"  {line}" for line in _nested_lines(value, model, with_comments=with_comments))
    elif isinstance(value, list) and value and isinstance(value[0], Mapping):
        yield f"{key}:"
        for item in value:
            first, *others = _nested_lines(item, model, with_comments=with_comments)
            yield from (f"  - {first}", *(f"    {line}" for line in others))
    elif isinstance(value, list):
        yield f"{key}: [{', '.join(quote_yaml(item, in_flow=True) for item in value)}]"
    else:
        yield f"{key}: {value.isoformat() if isinstance(value, date) else quote_yaml(value)}"


def _nested_lines(values: Values, model: type[BaseModel] | None, *, with_comments: bool) -> Iterator[str]:
    """Yield the keys below a key, each with its explanation on the same line."""
    for key, value in values.items():
        field = model.model_fields[key] if model else None
        first, *others = _value_lines(
            key, value, find_model(field.annotation) if field else None, with_comments=with_comments
        )
        yield f"{first}  # {field.description}" if field and with_comments else first
        yield from others


def _comment_out(lines: Iterator[str]) -> Iterator[str]:
    """Put a ``#`` before each line, after its indentation."""
    for line in lines:
        text = line.lstrip(" ")
        yield f"{line[: len(line) - len(text)]}#{text}"


def _translation_lines(name: str, schema: type[BaseModel], values: Values, body: str) -> Iterator[str]:
    """Yield a comment that shows the same file in another language."""
    other = f"{name.removesuffix('.md')}.{_TRANSLATION_LANGUAGE}.md"
    yield f"# To translate this file into Chinese, write {other} with these keys and a body:"
    lines = ["---", *_translated_keys(schema, values), "---", "", body]
    yield from (f"#     {line}".rstrip() for line in lines)


def _translated_keys(schema: type[BaseModel], values: Values) -> Iterator[str]:
    for key, field in schema.model_fields.items():
        first, *others = _value_lines(key, values[key], find_model(field.annotation), with_comments=False)
        yield f"{first}  # {field.description}"
        yield from others


def create_skeleton(
    editions: Path,
    slug: str,
    *,
    organisation: str,
    sectors: Mapping[str, str],
    countries: Mapping[str, str],
    today: date,
) -> Path:
    """Create the example edition ``slug`` in the folder ``editions``, and return its folder. Its stories are
    about the first of ``sectors`` and ``countries`` (slugs and codes with their names), if there are any.
    Raise the errors of :func:`~editions.new_editions.create_empty_edition`."""
    with create_edition_folder(editions, slug, advice=f"mailer new {slug}-2") as building:
        for folder in (STORIES_FOLDER, IMAGES_FOLDER):
            (building / folder).mkdir()
        examples = [
            edition_example(slug, organisation, list(sectors), today),
            *story_examples(list(sectors), list(countries)),
        ]
        for example in examples:
            text = format_example(example)
            (building / example.name).write_text(text, encoding="utf-8", newline="\n")
        _draw_hills(building / IMAGES_FOLDER / IMAGE_NAME)
    return editions / slug


def _draw_hills(path: Path) -> None:
    """Draw a picture in flat colours, as wide as an email needs on a high-density screen."""
    from PIL import Image, ImageDraw

    picture = Image.new("P", (1184, 592))
    picture.putpalette(bytes.fromhex("f4efe4 c9d7cf 8fb0a4 3f7a6d e3a857".replace(" ", "")))
    draw = ImageDraw.Draw(picture)
    draw.ellipse((820, 90, 960, 230), fill=4)
    for colour, height, step in ((1, 330, 296), (2, 420, 237), (3, 500, 197)):
        for left in range(-step, 1184 + step, step):
            draw.ellipse((left, height - step // 3, left + 2 * step, height + 2 * step), fill=colour)
    picture.save(path, optimize=True)
