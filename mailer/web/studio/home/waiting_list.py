"""What waits for a member and for others: the items of all sources, in the order of their urgency.

Each source is asked by itself. One that cannot be read is named on the page, and hides none of the others.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy.exc import SQLAlchemyError

from mailer.errors import MailerError
from mailer.web.studio.approvals.waiting_approvals import WAITING_APPROVALS
from mailer.web.studio.campaigns.campaign_list import WAITING_CAMPAIGNS
from mailer.web.studio.comments import WAITING_MENTIONS
from mailer.web.studio.doctor.waiting_findings import WAITING_FINDINGS
from mailer.web.studio.feedback.feedback_page import WAITING_FEEDBACK
from mailer.web.studio.history.history_pages import WAITING_TEXTS
from mailer.web.studio.home.doubt_source import WAITING_DOUBTS
from mailer.web.studio.home.edition_sources import list_edition_sources
from mailer.web.studio.home.recent_editions import RecentEdition
from mailer.web.studio.imports.upload_page import WAITING_FILES
from mailer.web.studio.launches.waiting_launches import WAITING_LAUNCHES
from mailer.web.studio.page import StudioPage
from mailer.web.studio.settings.sections import WAITING_FAULT
from mailer.web.studio.sign_ups.waiting_sign_ups import WAITING_SIGN_UPS
from mailer.web.studio.team import WAITING_INVITATIONS
from mailer.web.studio.waiting_item import WaitingItem, WaitingSource

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
