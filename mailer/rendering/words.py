"""What the mail says besides its content, in the reader's language."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import ConfigDict, TypeAdapter, ValidationError

from mailer.errors import TemplateError
from mailer.rendering.sources import read_toml, template_folders

FALLBACK = "en"


@dataclass(frozen=True, kw_only=True)
class Words:
    """The phrases of one language, ``language``; what stands in braces is filled in."""

    __pydantic_config__ = ConfigDict(extra="forbid", frozen=True)

    language: str
    issue: str
    contents: str
    view: str
    one_story: str
    stories: str
    read_more: str
    follow: str
    greeting: str
    why: str
    preferences: str
    unsubscribe: str
    sections: dict[str, str]

    def count_stories(self, count: int) -> str:
        return self.one_story if count == 1 else self.stories.format(count=count)


def load_words(language: str, overrides: Path | None = None) -> Words:
    """The phrases for ``language``, or for the nearest we have (``zh-Hans`` takes ``zh``), or English.

    Raises:
        TemplateError: the file of that language lacks a phrase or has one too many.
    """
    folders = template_folders(overrides)
    for candidate in _candidates(language):
        name = f"email/words/{candidate}.toml"
        if any((folder / name).is_file() for folder in folders):
            break
    try:
        return TypeAdapter(Words).validate_python({"language": candidate, **read_toml(name, overrides)})
    except ValidationError as error:
        faults = (f"{name}: {'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        raise TemplateError("\n".join(faults)) from error


def _candidates(language: str) -> Iterator[str]:
    parts = language.split("-")
    for length in range(len(parts), 0, -1):
        yield "-".join(parts[:length])
    yield FALLBACK
