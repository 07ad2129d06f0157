"""A mail of one story, for tests of what a story can hold."""

from functools import cache
from pathlib import Path

from editions.reader import read_edition
from mailer.rendering.compiled_edition import CompiledEdition
from mailer.rendering.edition_compiler import compile_edition
from mailer.settings import Settings
from tests.factories.draft_edition import SECTORS, STORY, Draft

FILE = "stories/010-youth-forum.md"


@cache
def story_settings() -> Settings:
    return Settings.model_validate({
        "sender": {
            "name": "Us", "address": "news@example.org", "organisation": "UNESCO Beijing Office",
            "postal_address": "Beijing 100600",
        },
        "sectors": {"culture": "Culture", "education": "Education"},
        "web": {"base_url": "https://news.example.org"},
    })  # fmt: skip


def write_story(folder: Path, keys: str, body: str = "The forum met in October.") -> Draft:
    """An edition whose story has further ``keys`` of front matter and another ``body``."""
    draft = Draft(folder)
    head, _ = STORY.split("read_more:")
    draft.write(FILE, f"{head}{keys}---\n\n{body}\n")
    return draft


def compile_story(draft: Draft, theme: str = "periodical", language: str = "en") -> CompiledEdition:
    edition_file = draft.folder / "edition.md"
    text = edition_file.read_text(encoding="utf-8")
    if "template:" not in text:
        edition_file.write_text(text.replace("letter:", f"template: {theme}\nletter:", 1), encoding="utf-8")
    return compile_edition(read_edition(draft.folder, sectors=SECTORS), story_settings(), language=language)
