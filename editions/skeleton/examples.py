"""The files of the example edition: the keys that are set, and those that are only shown."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, TypeAlias

from pydantic import BaseModel

from editions.new_edition import guess_issue_number, guess_period
from editions.skeleton import texts
from editions.source.folder import EDITION_FILE, STORIES_FOLDER
from editions.source.schema import EditionHeader, EditionTranslation, StoryHeader, StoryTranslation

IMAGE_NAME = "hills.png"
LANGUAGE = "en"

Values: TypeAlias = Mapping[str, Any]
"""Values of front matter by key: text, a date, a list, or values again."""

_PICTURE_KEYS = {"ai": "edited", "people": "agreed", "shape": "landscape", "focus": "50 30"}


@dataclass(frozen=True, kw_only=True)
class Example:
    """One file of the example: ``values`` are set, and ``commented_out`` values are after a ``#``."""

    name: str
    schema: type[BaseModel]
    values: Values
    commented_out: Values
    body: str
    translation: tuple[type[BaseModel], Values, str] | None = None


def edition_example(slug: str, organisation: str, sectors: Sequence[str], today: date) -> Example:
    section = sectors[0] if sectors else "office"
    return Example(
        name=EDITION_FILE,
        schema=EditionHeader,
        values={
            "title": f"News from {organisation}",
            "number": guess_issue_number(slug, today),
            "period": guess_period(today, LANGUAGE),
            "date": today,
            "language": LANGUAGE,
            "subject": "Three stories to replace with your own",
            "preheader": "Inboxes show this text after the subject: say what else is in the email.",
            "letter": {"title": "Dear partners", "name": "Your name", "titles": ["Your title"]},
        },
        commented_out={
            "template": "periodical",
            "form": "digest",
            "sender": organisation,
            "authors": ["Your name"],
            "personalise": "off",
            "letter": {
                "portrait": {
                    "file": "director.jpg",
                    "alt": "The Director at a desk",
                    "caption": "",
                    "credit": "Photo: a name",
                    **_PICTURE_KEYS,
                }
            },
            "introductions": {section: "A sentence or two before the stories of this section."},
            "follow": [{"name": "WeChat", "handle": "our_name", "url": "https://www.example.org/wechat"}],
            "checks": {"long-story": "The story about the forum is long because partners asked for it."},
        },
        body=texts.LETTER_BODY,
        translation=(EditionTranslation, texts.EDITION_VALUES_ZH, texts.LETTER_BODY_ZH),
    )


def story_examples(sectors: Sequence[str], countries: Sequence[str]) -> Iterator[Example]:
    shared: dict[str, Any] = {"sector": sectors[0]} if sectors else {}
    placed: dict[str, Any] = {"countries": list(countries[:2])} if countries else {}
    yield Example(
        name=f"{STORIES_FOLDER}/010-how-a-story-is-written.md",
        schema=StoryHeader,
        values={
            "title": "How a story is written",
            **shared,
            **placed,
            "kind": "story",
            "image": {
                "file": IMAGE_NAME,
                "alt": "Three rows of hills, each paler than the one before it",
                "caption": "A drawing to replace with your own picture",
                "credit": "Illustration",
            },
            "read_more": [
                {"what": "the newsletters of UNESCO", "url": "https://www.unesco.org/en/newsletters"}
            ],
        },
        commented_out={
            "sector": "education",
            "countries": ["MN", "CN"],
            "date": "24 October",
            "image": {**_PICTURE_KEYS, "ai": "generated"},
            "lead": "What a digest says of the story, in a sentence or two.",
            "images": [
                {
                    "file": "workshop.jpg",
                    "alt": "Two people drawing on a large sheet of paper",
                    "caption": "The workshop",
                    "credit": "Photo: a name",
                    **_PICTURE_KEYS,
                }
            ],
            "button": {"what": "Register for the forum", "url": "https://www.example.org/register"},
            "video": {
                "file": "opening.jpg",
                "alt": "A speaker in front of a large hall",
                "caption": "",
                "credit": "Video: a name",
                **_PICTURE_KEYS,
                "what": "the opening of the forum",
                "url": "https://www.example.org/video",
                "duration": "3:20",
            },
            "ai": "edited",
            "everyone": "yes",
        },
        body=texts.STORY_BODY,
        translation=(StoryTranslation, texts.STORY_VALUES_ZH, texts.STORY_BODY_ZH),
    )
    brief = {"title": "In brief", **shared, "kind": "list"}
    yield Example(
        name=f"{STORIES_FOLDER}/020-in-brief.md",
        schema=StoryHeader,
        values=brief,
        commented_out={},
        body=texts.LIST_BODY,
    )
    notice = {"title": "From the office", "kind": "notice", "everyone": "yes"}
    yield Example(
        name=f"{STORIES_FOLDER}/030-from-the-office.md",
        schema=StoryHeader,
        values=notice,
        commented_out={},
        body=texts.NOTICE_BODY,
    )
