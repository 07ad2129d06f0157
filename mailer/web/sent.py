"""What was sent: the editions with a launched campaign, and their frozen content. Only reads."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from sqlalchemy import func
from sqlmodel import Session, col, select

from mailer.database.models import Campaign, CampaignContent, CampaignState
from mailer.rendering.compiled import CompiledEdition, CompiledVersionError

_LAUNCHED = (CampaignState.sending, CampaignState.paused, CampaignState.finished)
_MOST_LISTED = 60


@dataclass(frozen=True, kw_only=True)
class SentEdition:
    """An edition in the list. ``sent_on`` is the day of its first campaign; the rest is as in its last."""

    slug: str
    title: str
    subject: str
    sent_on: date
    languages: tuple[str, ...]


def list_sent(opened: Session) -> list[SentEdition]:
    """The latest editions sent, the newest first."""
    campaign = func.max(Campaign.id)
    rows = opened.exec(
        select(Campaign.edition, campaign, func.min(Campaign.launched_at))
        .where(col(Campaign.state).in_(_LAUNCHED), col(Campaign.launched_at).is_not(None))
        .group_by(Campaign.edition)
        .order_by(func.min(Campaign.launched_at).desc(), campaign.desc())
        .limit(_MOST_LISTED)
    ).all()
    contents = _read_contents(opened, [last for _, last, _ in rows if last is not None])
    return [
        _list_one(slug, launched_at.date(), contents[last])
        for slug, last, launched_at in rows
        if last is not None and launched_at is not None and last in contents
    ]


def find_content(opened: Session, slug: str, language: str) -> CompiledEdition | None:
    """The frozen content of an edition's latest launched campaign in a language; None where there is none."""
    body = opened.exec(
        select(CampaignContent.body)
        .join(Campaign, col(CampaignContent.campaign_id) == Campaign.id)
        .where(
            Campaign.edition == slug,
            CampaignContent.language == language,
            col(Campaign.state).in_(_LAUNCHED),
        )
        .order_by(col(Campaign.id).desc())
        .limit(1)
    ).first()
    return None if body is None else _thaw(body)


def _list_one(slug: str, sent_on: date, contents: Mapping[str, CompiledEdition]) -> SentEdition:
    first = next(iter(contents.values()))
    return SentEdition(
        slug=slug, title=first.title, subject=first.subject, sent_on=sent_on, languages=tuple(contents)
    )


def _read_contents(opened: Session, campaigns: list[int]) -> Mapping[int, Mapping[str, CompiledEdition]]:
    """The contents of campaigns by language, as far as this program can read them."""
    contents: dict[int, dict[str, CompiledEdition]] = defaultdict(dict)
    rows = opened.exec(
        select(CampaignContent)
        .where(col(CampaignContent.campaign_id).in_(campaigns))
        .order_by(col(CampaignContent.language))
    )
    for row in rows:
        if (content := _thaw(row.body)) is not None:
            contents[row.campaign_id][row.language] = content
    return contents


def _thaw(body: bytes) -> CompiledEdition | None:
    # An edition sent years ago by an older program is missing from the shelf; the shelf itself stays.
    try:
        return CompiledEdition.from_bytes(body)
    except CompiledVersionError:
        return None
