"""The stories of an edition as they were sent, for whoever corrects one of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select
from sqlmodel import col

from mailer.campaigns.audiences.story_recipients import read_sent_contents
from mailer.campaigns.correction_edition import find_story_title
from mailer.campaigns.correction_plan import read_contents
from mailer.database.models import Campaign
from mailer.rendering.body.fragments import FragmentKind, find_fragment
from mailer.rendering.compiled_edition import CompiledEdition


@dataclass(frozen=True, kw_only=True)
class SentText:
    """A story in one language: its heading and its text, as the text part of the mail has it."""

    title: str
    text: str


@dataclass(frozen=True, kw_only=True)
class SentStory:
    """A story as the newest campaign that had it was sent: ``texts`` by language, the edition's own first.
    ``campaigns`` are the numbers of all that had it, oldest first."""

    slug: str
    campaigns: tuple[int, ...]
    texts: Mapping[str, SentText]

    @property
    def language(self) -> str:
        """The language of the edition."""
        return next(iter(self.texts))

    @property
    def title(self) -> str:
        return self.texts[self.language].title


def has_been_sent(connection: Connection, edition: str) -> bool:
    """Whether a campaign of ``edition`` was launched, so that its stories can be corrected."""
    launched = select(col(Campaign.id)).where(
        col(Campaign.edition) == edition, col(Campaign.launched_at).is_not(None)
    )
    return connection.scalar(launched.limit(1)) is not None


def list_sent_stories(connection: Connection, edition: str) -> Sequence[SentStory]:
    """List the stories that campaigns of ``edition`` have sent, those of the newest first, in its order."""
    contents: dict[int, Mapping[str, CompiledEdition]] = {}
    found = []
    for story, numbers in _list_campaigns(connection, edition).items():
        newest = numbers[-1]
        if newest not in contents:
            contents[newest] = read_contents(connection, newest)
        found.append(_make_story(story, numbers, contents[newest]))
    return found


def find_sent_story(connection: Connection, edition: str, story: str) -> SentStory | None:
    """A story as it was sent; None if no campaign has sent it."""
    numbers = _list_campaigns(connection, edition).get(story)
    if numbers is None:
        return None
    return _make_story(story, numbers, read_contents(connection, numbers[-1]))


def _list_campaigns(connection: Connection, edition: str) -> Mapping[str, list[int]]:
    """The campaigns that had each story, the oldest first, without a look at their deliveries."""
    sent = list(read_sent_contents(connection, edition))
    found: dict[str, list[int]] = {
        facts.slug: [] for _, _, content in reversed(sent) for facts in content.stories
    }
    for number, _, content in sent:
        for facts in content.stories:
            found[facts.slug].append(number)
    return found


def _make_story(slug: str, campaigns: Sequence[int], contents: Mapping[str, CompiledEdition]) -> SentStory:
    texts = {tag: _read_text(content, slug) for tag, content in contents.items()}
    return SentStory(slug=slug, campaigns=tuple(campaigns), texts=texts)


def _read_text(content: CompiledEdition, slug: str) -> SentText:
    place = find_fragment(content.text, FragmentKind.story, slug, markup=False)
    text = content.text[slice(*place)].strip() if place else ""
    return SentText(title=find_story_title(content, slug), text=text)
