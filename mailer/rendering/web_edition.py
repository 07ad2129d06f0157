"""The web edition: what the pages of an edition and of its stories show, frozen together with its email.

It always has everything, whatever the form of the email, and nothing of a reader. It is plain data, so that
it can be stored as JSON; names that end in ``_html`` are markup.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, fields, is_dataclass
from typing import Any, TypeAlias

from markupsafe import Markup

from editions.cache import LatestCache
from mailer.rendering.template_context.page import Page, StoryView

WebEdition: TypeAlias = Mapping[str, Any]
"""An edition in one language: ``direction``, ``title``, ``title_html``, ``issue_html``, ``period``,
``letter``, ``follow``, ``palette`` (``light`` and ``dark``), ``sections``, each with ``stories``, and ``ai``:
what to say of pictures and texts that AI has to do with."""
# Only the email needs them: the plain text of its other part, and how its theme lays a story out.
_ONLY_OF_THE_MAIL = frozenset({"body", "origin", "accent", "wraps", "lead_html", "url"})


_Frozen: TypeAlias = tuple[Mapping[str, Any], bytes]
"""A part of a web edition as plain data, and as JSON: writing all of it again would take half a millisecond.
The head comes without its sections; its JSON has them, but their stories."""

_frozen_heads: LatestCache[_Frozen] = LatestCache(64)
_frozen_stories: LatestCache[_Frozen] = LatestCache(2000)


def freeze_page(page: Page) -> tuple[WebEdition, tuple[bytes, ...]]:
    """Return the web edition of ``page``, also in parts of JSON, which differ wherever two do."""
    stories = [[_freeze_story(story) for story in section.stories] for section in page.sections]
    sections = [
        {
            "key": section.key,
            "title_html": str(section.title_html),
            "light": section.accent.light,
            "dark": section.accent.dark,
            "introduction_html": str(section.introduction_html),
        }
        for section in page.sections
    ]
    head, head_json = _freeze_head(page, sections)
    web = {
        **head,
        "sections": [
            {**section, "stories": [story for story, _ in frozen]}
            for section, frozen in zip(sections, stories, strict=True)
        ],
    }
    return web, (head_json, *(encoded for frozen in stories for _, encoded in frozen))


def restore_markup(value: Any) -> Any:
    """Return a stored web edition, or a part of it, its markup marked as such, so that it is not escaped."""
    if isinstance(value, Mapping):
        return {name: _restore_entry(name, entry) for name, entry in value.items()}
    if isinstance(value, list):
        return [restore_markup(entry) for entry in value]
    return value


def _restore_entry(name: str, value: Any) -> Any:
    if not name.endswith("_html"):
        return restore_markup(value)
    # Made by the renderer from texts that were sanitised, and frozen with the email.
    return [Markup(item) for item in value] if isinstance(value, list) else Markup(value)  # noqa: S704


def list_stories(web: WebEdition) -> list[dict[str, Any]]:
    """Return the stories of the edition in reading order."""
    return [story for section in web["sections"] for story in section["stories"]]


def _freeze_head(page: Page, sections: list[dict[str, Any]]) -> _Frozen:
    """Return what is around the stories of ``page``, which is the same while only they change."""
    counts = [len(section.stories) for section in page.sections]
    return _frozen_heads.get_or_create(
        (page.language, page.title),
        (
            *(page.direction, page.title_html, page.issue_html, page.period, page.letter, page.follow),
            *(page.theme.light, page.theme.dark, page.words, page.words_lang, sections, counts),
        ),
        lambda: _make_plain_head(page, sections, counts),
    )


def _make_plain_head(page: Page, sections: list[dict[str, Any]], counts: list[int]) -> _Frozen:
    words = page.words
    plain = {
        "direction": page.direction,
        "title": page.title,
        "title_html": str(page.title_html),
        "issue_html": str(page.issue_html),
        "period": page.period,
        "palette": {"light": asdict(page.theme.light), "dark": asdict(page.theme.dark)},
        "letter": _to_plain(page.letter),
        "follow": _to_plain(page.follow),
        "ai": {
            "picture": {"generated": words.ai_generated, "edited": words.ai_edited},
            "text": {"generated": words.ai_text_generated, "edited": words.ai_text_edited},
            "lang_html": str(page.words_lang),
        },
    }
    return plain, _encode([plain, sections, counts])


def _freeze_story(story: StoryView) -> _Frozen:
    """Return ``story`` as plain data, which nobody may change: most are as at the last compile."""
    return _frozen_stories.get_or_create(
        (story.origin, story.title), (story,), lambda: _make_plain_story(story)
    )


def _make_plain_story(story: StoryView) -> _Frozen:
    plain = {
        entry.name: _to_plain(getattr(story, entry.name))
        for entry in fields(story)
        if entry.name not in _ONLY_OF_THE_MAIL
    }
    return plain, _encode(plain)


def _encode(plain: object) -> bytes:
    return json.dumps(plain, ensure_ascii=False).encode()


def _to_plain(value: Any) -> Any:
    if isinstance(value, str):
        return str(value)
    if isinstance(value, tuple):
        return [_to_plain(item) for item in value]
    if is_dataclass(value) and not isinstance(value, type):
        return {entry.name: _to_plain(getattr(value, entry.name)) for entry in fields(value)}
    return value
