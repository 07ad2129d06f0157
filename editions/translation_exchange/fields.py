"""The texts in front matter that are translated: where they stand, and what they are for."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from editions.source.front_matter import FrontMatter
from editions.source.yaml_parser import KeyPath, YamlValue

_PICTURE = (
    ("alt", "Description of {0}, for readers who cannot see it"),
    ("caption", "Text below {0}"),
    ("credit", "Who made {0}"),
)
_STORY = (
    ("title", "Heading of the story"),
    ("date", "The day, as readers see it"),
    ("lead", "Summary in a digest"),
)
_EDITION = (
    ("title", "Name of the newsletter"),
    ("period", "The period it covers"),
    ("subject", "Subject of the email, at most 70 characters"),
    ("preheader", "What inboxes show after the subject, 40 to 130 characters"),
)

Field = tuple[KeyPath, str]
"""The keys that lead to a text, and a note for the translator."""


def list_story_fields(front_matter: FrontMatter) -> Iterator[Field]:
    """The texts in the front matter of a story."""
    yield from _list_present(front_matter, (), _STORY)
    yield from _list_picture(front_matter, ("image",), "the picture")
    for number, path in enumerate(_item_paths(front_matter, "images"), 1):
        yield from _list_picture(front_matter, path, f"further picture {number}")
    for path in _item_paths(front_matter, "read_more"):
        yield from _list_present(front_matter, path, (("what", "Words of a link: “Read more: …”"),))
    yield from _list_present(front_matter, ("button",), (("what", "Words of the button"),))
    yield from _list_present(
        front_matter, ("video",), (("what", "Words of the link to a video: “Watch: …”"),)
    )
    yield from _list_picture(front_matter, ("video",), "the video’s picture")


def list_edition_fields(front_matter: FrontMatter) -> Iterator[Field]:
    """The texts in the front matter of the edition itself."""
    yield from _list_present(front_matter, (), _EDITION)
    letter = (("title", "Heading of the letter"), ("name", "Who signs the letter, if written otherwise"))
    yield from _list_present(front_matter, ("letter",), letter)
    titles = front_matter.value("letter", "titles")
    for number in range(len(titles) if isinstance(titles, list) else 0):
        yield ("letter", "titles", number), "A line below the name"
    yield from _list_picture(front_matter, ("letter", "portrait"), "the portrait")
    sections = front_matter.value("introductions")
    for section in sections if isinstance(sections, dict) else ():
        yield ("introductions", section), f"Introduction of the section {section}, in Markdown"


def _list_picture(front_matter: FrontMatter, path: KeyPath, what: str) -> Iterator[Field]:
    yield from _list_present(front_matter, path, [(key, note.format(what)) for key, note in _PICTURE])


def _list_present(
    front_matter: FrontMatter, path: KeyPath, keys: Sequence[tuple[str, str]]
) -> Iterator[Field]:
    for key, note in keys:
        if front_matter.text(*path, key):
            yield (*path, key), note


def _item_paths(front_matter: FrontMatter, key: str) -> list[KeyPath]:
    return front_matter.item_paths(key) if front_matter.value(key) else []


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
