"""The home page: what waits for somebody, and the latest editions."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from urllib.parse import quote

from sqlalchemy import func
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session, col, select
from starlette.responses import Response

from editions.overview import EditionSummary
from mailer.campaigns.edition_state import EditionState, find_edition_states
from mailer.campaigns.report.summary import list_open_doubts
from mailer.database.edition_models import EditionRevision, RevisionKind
from mailer.database.team_models import TeamMember
from mailer.errors import MailerError
from mailer.i18n import gettext_noop
from mailer.team.members import Permission
from mailer.translations import TranslationState, list_translation_states
from mailer.web.forms import own_language_name
from mailer.web.routing import GET
from mailer.web.studio.approvals.approval_page import WAITING_APPROVALS
from mailer.web.studio.campaigns.campaign_list import WAITING_CAMPAIGNS
from mailer.web.studio.campaigns.launch import WAITING_LAUNCHES
from mailer.web.studio.comments import WAITING_MENTIONS
from mailer.web.studio.doctor import WAITING_FINDINGS
from mailer.web.studio.edition_summaries import ProblemCount
from mailer.web.studio.feedback import WAITING_FEEDBACK
from mailer.web.studio.history.history_pages import WAITING_TEXTS
from mailer.web.studio.imports.upload_page import WAITING_FILES
from mailer.web.studio.page import PageDep, StudioPage
from mailer.web.studio.routing import StudioRoute
from mailer.web.studio.settings.sections import WAITING_FAULT
from mailer.web.studio.sign_ups import WAITING_SIGN_UPS
from mailer.web.studio.state import StudioState
from mailer.web.studio.team import WAITING_INVITATIONS
from mailer.web.studio.waiting_item import WaitingItem, WaitingSource

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
    last_edit = edits.get(slug)
    if last_edit is None and summary.changed_at is not None:
        last_edit = LastEdit(name="", at=summary.changed_at)
    return RecentEdition(
        summary=summary,
        state=reached,
        last_edit=last_edit,
        count=state.problem_counts.find_known(slug),
    )


def _list_doubts(page: StudioPage) -> Iterator[WaitingItem]:
    with page.state.read_session() as session:
        found = list_open_doubts(session.connection())
    has_page = page.leads_to("/campaigns/{campaign}/doubts")
    for one in found:
        words = page.translator.translations.ngettext(
            "Of %(num)s partner nobody knows whether they got it",
            "Of %(num)s partners nobody knows whether they got it",
            one.number,
        ) % {"num": f"{one.number:,}"}
        path = f"/campaigns/{one.campaign_id}"
        yield WaitingItem(
            title=one.title or one.edition,
            words=words,
            act=page.translator.translate(gettext_noop("Settle the doubts")),
            path=f"{path}/doubts" if has_page else f"{path}/report#in-doubt",
            detail=page.translator.format_day(one.launched_at.date()),
        )


WAITING_DOUBTS = WaitingSource(
    name=gettext_noop("Doubts"), permission=Permission.launch, list_items=_list_doubts
)

_MAX_TRANSLATED = 2


def list_edition_sources(recent: Sequence[RecentEdition]) -> tuple[WaitingSource, ...]:
    """The sources that look at ``recent``, the editions which the page shows anyway."""
    return (
        WaitingSource(
            name=gettext_noop("Problems of editions"),
            permission=Permission.write,
            list_items=partial(_list_faulty_editions, recent),
        ),
        WaitingSource(
            name=gettext_noop("Translations"),
            permission=Permission.write,
            list_items=partial(_list_outdated_translations, recent),
        ),
    )


def _list_faulty_editions(recent: Sequence[RecentEdition], page: StudioPage) -> Iterator[WaitingItem]:
    """Editions being written that cannot be read, or have errors that the checks have found."""
    translate, plural = page.translator.translate, page.translator.translations.ngettext
    for edition in recent:
        summary, count = edition.summary, edition.count
        title = summary.title or summary.slug
        path = f"/editions/{quote(summary.slug, safe='')}"
        if summary.fault:
            yield WaitingItem(
                title=title,
                words=summary.fault,
                act=translate(gettext_noop("Open the edition")),
                path=path,
                tone="wrong",
                detail=summary.slug,
            )
        elif edition.is_open and count is not None and count.errors:
            yield WaitingItem(
                title=title,
                words=plural("%(num)s error", "%(num)s errors", count.errors) % {"num": count.errors},
                act=translate(gettext_noop("See the problems")),
                path=f"{path}/problems",
                tone="wrong",
                detail=summary.slug,
            )


def _list_outdated_translations(recent: Sequence[RecentEdition], page: StudioPage) -> Iterator[WaitingItem]:
    """Editions being written whose originals have changed since they were translated; the latest alone, whose
    files are read anyway."""
    state = page.state
    translate, plural = page.translator.translate, page.translator.translations.ngettext
    for edition in [one for one in recent if one.is_open and not one.summary.fault][:_MAX_TRANSLATED]:
        slug = edition.summary.slug
        with state.read_session() as session:
            found = list_translation_states(session, state.workspace, slug)
        for language in found.languages:
            if number := found.count(language, TranslationState.outdated):
                words = plural(
                    "The original of %(num)s translation has changed",
                    "The originals of %(num)s translations have changed",
                    number,
                ) % {"num": number}
                yield WaitingItem(
                    title=f"{edition.summary.title or slug} · {own_language_name(language)}",
                    words=words,
                    act=translate(gettext_noop("See the translations")),
                    path=f"/editions/{quote(slug, safe='')}/translations",
                    detail=slug,
                )


_log = logging.getLogger(__name__)


@dataclass(kw_only=True)
class Waiting:
    """What waits for the member, what waits for others, and the names of the sources that could not be
    read."""

    own: list[WaitingItem] = field(default_factory=list)
    of_others: list[WaitingItem] = field(default_factory=list)
    unreachable: list[str] = field(default_factory=list)


def find_what_waits(page: StudioPage, recent: Sequence[RecentEdition]) -> Waiting:
    """Find what waits, for the member who opens the page; ``recent`` are the editions it shows."""
    found = Waiting()
    for source in _list_sources(recent):
        if not page.may(source.permission):
            continue
        try:
            items = list(source.list_items(page))
        except (SQLAlchemyError, MailerError, OSError) as error:
            _log.warning("%s of the first page cannot be read: %s", source.name, error)
            found.unreachable.append(page.translator.translate(source.name))
            continue
        found.own += [item for item in items if not item.waits_for]
        found.of_others += [item for item in items if item.waits_for]
    return found


def _list_sources(recent: Sequence[RecentEdition]) -> tuple[WaitingSource, ...]:
    """The sources, the most urgent first."""
    return (
        WAITING_FAULT,
        WAITING_TEXTS,
        WAITING_LAUNCHES,
        WAITING_APPROVALS,
        WAITING_CAMPAIGNS,
        WAITING_MENTIONS,
        WAITING_DOUBTS,
        *list_edition_sources(recent),
        WAITING_FEEDBACK,
        WAITING_SIGN_UPS,
        WAITING_FILES,
        WAITING_FINDINGS,
        WAITING_INVITATIONS,
    )


def show_home(page: PageDep) -> Response:
    """Show what waits for the member, and the latest editions."""
    recent = list_recent_editions(page.state)
    waiting = find_what_waits(page, recent)
    return page.render("home.html", section="home", recent=recent, waiting=waiting)


ROUTES = (StudioRoute("/", show_home, GET, Permission.read),)
