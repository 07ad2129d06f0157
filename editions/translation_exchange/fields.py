"""The texts in front matter that are translated: where they stand, and what they are for."""

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from editions.source.front_matter import FrontMatter
from editions.source.yaml_parser import KeyPath, YamlValue
from editions.translatable_texts import TextForm, TranslatableText, list_translatable_texts

_NOTES: Mapping[str, str] = MappingProxyType(
    {
        "date": "The day, as readers see it",
        "lead": "Summary in a digest",
        "period": "The period it covers",
        "subject": "Subject of the email, at most 70 characters",
        "preheader": "What inboxes show after the subject, 40 to 130 characters",
        "letter.title": "Heading of the letter",
        "letter.name": "Who signs the letter, if written otherwise",
        "letter.titles": "A line below the name",
        "read_more.what": "Words of a link: “Read more: …”",
        "button.what": "Words of the button",
        "video.what": "Words of the link to a video: “Watch: …”",
    }
)
_PICTURE_NOTES: Mapping[str, str] = MappingProxyType(
    {
        "alt": "Description of {0}, for readers who cannot see it",
        "caption": "Text below {0}",
        "credit": "Who made {0}",
    }
)
_PICTURES: Mapping[str, str] = MappingProxyType(
    {
        "image": "the picture",
        "images": "further picture {0}",
        "video": "the video’s picture",
        "letter.portrait": "the portrait",
    }
)

Field = tuple[KeyPath, str]
"""The keys that lead to a text, and a note for the translator."""


def list_fields(front_matter: FrontMatter, *, is_story: bool) -> Iterator[Field]:
    """The texts in the front matter of a story, or of the edition itself, that a translator gets: all but the
    addresses of links."""
    for text in list_translatable_texts(front_matter, is_story=is_story):
        if text.path[-1] != "url":
            note = _describe(text.path, is_story=is_story)
            yield from ((path, note) for path in _list_places(front_matter, text))


def _describe(path: KeyPath, *, is_story: bool) -> str:
    keys = [key for key in path if isinstance(key, str)]
    if path == ("title",):
        return "Heading of the story" if is_story else "Name of the newsletter"
    if path[0] == "introductions":
        return f"Introduction of the section {path[-1]}, in Markdown"
    if (note := _PICTURE_NOTES.get(keys[-1])) is not None:
        number = next((key + 1 for key in path if isinstance(key, int)), 0)
        return note.format(_PICTURES[".".join(keys[:-1])].format(number))
    return _NOTES[".".join(keys)]


def _list_places(front_matter: FrontMatter, text: TranslatableText) -> Iterator[KeyPath]:
    """Where a text is: a single item may stand without a list, and of several lines, each is a text."""
    path = text.path
    if text.form is TextForm.lines:
        lines = front_matter.value(*path)
        yield from ((*path, number) for number in range(len(lines) if isinstance(lines, list) else 0))
    elif len(path) > 1 and path[1] == 0 and not isinstance(front_matter.value(path[0]), list):
        yield (path[0], *path[2:])
    else:
        yield path


def apply_fields(
    values: Mapping[str, YamlValue], fields: Mapping[KeyPath, str], original: FrontMatter
) -> dict[str, YamlValue]:
    """Return the top-level keys of a translation's front matter that ``fields`` change, with new values.

    ``values`` are those of the translation now. Lists get as many items as the ``original`` has: an item
    says in which place it is by its place alone.
    """
    changed: dict[str, Any] = {}
    for path, text in fields.items():
        key = str(path[0])
        if len(path) == 1:
            changed[key] = text
            continue
        if key not in changed:
            changed[key] = _copy(values.get(key))
        changed[key] = _put(changed[key], path[1:], text, original.value(key))
    return changed


def _copy(value: "YamlValue | None") -> Any:
    if isinstance(value, dict):
        return {key: _copy(inner) for key, inner in value.items()}
    return [_copy(inner) for inner in value] if isinstance(value, list) else value


def _put(value: Any, path: Sequence[str | int], text: str, original: YamlValue) -> Any:
    first, rest = path[0], path[1:]
    if isinstance(first, int):
        items = value if isinstance(value, list) else [value] if value else []
        wanted = len(original) if isinstance(original, list) else first + 1
        items += [{} if rest else "" for _ in range(wanted - len(items))]
        inner = original[first] if isinstance(original, list) and first < len(original) else ""
        items[first] = _put(items[first], rest, text, inner) if rest else text
        return items
    found = value if isinstance(value, dict) else {}
    inner = original.get(first, "") if isinstance(original, dict) else ""
    return {**found, first: _put(found.get(first), rest, text, inner) if rest else text}
