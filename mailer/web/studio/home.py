"""The home page: what waits for somebody, and the latest editions."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from urllib.parse import quote

from sqlalchemy.exc import SQLAlchemyError
from starlette.responses import Response

from editions.overview import EditionSummary
from mailer.campaigns.edition_state import EditionState, find_edition_states
from mailer.campaigns.report.summary import list_open_doubts
from mailer.errors import MailerError
from mailer.i18n import gettext_noop
from mailer.revisions.history import list_last_edits
from mailer.team.members import Permission
from mailer.translations import TranslationState, list_translation_states
from mailer.web.forms import own_language_name
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
from mailer.web.studio.routing import Routes
from mailer.web.studio.settings.sections import WAITING_FAULT
from mailer.web.studio.sign_ups import WAITING_SIGN_UPS
from mailer.web.studio.team import WAITING_INVITATIONS
from mailer.web.studio.waiting_item import WaitingItem, WaitingSource

ROUTES = Routes()

_log = logging.getLogger(__name__)
_MAX_EDITIONS = 6
_MAX_TRANSLATED = 2


@dataclass(frozen=True, kw_only=True)
class RecentEdition:
    """An edition of the first page, when it was last changed, and by whom: "" where that is not known.
    ``count`` is None where its problems are not known yet."""

    summary: EditionSummary
    state: EditionState
    edited_at: datetime | None
    edited_by: str
    count: ProblemCount | None

    @property
    def is_open(self) -> bool:
        """Whether somebody may still write in it."""
        return self.state not in {EditionState.sending, EditionState.sent}


@ROUTES.get_route("/", Permission.read)
def show_home(page: PageDep) -> Response:
    """Show what waits for the member, and the latest editions."""
    recent = _list_recent_editions(page)
    items: list[WaitingItem] = []
    unreachable = []
    for source in _list_sources(recent):
        if page.may(source.permission):
            try:
                items += source.list_items(page)
            except (SQLAlchemyError, MailerError, OSError) as error:
                # A transaction in which a statement failed answers no other source.
                page.end_reading()
                _log.warning("%s of the first page cannot be read: %s", source.name, error)
                unreachable.append(page.translate(source.name))
    return page.render(
        "home.html",
        section="home",
        recent=recent,
        own=[item for item in items if not item.waits_for],
        of_others=[item for item in items if item.waits_for],
        unreachable=unreachable,
    )


def _list_recent_editions(page: StudioPage) -> list[RecentEdition]:
    """A few editions: first those that members wrote in lately, then the newest by name."""
    slugs = page.state.summaries.list_slugs()
    edits = list_last_edits(page.session, limit=_MAX_EDITIONS * 2)
    known = set(slugs)
    written = [slug for slug in edits if slug in known]
    chosen = list(dict.fromkeys([*written, *slugs]))[:_MAX_EDITIONS]
    states = find_edition_states(page.session, chosen)
    recent = []
    for slug in chosen:
        summary = page.state.summaries.read(slug)
        name, at = edits.get(slug, ("", summary.changed_at))
        count = page.state.problem_counts.find_known(slug)
        recent.append(
            RecentEdition(summary=summary, state=states[slug], edited_at=at, edited_by=name, count=count)
        )
    return recent


def _list_sources(recent: Sequence[RecentEdition]) -> tuple[WaitingSource, ...]:
    """The sources, the most urgent first; two look at ``recent``, which the page shows anyway."""
    problems, outdated = partial(_list_faulty_editions, recent), partial(_list_outdated_translations, recent)
    return (
        WAITING_FAULT,
        WAITING_TEXTS,
        WAITING_LAUNCHES,
        WAITING_APPROVALS,
        WAITING_CAMPAIGNS,
        WAITING_MENTIONS,
        WaitingSource(name=gettext_noop("Doubts"), permission=Permission.launch, list_items=_list_doubts),
        WaitingSource(
            name=gettext_noop("Problems of editions"), permission=Permission.write, list_items=problems
        ),
        WaitingSource(name=gettext_noop("Translations"), permission=Permission.write, list_items=outdated),
        WAITING_FEEDBACK,
        WAITING_SIGN_UPS,
        WAITING_FILES,
        WAITING_FINDINGS,
        WAITING_INVITATIONS,
    )


def _list_doubts(page: StudioPage) -> Iterator[WaitingItem]:
    has_page = page.leads_to("/campaigns/{campaign}/doubts")
    for one in list_open_doubts(page.session.connection()):
        words = page.translator.translations.ngettext(
            "Of %(num)s partner nobody knows whether they got it",
            "Of %(num)s partners nobody knows whether they got it",
            one.number,
        ) % {"num": f"{one.number:,}"}
        path = f"/campaigns/{one.campaign_id}"
        yield WaitingItem(
            title=one.title or one.edition,
            words=words,
            act=page.translate(gettext_noop("Settle the doubts")),
            path=f"{path}/doubts" if has_page else f"{path}/report#in-doubt",
            detail=page.translator.format_day(one.launched_at.date()),
        )


def _list_faulty_editions(recent: Sequence[RecentEdition], page: StudioPage) -> Iterator[WaitingItem]:
    """Editions being written that cannot be read, or have errors that the checks have found."""
    translate, ngettext = page.translator.translate, page.translator.translations.ngettext
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
                words=ngettext("%(num)s error", "%(num)s errors", count.errors) % {"num": count.errors},
                act=translate(gettext_noop("See the problems")),
                path=f"{path}/problems",
                tone="wrong",
                detail=summary.slug,
            )


def _list_outdated_translations(recent: Sequence[RecentEdition], page: StudioPage) -> Iterator[WaitingItem]:
    """Editions being written whose originals have changed since they were translated; the latest alone, whose
    files are read anyway."""
    translate, ngettext = page.translator.translate, page.translator.translations.ngettext
    for edition in [one for one in recent if one.is_open and not one.summary.fault][:_MAX_TRANSLATED]:
        slug = edition.summary.slug
        found = list_translation_states(page.session, page.state.workspace, slug)
        for language in found.languages:
            if number := found.count(language, TranslationState.outdated):
                words = ngettext(
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
