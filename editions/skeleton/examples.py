"""Which keys each file of the example sets, and which it only shows."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, TypeAlias

from pydantic import BaseModel

from editions.new_edition import guess_number, guess_period
from editions.skeleton import texts
from editions.source.folder import EDITION, STORIES
from editions.source.schema import EditionHeader, EditionTranslation, StoryHeader, StoryTranslation

PICTURE = "hills.png"
LANGUAGE = "en"

Values: TypeAlias = Mapping[str, Any]
"""Values of front matter by key: text, a date, a list, or values again."""


@dataclass(frozen=True, kw_only=True)
class Example:
    """One file of the skeleton: ``written`` keys are set, ``shown`` ones stand behind a ``#``."""

    name: str
    schema: type[BaseModel]
    written: Values
    shown: Values
    body: str
    translation: tuple[type[BaseModel], Values, str] | None = None


def show_edition(slug: str, organisation: str, sectors: Sequence[str], today: date) -> Example:
    section = sectors[0] if sectors else "office"
    return Example(
        name=EDITION,
        schema=EditionHeader,
        written={
            "title": f"News from {organisation}",
            "number": guess_number(slug, today),
            "period": guess_period(today, LANGUAGE),
            "date": today,
            "language": LANGUAGE,
            "subject": "Three stories to write over",
            "preheader": "Inboxes show these words behind the subject: say what else is in the mail.",
            "letter": {"title": "Dear partners", "name": "Your name", "titles": ["Your title"]},
        },
        shown={
            "template": "periodical",
            "sender": organisation,
            "personalise": "off",
            "letter": {
                "portrait": {
                    "file": "director.jpg",
                    "alt": "The Director at a desk",
                    "caption": "",
                    "credit": "Photo: a name",
                }
            },
            "introductions": {section: "A sentence or two before the stories of this section."},
            "follow": [{"name": "WeChat", "handle": "our_name", "url": "https://www.example.org/wechat"}],
            "checks": {"long-story": "The story about the forum is long, and was asked for."},
        },
        body=texts.LETTER,
        translation=(EditionTranslation, texts.EDITION_IN_CHINESE, texts.LETTER_IN_CHINESE),
    )


def show_stories(sectors: Sequence[str], countries: Sequence[str]) -> Iterator[Example]:
    shared: dict[str, Any] = {"sector": sectors[0]} if sectors else {}
    placed: dict[str, Any] = {"countries": list(countries[:2])} if countries else {}
    yield Example(
        name=f"{STORIES}/010-how-a-story-is-written.md",
        schema=StoryHeader,
        written={
            "title": "How a story is written",
            **shared,
            **placed,
            "kind": "story",
            "image": {
                "file": PICTURE,
                "alt": "Three rows of hills, each paler than the one before it",
                "caption": "A drawing to be replaced by your own picture",
                "credit": "Illustration",
            },
            "read_more": [
                {"what": "the newsletters of UNESCO", "url": "https://www.unesco.org/en/newsletters"}
            ],
        },
        shown={
            "sector": "education",
            "countries": ["MN", "CN"],
            "date": "24 October",
            "everyone": "yes",
        },
        body=texts.STORY,
        translation=(StoryTranslation, texts.STORY_IN_CHINESE, texts.BODY_IN_CHINESE),
    )
    brief = {"title": "In brief", **shared, "kind": "list"}
    yield Example(
        name=f"{STORIES}/020-in-brief.md", schema=StoryHeader, written=brief, shown={}, body=texts.BRIEF
    )
    notice = {"title": "From the office", "kind": "notice", "everyone": "yes"}
    yield Example(
        name=f"{STORIES}/030-from-the-office.md",
        schema=StoryHeader,
        written=notice,
        shown={},
        body=texts.NOTICE,
    )
