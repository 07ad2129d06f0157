"""The editions that were worked on lately: who edited each last, and how far it is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func
from sqlmodel import Session, col, select

from mailer.database.edition_models import EditionRevision, RevisionKind
from mailer.database.team_models import TeamMember
from mailer.web.studio.edition_summaries import EditionSummary, ProblemCount
from mailer.web.studio.editions.list_page import STATE_WORDS, EditionState, find_edition_states
from mailer.web.studio.state import StudioState

_MAX_EDITIONS = 6


@dataclass(frozen=True, kw_only=True)
class LastEdit:
    """When an edition was last changed, and by whom: "" where that is not known."""

    name: str
    at: datetime


@dataclass(frozen=True, kw_only=True)
class RecentEdition:
    """An edition of the first page. ``count`` is None where its problems are not known yet."""

    summary: EditionSummary
    state: EditionState
    words: str
    tone: str
    last_edit: LastEdit | None
    count: ProblemCount | None

    @property
    def is_open(self) -> bool:
        """Whether somebody may still write in it."""
        return self.state not in {EditionState.sending, EditionState.sent}


def list_recent_editions(state: StudioState) -> list[RecentEdition]:
    """List a few editions: first those that members wrote in lately, then the newest by name."""
    slugs = state.summaries.list_slugs()
    with state.read_session() as session:
        edits = _find_last_edits(session)
        chosen = _choose(slugs, edits)
        states = find_edition_states(session, chosen)
    return [_describe(state, slug, states[slug], edits) for slug in chosen]


def _choose(slugs: Sequence[str], edits: Mapping[str, LastEdit]) -> list[str]:
    known = set(slugs)
    written = [slug for slug in edits if slug in known]
    return list(dict.fromkeys([*written, *slugs]))[:_MAX_EDITIONS]


def _find_last_edits(session: Session) -> dict[str, LastEdit]:
    """The last change of each of the editions that were changed last, the latest first."""
    latest = (
        select(func.max(EditionRevision.id))
        .where(EditionRevision.kind != RevisionKind.found)
        .group_by(col(EditionRevision.edition))
        .order_by(func.max(EditionRevision.id).desc())
        .limit(_MAX_EDITIONS * 2)
    )
    rows = session.exec(
        select(EditionRevision, TeamMember.name)
        .outerjoin(TeamMember, col(TeamMember.id) == col(EditionRevision.member_id))
        .where(col(EditionRevision.id).in_(latest))
        .order_by(col(EditionRevision.id).desc())
    ).all()
    return {row.edition: LastEdit(name=name or "", at=row.ended_at) for row, name in rows}


def _describe(
    state: StudioState, slug: str, reached: EditionState, edits: Mapping[str, LastEdit]
) -> RecentEdition:
    summary = state.summaries.read(slug)
    words, tone = STATE_WORDS[reached]
    last_edit = edits.get(slug)
    if last_edit is None and summary.changed_at is not None:
        last_edit = LastEdit(name="", at=summary.changed_at)
    return RecentEdition(
        summary=summary,
        state=reached,
        words=words,
        tone=tone,
        last_edit=last_edit,
        count=state.problem_counts.find_known(slug),
    )
