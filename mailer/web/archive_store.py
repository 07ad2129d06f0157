"""What was sent: the editions with a launched campaign, and their frozen content. Only reads."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from sqlalchemy import func
from sqlmodel import Session, col, select

from mailer.database.models import Campaign, CampaignContent, CampaignState
from mailer.rendering.compiled import CompiledEdition, CompiledVersionError
from mailer.rendering.reader import DIGEST_DIGITS

_LAUNCHED_STATES = (CampaignState.sending, CampaignState.paused, CampaignState.finished)
_MAX_LISTED = 60


@dataclass(frozen=True, kw_only=True)
class ArchivedEdition:
    """An edition in the archive. ``sent_at`` is when its first campaign began; the rest is as in its last.

    ``languages`` are those it is in, its own first; ``sectors`` and ``countries`` are those of its stories.
    ``subjects`` and ``preheaders`` are by language.
    """

    slug: str
    title: str
    sent_at: datetime
    languages: tuple[str, ...]
    subjects: Mapping[str, str]
    preheaders: Mapping[str, str]
    sectors: frozenset[str]
    countries: frozenset[str]

    @property
    def language(self) -> str:
        return self.languages[0]

    @property
    def subject(self) -> str:
        return self.subjects[self.language]

    @property
    def sent_on(self) -> date:
        return self.sent_at.date()


@dataclass(frozen=True, kw_only=True)
class _Summary:
    """What the list says of one content."""

    title: str
    subject: str
    preheader: str
    sectors: frozenset[str]
    countries: frozenset[str]


@dataclass
class SummaryCache:
    """What is known of contents that were read before. They are frozen, so it never becomes wrong."""

    _summaries: dict[tuple[int, str], _Summary | None] = field(default_factory=dict)

    def read_summary(self, opened: Session, campaign_id: int, language: str) -> _Summary | None:
        """What a content says; None where an older program wrote it."""
        key = campaign_id, language
        if key not in self._summaries:
            row = opened.get(CampaignContent, key)
            content = None if row is None else _load_content(row.body)
            self._summaries[key] = None if content is None else _summarise(content)
        return self._summaries[key]


def list_editions(opened: Session, shelf: SummaryCache | None = None) -> list[ArchivedEdition]:
    """The latest editions of the archive, the newest first."""
    campaign = func.max(Campaign.id)
    rows = opened.exec(
        select(Campaign.edition, campaign, func.min(Campaign.launched_at))
        .where(
            col(Campaign.state).in_(_LAUNCHED_STATES),
            col(Campaign.launched_at).is_not(None),
            col(Campaign.archived).is_(True),
        )
        .group_by(Campaign.edition)
        .order_by(func.min(Campaign.launched_at).desc(), campaign.desc())
        .limit(_MAX_LISTED)
    ).all()
    languages = _read_languages(opened, [last for _, last, _ in rows if last is not None])
    found = (
        _make_edition(opened, shelf or SummaryCache(), slug, last, launched_at, languages[last])
        for slug, last, launched_at in rows
        if last is not None and launched_at is not None
    )
    return [edition for edition in found if edition is not None]


@dataclass(frozen=True, kw_only=True)
class ArchivedContent:
    """An edition to be read, and whether anybody may: otherwise only those who have its mail."""

    content: CompiledEdition
    is_public: bool


def find_content(opened: Session, slug: str, language: str, version: str = "") -> ArchivedContent | None:
    """The frozen content of an edition in a language, from its latest launched campaign in the archive.

    Outside the archive it takes the ``version`` that the mail's own link names. None where there is none.
    """
    rows = opened.exec(
        select(CampaignContent.body, Campaign.archived)
        .join(Campaign, col(CampaignContent.campaign_id) == Campaign.id)
        .where(
            Campaign.edition == slug,
            CampaignContent.language == language,
            col(Campaign.state).in_(_LAUNCHED_STATES),
        )
        .order_by(col(Campaign.archived).desc(), col(Campaign.id).desc())
    )
    for body, archived in rows:
        content = _load_content(body)
        if archived:
            return None if content is None else ArchivedContent(content=content, is_public=True)
        if content is not None and version and content.digest[:DIGEST_DIGITS] == version:
            return ArchivedContent(content=content, is_public=False)
    return None


def _make_edition(
    opened: Session,
    shelf: SummaryCache,
    slug: str,
    campaign_id: int,
    sent_at: datetime,
    languages: Sequence[str],
) -> ArchivedEdition | None:
    summaries = {
        language: summary
        for language in languages
        if (summary := shelf.read_summary(opened, campaign_id, language)) is not None
    }
    if not summaries:
        return None
    first = next(iter(summaries.values()))
    return ArchivedEdition(
        slug=slug,
        title=first.title,
        sent_at=sent_at,
        languages=tuple(summaries),
        subjects={language: summary.subject for language, summary in summaries.items()},
        preheaders={language: summary.preheader for language, summary in summaries.items()},
        sectors=first.sectors,
        countries=first.countries,
    )


def _read_languages(opened: Session, campaigns: list[int]) -> Mapping[int, list[str]]:
    """The languages of campaigns, each edition's own first."""
    languages: dict[int, list[str]] = defaultdict(list)
    rows = opened.exec(
        select(CampaignContent.campaign_id, CampaignContent.language, Campaign.language)
        .join(Campaign, col(CampaignContent.campaign_id) == Campaign.id)
        .where(col(CampaignContent.campaign_id).in_(campaigns))
    )
    for campaign_id, language, _ in sorted(rows, key=lambda row: (row[1] != row[2], row[1])):
        languages[campaign_id].append(language)
    return languages


def _summarise(content: CompiledEdition) -> _Summary:
    return _Summary(
        title=content.title,
        subject=content.subject,
        preheader=content.preheader,
        sectors=frozenset(story.sector for story in content.stories if story.sector),
        countries=frozenset(country for story in content.stories for country in story.countries),
    )


def _load_content(body: bytes) -> CompiledEdition | None:
    # An edition sent years ago by an older program is missing from the shelf; the shelf itself stays.
    try:
        return CompiledEdition.from_bytes(body)
    except CompiledVersionError:
        return None
