"""The examples in a skeleton, in each language, and finding what is left of them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeAlias

from pydantic import BaseModel

from editions.errors import Problem
from editions.new_editions import guess_issue_number, guess_period
from editions.source.folder import EDITION_FILE, STORIES_FOLDER
from editions.source.front_matter import FrontMatter, read_front_matter
from editions.source.schema import EditionHeader, EditionTranslation, StoryHeader, StoryTranslation
from editions.source.text_file import read_text_file, text_digest
from locales.phrase import gettext_noop

LETTER_BODY = """
This is the letter at the beginning of the edition. Replace it with your own. If you do not want a letter,
delete this text and the key `letter` above.

Each file in `stories/` is one story. The three digits at the beginning of its name set its place, and the
rest of the name becomes part of its address. `mailer check` lists what is wrong and what to do;
`mailer preview` shows the email while you write.
"""

STORY_BODY = """
A story is a few paragraphs of Markdown, with a blank line between them. *One star* on each side makes a
word italic, **two stars** make it bold, and [text in square brackets](https://www.example.org) links to
the address after it.

## A heading within a story

- A list has one line for each item.
- Keep it short: people read two or three items, but not seven.

| Use | For |
| --- | --- |
| A table | data in rows and columns |
| A list | everything else |

Put pictures into `images/` and name them above, under `image`. They must be JPEG, PNG or GIF, at least 592
pixels wide, or better 1184. Places, names and camera data are removed before they are sent.
"""

LIST_BODY = """
- Use the kind `list` for a round-up, with one line for each item.
- Items have no picture, so many of them fit into one email.
"""

NOTICE_BODY = """
Use the kind `notice` for news about the office itself. It has no sector, and with `everyone` all readers
get it, whatever they follow.
"""

EDITION_VALUES_ZH: Mapping[str, Any] = {
    "title": "合作伙伴通讯",
    "period": "2026年11月",
    "subject": "三篇待改写的报道",
    "preheader": "收件箱会在主题之后显示这些文字：请写明邮件中还有哪些内容，四十到一百三十个字符之间。",
    "letter": {
        "title": "亲爱的合作伙伴",
        "name": "您的姓名",
        "titles": ["您的职务"],
        "portrait": {"alt": "主任坐在桌前", "caption": "主任", "credit": "摄影：姓名"},
    },
    "introductions": {"office": "本部分报道之前的一两句话。"},
    "translated_from": "0123456789ab",
}

STORY_VALUES_ZH: Mapping[str, Any] = {
    "title": "如何撰写报道",
    "date": "10月24日",
    "lead": "用一两句话概括报道的内容。",
    "image": {"alt": "三排山丘，一排比一排淡", "caption": "请换成您自己的图片", "credit": "插图"},
    "images": [{"alt": "两个人在一张大纸上画画", "caption": "工作坊", "credit": "摄影：姓名"}],
    "read_more": [{"what": "教科文组织的通讯", "url": "https://www.unesco.org/zh"}],
    "button": {"what": "报名参加论坛", "url": "https://www.example.org/zh/register"},
    "video": {
        "alt": "台上的发言者",
        "caption": "开幕式",
        "credit": "视频：姓名",
        "what": "论坛开幕式",
        "url": "https://www.example.org/zh/video",
    },
    "translated_from": "0123456789ab",
}

LETTER_BODY_ZH = "这是信件的正文。"

STORY_BODY_ZH = "这是报道的正文。"

IMAGE_NAME = "hills.png"
LANGUAGE = "en"

Values: TypeAlias = Mapping[str, Any]
"""Values of front matter by key: text, a date, a list, or values again."""

_PICTURE_KEYS = {"ai": "edited", "people": "agreed", "shape": "landscape", "focus": "50 30"}
_CODE = "example-text"
_KEYS: tuple[tuple[str, ...], ...] = (("subject",), ("preheader",), ("letter", "name"))
"""What the example sets in edition.md for its writer to replace."""


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
        body=LETTER_BODY,
        translation=(EditionTranslation, EDITION_VALUES_ZH, LETTER_BODY_ZH),
    )


def story_examples(sectors: Sequence[str], countries: Sequence[str]) -> Iterator[Example]:
    shared: dict[str, Any] = {"sector": sectors[0]} if sectors else {}
    placed: dict[str, Any] = {"countries": list(countries[:2])} if countries else {}
    yield _explained_story({**shared, **placed})
    brief = {"title": "In brief", **shared, "kind": "list"}
    yield Example(
        name=f"{STORIES_FOLDER}/020-in-brief.md",
        schema=StoryHeader,
        values=brief,
        commented_out={},
        body=LIST_BODY,
    )
    notice = {"title": "From the office", "kind": "notice", "everyone": "yes"}
    yield Example(
        name=f"{STORIES_FOLDER}/030-from-the-office.md",
        schema=StoryHeader,
        values=notice,
        commented_out={},
        body=NOTICE_BODY,
    )


def _explained_story(about: Mapping[str, Any]) -> Example:
    """Return the example in which every key is explained, of a story ``about`` a sector and countries."""
    return Example(
        name=f"{STORIES_FOLDER}/010-how-a-story-is-written.md",
        schema=StoryHeader,
        values={
            "title": "How a story is written",
            **about,
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
        body=STORY_BODY,
        translation=(StoryTranslation, STORY_VALUES_ZH, STORY_BODY_ZH),
    )


def find_example_remains(folder: Path) -> Iterator[Problem]:
    """Yield a problem for each text of the example that is still in the edition in ``folder``: a story or
    letter with the example's whole text, whatever its file is called, or the example's subject."""
    names = [
        EDITION_FILE,
        *(f"{STORIES_FOLDER}/{path.name}" for path in folder.glob(f"{STORIES_FOLDER}/*.md")),
    ]
    for name in sorted(names):
        file, _ = read_text_file(folder, name)
        if file is None:
            continue
        found, _ = read_front_matter(file)
        if text_digest(found.body) in _example_bodies():
            yield Problem.error(
                name,
                found.body_line,
                _CODE,
                gettext_noop("this is the text of the example. Write your own, or delete it."),
            )
        if name == EDITION_FILE:
            yield from _find_values(found)


def _find_values(found: FrontMatter) -> Iterator[Problem]:
    for path, value in _example_values().items():
        if found.text(*path) == value:
            what = gettext_noop("`%(key)s` is that of the example. Write your own.") % {"key": ".".join(path)}
            yield Problem.error(EDITION_FILE, found.line_of(*path), _CODE, what)


@cache
def _example_bodies() -> frozenset[str]:
    """Return the digests of the texts of the example's files."""
    examples = [edition_example("", "", [], date.min), *story_examples([], [])]
    return frozenset(text_digest(example.body) for example in examples)


@cache
def _example_values() -> Mapping[tuple[str, ...], str]:
    values = edition_example("", "", [], date.min).values
    texts = {path: values[path[0]] if len(path) == 1 else values[path[0]][path[1]] for path in _KEYS}
    return MappingProxyType(texts)
