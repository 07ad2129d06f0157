"""The fixed phrases of an email, in the reader's language."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from string import Formatter
from typing import Annotated

from pydantic import ConfigDict, TypeAdapter, ValidationError

from locales.phrase import Phrase, gettext_noop, join_sentences
from mailer.errors import TemplateError
from mailer.rendering.themes.field_docs import Help
from mailer.rendering.themes.template_files import read_toml, template_folders

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
    """The phrases for ``language``, or for the nearest language available (``zh`` for ``zh-Hans``), or
    English.

    Raises:
        TemplateError: the file for that language lacks a phrase, has an unknown one, or one with an invalid
            placeholder.
    """
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


_MISSING = gettext_noop("%(names)s is missing.")
_SEVERAL_MISSING = gettext_noop("%(names)s are missing.")
_WHOLE_LANGUAGE = gettext_noop(
    "To change some of the phrases for %(language)s, write them into %(file)s instead."
)
_UNKNOWN = gettext_noop("%(names)s: no phrase has this name. Correct or delete the line.")
_NO_TEXT = gettext_noop("%(name)s must be a text between quotation marks.")


def _explain_faults(language: str, error: ValidationError) -> str:
    """What is wrong with the file of ``language``, one sentence for all the phrases it lacks."""
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
    """The language whose phrases :func:`load_phrases` uses for ``language``."""
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
                gettext_noop(
                    "%(phrase)s: the only placeholder allowed is %(field)s. Double any other braces."
                ),
                phrase=f"{key}: {phrase!r}",
                field=f"{{{field}}}",
            )


def _candidate_languages(language: str) -> Iterator[str]:
    parts = language.split("-")
    for length in range(len(parts), 0, -1):
        yield "-".join(parts[:length])
    yield FALLBACK_LANGUAGE
