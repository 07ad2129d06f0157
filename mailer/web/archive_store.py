"""Reading the archive: editions with a launched campaign, and their frozen content."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from sqlalchemy import func
from sqlmodel import Session, col, select

from mailer.campaigns.corrections import SentCorrection, list_sent_corrections
from mailer.database.models import Campaign, CampaignContent, CampaignState
from mailer.rendering.archive_urls import DIGEST_DIGITS
from mailer.rendering.compiled_edition import CompiledEdition, CompiledVersionError

_LAUNCHED_STATES = (CampaignState.sending, CampaignState.paused, CampaignState.finished)
_AHEAD_STATES = (CampaignState.tested, CampaignState.approved, CampaignState.scheduled)
"""Not launched, but those who got a test of it have the link in its mail."""
_MAX_LISTED = 60


@dataclass(frozen=True, kw_only=True)
class ArchivedEdition:
    """An edition in the archive. ``sent_at`` is the launch of its first campaign; the rest is from its last.

    ``languages`` begin with the edition's own; ``sectors`` and ``countries`` are those of its stories.
    ``subjects`` and ``preheaders`` are by language, ``corrections`` those of its stories, oldest first.
    """

    slug: str
    title: str
    sent_at: datetime
    languages: tuple[str, ...]
    subjects: Mapping[str, str]
    preheaders: Mapping[str, str]
    sectors: frozenset[str]
    countries: frozenset[str]
    corrections: tuple[SentCorrection, ...] = ()

    @property
    def updated_at(self) -> datetime:
        """When something was last added: its launch, or its last correction."""
        return max([self.sent_at, *(sent.sent_at for sent in self.corrections)])

    @property
    def language(self) -> str:
        return self.languages[0]

    @property
    def subject(self) -> str:
        return self.subjects[self.language]

    @property
    def sent_on(self) -> date:
        return self.sent_at.date()


KnownEditions = dict[tuple[int, tuple[str, ...]], ArchivedEdition | None]
"""What was read of campaigns in some languages: their contents are frozen, so it is never stale. None if an
older version of the program wrote all of them."""


def list_editions(session: Session, known: KnownEditions | None = None) -> list[ArchivedEdition]:
    """List the latest editions of the archive, newest first."""
    known = {} if known is None else known
    campaign = func.max(Campaign.id)
    rows = session.exec(
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
    languages = _read_languages(session, [last for _, last, _ in rows if last is not None])
    editions = []
    for slug, last, launched_at in rows:
        if last is not None and launched_at is not None:
            key = last, tuple(languages[last])
            if key not in known:
                known[key] = _read_edition(session, slug, *key, launched_at)
            if (found := known[key]) is not None:
                editions.append(replace(found, sent_at=launched_at))
    sent = list_sent_corrections(session.connection(), [edition.slug for edition in editions])
    return [
        replace(edition, corrections=tuple(one for one in sent if one.record.edition == edition.slug))
        for edition in editions
    ]


@dataclass(frozen=True, kw_only=True)
class ArchivedContent:
    """The content of an edition, and whether it is public or only for those who have its email.

    ``languages`` are those of its campaign, the edition's own first; ``sent_at`` is when that was launched.
    """

    content: CompiledEdition
    is_public: bool
    languages: tuple[str, ...] = ()
    sent_at: datetime | None = None


def find_content(session: Session, slug: str, language: str, version: str = "") -> ArchivedContent | None:
    """Find the content of an edition in a language, from its latest launched campaign in the archive.

    An edition outside the archive needs the ``version`` in the link of its email, or of its test. Returns
    None if not found.
    """
    rows = session.exec(
        select(CampaignContent.body, Campaign)
        .join(Campaign, col(CampaignContent.campaign_id) == Campaign.id)
        .where(
            Campaign.edition == slug,
            CampaignContent.language == language,
            col(Campaign.state).in_([*_LAUNCHED_STATES, *(_AHEAD_STATES if version else ())]),
        )
        .order_by(col(Campaign.archived).desc(), col(Campaign.id).desc())
    )
    for body, campaign in rows:
        content = _load_content(body)
        if campaign.archived and campaign.state in _LAUNCHED_STATES:
            found = None if content is None else ArchivedContent(content=content, is_public=True)
        elif content is not None and version and content.digest[:DIGEST_DIGITS] == version:
            found = ArchivedContent(content=content, is_public=False)
        else:
            continue
        number = campaign.id or 0
        languages = tuple(_read_languages(session, [number])[number])
        return replace(found, languages=languages, sent_at=campaign.launched_at) if found else None
    return None


def _read_edition(
    session: Session, slug: str, campaign_id: int, languages: Sequence[str], sent_at: datetime
) -> ArchivedEdition | None:
    """Read the contents of a campaign; None if an older version of the program wrote all of them."""
    contents = {}
    for language in languages:
        row = session.get(CampaignContent, (campaign_id, language))
        content = None if row is None else _load_content(row.body)
        if content is not None:
            contents[language] = content
    if not contents:
        return None
    first = next(iter(contents.values()))
    return ArchivedEdition(
        slug=slug,
        title=first.title,
        sent_at=sent_at,
        languages=tuple(contents),
        subjects={language: content.subject for language, content in contents.items()},
        preheaders={language: content.preheader for language, content in contents.items()},
        sectors=frozenset(story.sector for story in first.stories if story.sector),
        countries=frozenset(country for story in first.stories for country in story.countries),
    )


def _read_languages(session: Session, campaigns: list[int]) -> Mapping[int, list[str]]:
    """Read the languages of campaigns, each edition's own first."""
    languages: dict[int, list[str]] = defaultdict(list)
    rows = session.exec(
        select(CampaignContent.campaign_id, CampaignContent.language, Campaign.language)
        .join(Campaign, col(CampaignContent.campaign_id) == Campaign.id)
        .where(col(CampaignContent.campaign_id).in_(campaigns))
    )
    for campaign_id, language, _ in sorted(rows, key=lambda row: (row[1] != row[2], row[1])):
        languages[campaign_id].append(language)
    return languages


def _load_content(body: bytes) -> CompiledEdition | None:
    # An edition sent by an older version of the program is left out; the rest of the archive still works.
    try:
        return CompiledEdition.from_bytes(body)
    except CompiledVersionError:
        return None
