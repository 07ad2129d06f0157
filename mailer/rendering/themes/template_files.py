"""Templates and their data, such as the fixed phrases: the workspace's own first, then ours."""

import os
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from string import Formatter
from typing import Annotated, Any, TypeAlias

from pydantic import ConfigDict, TypeAdapter, ValidationError

import templates
from editions.cache import FileStamp, is_settled, stamp_from_stat
from locales.phrase import Phrase, gettext_noop, join_sentences
from mailer.errors import TemplateError
from mailer.rendering.themes.field_docs import Help

FALLBACK_LANGUAGE = "en"
# The placeholder allowed in each phrase. Python's format strings can do more than a phrase should:
# "{count:999999999}" makes a gigabyte.
_PLACEHOLDERS = {
    "issue": "number",
    "stories": "count",
    "read_more": "what",
    "watch": "what",
    "greeting": "name",
    "why": "organisation",
    "correction": "what",
}
_KINDS = ("missing", "unexpected_keyword_argument")
_MISSING = gettext_noop("%(names)s is missing.")
_SEVERAL_MISSING = gettext_noop("%(names)s are missing.")
_WHOLE_LANGUAGE = gettext_noop(
    "To change some of the phrases for %(language)s, write them into %(file)s instead."
)
_UNKNOWN = gettext_noop("%(names)s: no phrase has this name. Correct or delete the line.")
_NO_TEXT = gettext_noop("%(name)s must be a text between quotation marks.")


def template_folders(overrides: Path | None) -> tuple[Path, ...]:
    """Return the folders to search for templates, in order."""
    return (templates.ROOT,) if overrides is None else (overrides, templates.ROOT)


FileStamps: TypeAlias = tuple[tuple[str, FileStamp], ...]
"""The files that templates may consist of, by path, each with its stamp."""


class _UnknownStateError(Exception):
    """It cannot be determined whether a template has changed."""


def stamp_templates(overrides: Path | None) -> FileStamps | None:
    """Return stamps that show whether any template has changed; None while that cannot be determined, because
    a file has just been written or deleted, or is reached through a link."""
    stamps: list[tuple[str, FileStamp]] = []
    try:
        for folder in (overrides, templates.ROOT / "email"):
            if folder is not None and folder.is_dir():
                _stamp_files(str(folder), stamps)
    except (_UnknownStateError, OSError):
        return None
    return tuple(stamps) if all(is_settled(stamp) for _, stamp in stamps) else None


def _stamp_files(folder: str, stamps: list[tuple[str, FileStamp]]) -> None:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                if entry.name != "__pycache__":
                    _stamp_files(entry.path, stamps)
            elif entry.is_file():
                stamps.append((entry.path, stamp_from_stat(entry.stat())))
            elif entry.is_symlink() and entry.is_dir():
                # It may lead anywhere, even in a circle.
                raise _UnknownStateError


def read_toml(name: str, overrides: Path | None) -> dict[str, Any]:
    """Read the data file ``name`` (such as ``email/periodical.toml``), the workspace's lines merged over
    ours. Raise TemplateError if there is no such file, or one of them is not valid TOML."""
    merged: dict[str, Any] = {}
    found = [path for folder in reversed(template_folders(overrides)) if (path := folder / name).is_file()]
    if not found:
        raise TemplateError(gettext_noop("%(name)s: not found among the templates."), name=name)
    for path in found:
        try:
            merged = _merge(merged, _parse_toml(path.read_text(encoding="utf-8")))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise TemplateError(
                gettext_noop("%(path)s: not valid TOML: %(error)s. Fix the line and try again."),
                path=path,
                error=error,
            ) from error
    return merged


@lru_cache(maxsize=64)
def _parse_toml(text: str) -> dict[str, Any]:
    """Parse ``text``. The result is shared by all callers with the same text and must not be changed."""
    return tomllib.loads(text)


def _merge(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        inner = merged.get(key)
        if isinstance(inner, dict) and isinstance(value, dict):
            merged[key] = _merge(inner, value)
        else:
            merged[key] = value
    return merged


@dataclass(frozen=True, kw_only=True)
class Phrases:
    """The phrases of one language; what is in braces is filled in before a template sees it, or by the
    template."""

    __pydantic_config__ = ConfigDict(extra="forbid", frozen=True)

    language: Annotated[str, Help("Their language tag.")]
    issue: Annotated[str, Help('"No. {number}": see `page.issue`.')]
    contents: Annotated[str, Help('"In this issue".')]
    view: Annotated[str, Help('"View in browser".')]
    one_story: Annotated[str, Help('"1 story": see `section.count`.')]
    stories: Annotated[str, Help('"{count} stories": see `section.count`.')]
    read_more: Annotated[str, Help('"Read more: {what}": see `link.label`.')]
    follow: Annotated[str, Help('"Follow us".')]
    greeting: Annotated[str, Help('"Dear {name},": see `page.merge_tag.greeting`.')]
    why: Annotated[str, Help('"You receive this newsletter because…": see `page.why`.')]
    preferences: Annotated[str, Help('"Choose what you receive".')]
    unsubscribe: Annotated[str, Help('"Unsubscribe".')]
    # Later than the others, with a default in English: mails in a language that a workspace has phrases of
    # its own for go on being made.
    watch: Annotated[str, Help('"Watch: {what}": see `video.label`.')] = "Watch: {what}"
    ai_generated: Annotated[str, Help('"Made with AI": see `picture.ai`.')] = "Made with AI"
    ai_edited: Annotated[str, Help('"Edited with AI": see `picture.ai`.')] = "Edited with AI"
    ai_text_generated: Annotated[str, Help('"Text written with AI": see `story.ai`.')] = (
        "Text written with AI"
    )
    ai_text_edited: Annotated[str, Help('"Text edited with AI": see `story.ai`.')] = "Text edited with AI"
    correction: Annotated[str, Help('"Correction: {what}": the subject of a correction.')] = (
        "Correction: {what}"
    )
    correction_was: Annotated[str, Help('"What we wrote": above what a correction takes back.')] = (
        "What we wrote"
    )
    correction_is: Annotated[str, Help('"What is right": above what a correction says instead.')] = (
        "What is right"
    )
    verify: Annotated[str, Help('"Is this really from us? Check the code:" above the code.')] = (
        "Is this really from us? Check the code:"
    )
    sections: Annotated[dict[str, str], Help("Section titles, by key: see `section.title`.")]
    # Later than the others: a file that a workspace made before it is complete without it, until a digest
    # needs it.
    read_story: Annotated[str, Help('"Read the story": the link of a card in a digest.')] = ""


@cache
def _phrases_schema() -> TypeAdapter[Phrases]:
    return TypeAdapter(Phrases)


def load_phrases(language: str, overrides: Path | None = None) -> Phrases:
    """Return the phrases for ``language``, or for the nearest language available (``zh`` for ``zh-Hans``), or
    English. Raise TemplateError if the file for that language lacks a phrase, has an unknown one, or one with
    an invalid placeholder."""
    nearest = find_phrase_language(language, overrides)
    name = _phrase_file(nearest)
    try:
        words = _phrases_schema().validate_python({"language": nearest, **read_toml(name, overrides)})
    except ValidationError as error:
        raise TemplateError(_explain_faults(nearest, error)) from error
    unfillable = [f"{name}: {fault}" for fault in _find_bad_placeholders(words)]
    if unfillable:
        raise TemplateError("\n".join(unfillable))
    return words


def _explain_faults(language: str, error: ValidationError) -> str:
    """Say what is wrong with the file of ``language``, one sentence for all the phrases it lacks."""
    name, faults = _phrase_file(language), error.errors(include_url=False)
    keys = {
        kind: [".".join(map(str, fault["loc"])) for fault in faults if fault["type"] == kind]
        for kind in _KINDS
    }
    missing, unknown = keys["missing"], keys["unexpected_keyword_argument"]
    sentences = []
    if missing:
        told = [
            Phrase(_MISSING if len(missing) == 1 else _SEVERAL_MISSING, names=", ".join(missing)),
            gettext_noop("A language of its own needs all phrases: docs/templates.md lists them."),
        ]
        if "-" in language:
            whole = language.partition("-")[0]
            told.append(Phrase(_WHOLE_LANGUAGE, language=whole, file=_phrase_file(whole)))
        sentences.append(join_sentences(told))
    if unknown:
        sentences.append(Phrase(_UNKNOWN, names=", ".join(unknown)))
    sentences += [
        Phrase(_NO_TEXT, name=".".join(map(str, fault["loc"])))
        for fault in faults
        if fault["type"] not in _KINDS
    ]
    return "\n".join(f"{name}: {sentence}" for sentence in sentences)


def find_phrase_language(language: str, overrides: Path | None = None) -> str:
    """Return the language whose phrases :func:`load_phrases` uses for ``language``."""
    folders = template_folders(overrides)
    return next(
        candidate
        for candidate in _candidate_languages(language)
        if candidate == FALLBACK_LANGUAGE
        or any((folder / _phrase_file(candidate)).is_file() for folder in folders)
    )


def _phrase_file(language: str) -> str:
    return f"email/words/{language}.toml"


def _find_bad_placeholders(words: Phrases) -> Iterator[str]:
    for key, field in _PLACEHOLDERS.items():
        phrase = getattr(words, key)
        try:
            pieces = [piece[1:] for piece in Formatter().parse(phrase) if piece[1] is not None]
        except ValueError:
            pieces = [("", "", None)]
        if any(piece != (field, "", None) for piece in pieces):
            yield Phrase(
                "%(phrase)s: the only placeholder allowed is %(field)s. Double any other braces.",
                phrase=f"{key}: {phrase!r}",
                field=f"{{{field}}}",
            )


def _candidate_languages(language: str) -> Iterator[str]:
    parts = language.split("-")
    for length in range(len(parts), 0, -1):
        yield "-".join(parts[:length])
    yield FALLBACK_LANGUAGE
