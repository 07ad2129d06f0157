"""The home page: what waits for somebody, and the latest editions."""

import logging
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import partial
from typing import NamedTuple
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
from mailer.web.mail_preview.edition_summaries import ProblemCount
from mailer.web.studio.approvals.waiting_approvals import list_approval_items
from mailer.web.studio.campaign_place import list_halted_items
from mailer.web.studio.campaigns.campaign_list import list_campaign_items
from mailer.web.studio.campaigns.launch import list_launch_items
from mailer.web.studio.comments import list_mention_items
from mailer.web.studio.doctor import list_finding_items
from mailer.web.studio.feedback import list_feedback_items
from mailer.web.studio.history.history_pages import list_text_items
from mailer.web.studio.imports.upload_page import list_file_items
from mailer.web.studio.page import PageDep, StudioPage
from mailer.web.studio.routing import Routes
from mailer.web.studio.settings.sections import list_settings_items
from mailer.web.studio.sign_ups import list_sign_up_items
from mailer.web.studio.team import list_invitation_items
from mailer.web.studio.waiting_item import WaitingItem

ROUTES = Routes()

_log = logging.getLogger(__name__)
_MAX_EDITIONS = 6
_MAX_TRANSLATED = 2


class RecentEdition(NamedTuple):
    """An edition of the first page, when it was last changed, and by whom: "" where that is not known.
    ``problems`` is None where they are not known yet."""

    summary: EditionSummary
    state: EditionState
    edited_at: datetime | None
    edited_by: str
    problems: ProblemCount | None


@ROUTES.get_route("/", Permission.read)
def show_home(page: PageDep) -> Response:
    recent = _list_recent_editions(page)
    items: list[WaitingItem] = []
    unreachable = []
    for name, permission, list_items in _list_sources(recent):
        if page.may(permission):
            try:
                # Whole, or not at all: half of it would look like all there is.
                items += list(list_items(page))
            except (SQLAlchemyError, MailerError, OSError) as error:
                # A transaction in which a statement failed answers no other source.
                page.end_reading()
                _log.warning("%s of the first page cannot be read: %s", name, error)
                unreachable.append(page.translate(name))
    return page.render(
        "home.html",
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
        problems = page.state.problem_counts.find_known(slug)
        recent.append(RecentEdition(summary, states[slug], at, name, problems))
    return recent


def _list_sources(
    recent: Sequence[RecentEdition],
) -> Sequence[tuple[str, Permission, Callable[[StudioPage], Iterator[WaitingItem]]]]:
    """Return what lists the things that wait, the most urgent first, each with what the page calls it if it
    cannot be read, and what a member must be allowed to do to be asked about it. Two look at ``recent``,
    which the page shows anyway. Each answers by an index, never by a scan: they are asked whenever it is
    opened."""
    problems, outdated = partial(_list_faulty_editions, recent), partial(_list_outdated_translations, recent)
    return (
        (gettext_noop("Campaigns"), Permission.read, list_halted_items),
        (gettext_noop("the settings"), Permission.manage, list_settings_items),
        (gettext_noop("Texts that could not be saved"), Permission.read, list_text_items),
        (gettext_noop("Launches"), Permission.launch, list_launch_items),
        (gettext_noop("Approvals"), Permission.read, list_approval_items),
        (gettext_noop("Campaigns"), Permission.prepare, list_campaign_items),
        (gettext_noop("Comments"), Permission.read, list_mention_items),
        (gettext_noop("Doubts"), Permission.launch, _list_doubts),
        (gettext_noop("Problems of editions"), Permission.write, problems),
        (gettext_noop("Translations"), Permission.write, outdated),
        (gettext_noop("Feedback"), Permission.change_partners, list_feedback_items),
        (gettext_noop("Sign-ups"), Permission.change_partners, list_sign_up_items),
        (gettext_noop("Imports"), Permission.change_partners, list_file_items),
        (gettext_noop("Doctor"), Permission.manage, list_finding_items),
        (gettext_noop("Invitations"), Permission.manage, list_invitation_items),
    )


def _list_doubts(page: StudioPage) -> Iterator[WaitingItem]:
    for campaign, number in list_open_doubts(page.session.connection()):
        words = page.translator.translations.ngettext(
            "Of %(num)s partner nobody knows whether they got it",
            "Of %(num)s partners nobody knows whether they got it",
            number,
        ) % {"num": f"{number:,}"}
        yield WaitingItem(
            title=campaign.title or campaign.edition,
            words=words,
            act=page.translate(gettext_noop("Settle the doubts")),
            path=f"/campaigns/{campaign.id}/doubts",
            detail=page.translator.format_day(campaign.launched_at.date()),
        )


def _list_faulty_editions(recent: Sequence[RecentEdition], page: StudioPage) -> Iterator[WaitingItem]:
    translate = page.translate
    for edition in recent:
        summary, problems = edition.summary, edition.problems
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
        elif edition.state.is_open and problems is not None and problems.errors:
            yield WaitingItem(
                title=title,
                words=page.ngettext("%(num)s error", "%(num)s errors", problems.errors),
                act=translate(gettext_noop("See the problems")),
                path=f"{path}/problems",
                tone="wrong",
                detail=summary.slug,
            )


def _list_outdated_translations(recent: Sequence[RecentEdition], page: StudioPage) -> Iterator[WaitingItem]:
    """Editions being written whose originals have changed since they were translated; the latest alone, whose
    files are read anyway."""
    translate = page.translate
    for edition in [one for one in recent if one.state.is_open and not one.summary.fault][:_MAX_TRANSLATED]:
        slug = edition.summary.slug
        found = list_translation_states(page.session, page.state.workspace, slug)
        for language in found.languages:
            if number := found.count(language, TranslationState.outdated):
                words = page.ngettext(
                    "The original of %(num)s translation has changed",
                    "The originals of %(num)s translations have changed",
                    number,
                )
                yield WaitingItem(
                    title=f"{edition.summary.title or slug} · {own_language_name(language)}",
                    words=words,
                    act=translate(gettext_noop("See the translations")),
                    path=f"/editions/{quote(slug, safe='')}/translations",
                    detail=slug,
                )
