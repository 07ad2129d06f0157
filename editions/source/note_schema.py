"""The keys of the front matter of a note that corrects a story, and of its translations."""

from typing import Any

from pydantic import BaseModel, Field, create_model

from editions.source.field_values import IsoDate, LanguageTag, SingleLine
from editions.source.schema import FrontMatterModel
from locales.phrase import gettext_noop

# `is` is a word of Python's own, so these two cannot be written as classes.
_NOTE_KEYS: dict[str, Any] = {
    "was": (SingleLine, Field(description=gettext_noop("What was said, in the story's own words."))),
    "is": (SingleLine, Field(description=gettext_noop("What is right instead."))),
    "title": (
        SingleLine,
        Field(default="", description="The story's heading, if it was not sent in the note's language."),
    ),
}
NoteHeader: type[BaseModel] = create_model(
    "NoteHeader",
    __base__=FrontMatterModel,
    __doc__="The front matter of a note that corrects a story.",
    **_NOTE_KEYS,
    subject=(
        SingleLine,
        Field(default="", description="The email's subject, if it is not the title of the story."),
    ),
    date=(IsoDate | None, Field(default=None, description="The day of the correction, as in 2026-03-31.")),
    language=(
        LanguageTag | None,
        Field(default=None, description="The language it is written in, if not that of the edition."),
    ),
)
NoteTranslation: type[BaseModel] = create_model(
    "NoteTranslation",
    __base__=FrontMatterModel,
    __doc__="The front matter of a translation of such a note.",
    **_NOTE_KEYS,
    subject=(SingleLine, Field(default="", description="The email's subject in this language.")),
    translated_from=(
        SingleLine,
        Field(default="", description="The digest of the original that was translated."),
    ),
)
