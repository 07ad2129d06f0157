"""Generate parts of docs/templates.md: what a template can use."""

import inspect
import types
from collections.abc import Iterator
from dataclasses import is_dataclass
from enum import StrEnum
from typing import Any, Literal, Union, get_args, get_origin

from generated_docs import read_meanings

from mailer.rendering.body.fragments import FragmentKind
from mailer.rendering.template_context.page import (
    FollowView,
    GalleryRow,
    LetterView,
    LinkView,
    MergeTags,
    Page,
    PictureView,
    SectionView,
    StoryView,
    VideoView,
)
from mailer.rendering.themes.field_docs import FieldDoc, describe_fields, walk_dataclasses
from mailer.rendering.themes.template_files import Phrases
from mailer.rendering.themes.theme import Accent, Theme, TypeStep
from mailer.rendering.themes.theme_files import load_theme, theme_names

_TOKENS = set(walk_dataclasses(Theme))
_PATHS: dict[type, str] = {
    Page: "page",
    LetterView: "page.letter",
    SectionView: "section in page.sections",
    StoryView: "story in section.stories",
    LinkView: "link in story.links, story.button",
    VideoView: "story.video",
    GalleryRow: "row in story.gallery",
    PictureView: "story.picture, picture in row.pictures, story.video.picture, page.letter.portrait, "
    "page.logo",
    FollowView: "place in page.follow",
    Phrases: "page.words",
    Accent: "section.accent, story.accent, accent in page.accents",
    MergeTags: "page.merge_tag",
}


def describe_page() -> str:
    """Return Markdown: a section for every type below ``page`` except its theme, with a row per field."""
    holders = [holder for holder in walk_dataclasses(Page) if holder not in _TOKENS]
    return "\n\n".join(_describe_holder(holder) for holder in holders)


def describe_tokens() -> str:
    """Return Markdown: a section per table of a theme's file, with the values of each built-in theme."""
    return "\n\n".join(_describe_table(table) for table in describe_fields(Theme) if _is_table(table))


def describe_fragments() -> str:
    """Markdown: the kinds of fragments that a template marks."""
    return _describe_members(FragmentKind, "kind")


def _describe_holder(holder: type) -> str:
    rows = [
        f"| `{field.name}` | {name_type(field.type)} | {_cell(field.help)} |"
        for field in describe_fields(holder)
    ]
    head = ["| field | value | what it is |", "|---|---|---|"]
    where = ", ".join(f"`{path}`" for path in _PATHS[holder].split(", "))
    doc = inspect.getdoc(holder) or ""
    return "\n".join([f"### {holder.__name__}", "", f"{where}. {doc}", "", *head, *rows])


def _describe_table(table: FieldDoc) -> str:
    names = theme_names()
    head = [
        "| token | meaning | " + " | ".join(f"`{name}`" for name in names) + " |",
        "|---|---|" + "---|" * len(names),
    ]
    doc = (table.type.__doc__ or "") if is_dataclass(table.type) else table.help
    summary = " ".join(doc.replace("``", "`").split())
    return "\n".join([f"### [{table.name}]", "", summary, "", *head, *_describe_rows(table)])


def _describe_rows(table: FieldDoc) -> Iterator[str]:
    themes = [load_theme(name) for name in theme_names()]
    if is_dataclass(table.type):
        for token in describe_fields(table.type):
            held = [getattr(getattr(theme, table.name), token.name) for theme in themes]
            yield f"| `{token.name}` | {_cell(token.help)} | " + " | ".join(map(_show, held)) + " |"
        return
    maps = [getattr(theme, table.name) for theme in themes]
    for key in dict.fromkeys(key for entries in maps for key in entries):
        yield f"| `{key}` | | " + " | ".join(_show(entries.get(key)) for entries in maps) + " |"


def _describe_members(members: type[StrEnum], head: str) -> str:
    meanings = read_meanings(members)
    rows = [f"| `{member}` | {_cell(meanings[member.name])} |" for member in members]
    return "\n".join([f"| {head} | what it is |", "|---|---|", *rows])


def _is_table(field: FieldDoc) -> bool:
    """Not ``content`` and ``beside``, which a theme computes itself."""
    return field.type is not int


def _show(value: Any) -> str:
    """Format a token as in a theme's file."""
    if isinstance(value, TypeStep):
        return f"`{{ size = {value.size}, line = {value.line} }}`"
    if isinstance(value, tuple):
        return "`[" + ", ".join(f'"{part}"' for part in value) + "]`"
    if isinstance(value, dict):
        return ", ".join(f"`{key}`" for key in value)
    if value is None:
        return ""
    return f'`"{value}"`' if isinstance(value, str) else f"`{value}`"


def name_type(annotation: Any) -> str:
    """Describe the kind of value a field holds."""
    if get_origin(annotation) is Literal:
        return " or ".join(f"`{choice}`" for choice in get_args(annotation))
    if get_origin(annotation) in {Union, types.UnionType}:
        return " or ".join(
            "nothing" if part is type(None) else name_type(part) for part in get_args(annotation)
        )
    if get_origin(annotation) is tuple:
        return f"list of {name_type(get_args(annotation)[0])}"
    if get_origin(annotation) is dict:
        return f"{name_type(get_args(annotation)[1])} by key"
    words = {
        "str": "text",
        "int": "whole number",
        "bool": "true or false",
        "Markup": "markup",
        "Theme": "the [tokens](#tokens)",
    }
    name = annotation.__name__
    return words.get(name) or f"[{name}](#{name.lower()})"


def _cell(text: str) -> str:
    return " ".join(text.replace("``", "`").replace("|", "\\|").split())
