"""The list of editions, with the state of each one's campaigns and who wrote last."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from types import MappingProxyType

from fastapi import Request
from sqlalchemy import func
from sqlmodel import Session, col, select
from starlette.exceptions import HTTPException
from starlette.responses import Response

from mailer.database.edition_models import EditionRevision, RevisionKind
from mailer.database.models import Campaign, CampaignState
from mailer.database.team_models import TeamMember
from mailer.i18n import gettext_noop
from mailer.revisions.presence import list_present_by_edition
from mailer.web.form_options import own_language_name
from mailer.web.plain_number import read_number
from mailer.web.studio.edition_summaries import EditionSummary
from mailer.web.studio.page import PageDep, StudioPage


class EditionState(StrEnum):
    """How far an edition is. Where it has several campaigns, the one that is furthest counts."""

    draft = "draft"
    """Being written; nobody has got a test of it."""

    tested = "tested"
    """Colleagues have got a test of it."""

    approved = "approved"
    """A person has approved it for sending."""

    scheduled = "scheduled"
    """It waits for its time."""

    sending = "sending"
    """It is being sent, or its sending is paused."""

    sent = "sent"
    """It has been sent."""


STATE_WORDS: Mapping[EditionState, tuple[str, str]] = MappingProxyType(
    {
        EditionState.draft: (gettext_noop("Draft"), "quiet"),
        EditionState.tested: (gettext_noop("Tested"), "quiet"),
        EditionState.approved: (gettext_noop("Approved"), "right"),
        EditionState.scheduled: (gettext_noop("Scheduled"), "right"),
        EditionState.sending: (gettext_noop("Being sent"), "careful"),
        EditionState.sent: (gettext_noop("Sent"), "right"),
    }
)
"""The word for each, and the tone of its mark."""

_BY_CAMPAIGN: Mapping[CampaignState, EditionState] = MappingProxyType(
    {
        CampaignState.tested: EditionState.tested,
        CampaignState.approved: EditionState.approved,
        CampaignState.scheduled: EditionState.scheduled,
        CampaignState.sending: EditionState.sending,
        CampaignState.paused: EditionState.sending,
        CampaignState.finished: EditionState.sent,
    }
)


def find_edition_states(session: Session, slugs: Collection[str]) -> Mapping[str, EditionState]:
    """How far each of the editions ``slugs`` is."""
    rows = session.exec(
        select(Campaign.edition, Campaign.state).where(col(Campaign.edition).in_(slugs)).distinct()
    ).all()
    order = list(EditionState)
    states = dict.fromkeys(slugs, EditionState.draft)
    for slug, state in rows:
        reached = _BY_CAMPAIGN.get(CampaignState(state), EditionState.draft)
        states[slug] = max(states[slug], reached, key=order.index)
    return states


@dataclass(frozen=True, kw_only=True)
class LastWriter:
    """The member who has last changed an edition in Studio, and on which day."""

    name: str
    day: date


def find_last_writers(session: Session, slugs: Collection[str]) -> Mapping[str, LastWriter]:
    """Who has last changed each of the editions ``slugs``, as far as that is known."""
    latest = (
        select(func.max(EditionRevision.id))
        .where(col(EditionRevision.edition).in_(slugs))
        .where(col(EditionRevision.member_id).is_not(None), EditionRevision.kind != RevisionKind.set_aside)
        .group_by(EditionRevision.edition)
    )
    rows = session.exec(
        select(EditionRevision.edition, TeamMember.name, EditionRevision.ended_at)
        .where(TeamMember.id == EditionRevision.member_id)
        .where(col(EditionRevision.id).in_(latest))
    )
    return {edition: LastWriter(name=name, day=ended.date()) for edition, name, ended in rows}


PAGE_SIZE = 30


@dataclass(frozen=True, kw_only=True)
class EditionCard:
    """An edition in the list, and how far it is. ``words`` and ``tone`` are those of its state,
    ``writer`` is None if nobody has changed it in Studio yet; ``present`` are the names of others who have a
    text of it open."""

    summary: EditionSummary
    state: EditionState
    words: str
    tone: str
    languages: Sequence[str]
    unfinished: Sequence[str]
    writer: LastWriter | None
    present: Sequence[str]


def list_editions(page: PageDep, request: Request) -> Response:
    """List a page of the editions, the newest first."""
    slugs = page.state.summaries.list_slugs()
    number = _read_number(request.query_params.get("page", "1"))
    first = (number - 1) * PAGE_SIZE
    if number > 1 and first >= len(slugs):
        raise HTTPException(404)
    return page.render(
        "editions.html",
        section="editions",
        cards=_make_cards(page, slugs[first : first + PAGE_SIZE]),
        number=number,
        total=len(slugs),
        has_more=len(slugs) > first + PAGE_SIZE,
    )


def _read_number(written: str) -> int:
    number = read_number(written, digits=6)
    if not number:
        raise HTTPException(404)
    return number


def _make_cards(page: StudioPage, slugs: Sequence[str]) -> list[EditionCard]:
    with page.state.read_session() as session:
        states = find_edition_states(session, slugs)
        writers = find_last_writers(session, slugs)
        present = list_present_by_edition(session, slugs, now=page.state.clock(), apart_from=page.member)
    cards = []
    for slug in slugs:
        summary = page.state.summaries.read(slug)
        words, tone = STATE_WORDS[states[slug]]
        own = [summary.language] if summary.language else []
        cards.append(
            EditionCard(
                summary=summary,
                state=states[slug],
                words=words,
                tone=tone,
                languages=[own_language_name(tag) for tag in (*own, *summary.complete)],
                unfinished=[own_language_name(tag) for tag in summary.incomplete],
                writer=writers.get(slug),
                present=present.get(slug, ()),
            )
        )
    return cards
