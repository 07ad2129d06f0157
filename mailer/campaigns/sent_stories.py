"""The stories of an edition as they were sent, for whoever corrects one of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select
from sqlmodel import col

from mailer.campaigns.audiences.story_recipients import read_story_campaigns
from mailer.campaigns.correction_edition import find_story_title
from mailer.campaigns.correction_plan import read_corrected
from mailer.database.models import Campaign
from mailer.rendering.body.fragments import FragmentKind, find_fragment
from mailer.rendering.compiled_edition import CompiledEdition
from mailer.workspace import Workspace


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


def list_sent_stories(connection: Connection, workspace: Workspace, edition: str) -> Sequence[SentStory]:
    """List the stories that campaigns of ``edition`` have sent, those of the newest first, in its order."""
    return list(_read(connection, workspace, edition).values())


def find_sent_story(
    connection: Connection, workspace: Workspace, edition: str, story: str
) -> SentStory | None:
    """A story as it was sent; None if no campaign has sent it."""
    return _read(connection, workspace, edition).get(story)


def _read(connection: Connection, workspace: Workspace, edition: str) -> Mapping[str, SentStory]:
    found: dict[str, SentStory] = {}
    contents: dict[int, Mapping[str, CompiledEdition]] = {}
    for slug, campaigns in read_story_campaigns(connection, edition).items():
        numbers = tuple(one.campaign_id for one in campaigns)
        newest = numbers[-1]
        if newest not in contents:
            contents[newest] = read_corrected(connection, workspace, edition, newest).contents
        texts = {tag: _read_text(content, slug) for tag, content in contents[newest].items()}
        found[slug] = SentStory(slug=slug, campaigns=numbers, texts=texts)
    return found


def _read_text(content: CompiledEdition, slug: str) -> SentText:
    place = find_fragment(content.text, FragmentKind.story, slug, markup=False)
    text = content.text[slice(*place)].strip() if place else ""
    return SentText(title=find_story_title(content, slug), text=text)
