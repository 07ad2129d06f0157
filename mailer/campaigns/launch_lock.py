"""One launch of an edition at a time: its lock, and the campaign that is on its way already."""

import contextlib
from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, Engine, Row, select
from sqlmodel import col

from locales.phrase import Phrase, gettext_noop
from mailer.campaigns.edition_lock import acquire_launch_lock
from mailer.campaigns.plan import Plan
from mailer.campaigns.recipients import find_missing_identity
from mailer.database.models import Campaign, CampaignState
from mailer.errors import MailerError
from mailer.rendering.compiled_edition import write_media
from mailer.settings import Settings
from mailer.workspace import Workspace


class LaunchRefusedError(MailerError):
    """The campaign was not launched; nothing was written to the database."""


def check_launchable(settings: Settings, plan: Plan) -> None:
    """Raise LaunchRefusedError if a plan could not be launched at all: the edition has errors, the sender is
    not the workspace's own, or the web pages are not reachable by https."""
    if not settings.web.supports_one_click:
        raise LaunchRefusedError(
            Phrase(
                "[web] base_url is %(base_url)s, but one-click unsubscribe requires https (RFC 8058 "
                "§3.1). Set it to the public https address of `mailer serve`.",
                base_url=settings.web.base_url,
            )
        )
    if fault := find_missing_identity(settings):
        raise LaunchRefusedError(fault)
    if plan.launch_problems:
        complaints = "\n".join(str(problem) for problem in plan.launch_problems)
        raise LaunchRefusedError(
            Phrase(
                "%(edition)s cannot be sent yet, and was not.\n%(complaints)s",
                edition=plan.edition,
                complaints=complaints,
            )
        )
    if plan.errors or not plan.compiled:
        complaints = "\n".join(str(problem) for problem in plan.errors)
        raise LaunchRefusedError(
            Phrase(
                "%(edition)s has errors, so it was not sent. Fix them; `mailer check %(edition)s` lists "
                "them all.\n%(complaints)s",
                edition=plan.edition,
                complaints=complaints,
            )
        )


@contextlib.contextmanager
def launch_lock(engine: Engine, workspace: Workspace, plan: Plan) -> Iterator[Connection]:
    """Open a transaction that only one launch of an edition can hold at a time, once :func:`check_launchable`
    has passed. Pictures are stored before anything is written to the database."""
    check_launchable(workspace.settings, plan)
    for compiled in plan.compiled:
        write_media(compiled, workspace.media)
    with engine.begin() as connection:
        acquire_launch_lock(connection, plan.edition)
        yield connection


def find_unfinished_campaign(connection: Connection, plan: Plan) -> Row[Any] | None:
    """Return the newest campaign with this ``plan`` that is scheduled, sending or paused. Raise
    LaunchRefusedError if it has an earlier version of the edition, or counts clicks where the plan does not,
    or the other way round."""
    states = [CampaignState.scheduled, CampaignState.sending, CampaignState.paused]
    columns: tuple[Any, ...] = (
        *(col(Campaign.id), col(Campaign.digest), col(Campaign.state), col(Campaign.state_reason)),
        *(col(Campaign.canary), col(Campaign.audience), col(Campaign.again), col(Campaign.scheduled_at)),
        col(Campaign.counts_clicks),
    )
    statement = (
        select(*columns)
        .where(
            col(Campaign.edition) == plan.edition,
            col(Campaign.segment) == plan.segment.text,
            col(Campaign.state).in_(states),
        )
        .order_by(col(Campaign.id).desc())
    )
    row = connection.execute(statement).first()
    if row is None:
        return None
    if row.digest != plan.digest:
        raise LaunchRefusedError(_explain_earlier_version(row.id, row.state, plan.edition))
    if row.counts_clicks != plan.counts_clicks:
        raise LaunchRefusedError(_explain_other_links(row.id, row.state, counts_clicks=row.counts_clicks))
    return row


def _explain_earlier_version(number: int, state: CampaignState, edition: str) -> str:
    cancel = f"`mailer campaigns cancel {number}`"
    if state is CampaignState.scheduled:
        return Phrase(
            "Campaign %(number)s has already scheduled an earlier version of %(edition)s for this "
            "segment. Cancel it with %(cancel)s, then schedule the new version.",
            number=number,
            edition=edition,
            cancel=cancel,
        )
    return Phrase(
        "Campaign %(number)s is sending an earlier version of %(edition)s to this segment and is "
        "not finished. Finish it with `mailer campaigns resume %(number)s`, or cancel it with "
        "%(cancel)s.",
        number=number,
        edition=edition,
        cancel=cancel,
    )


def _explain_other_links(number: int, state: CampaignState, *, counts_clicks: bool) -> str:
    does = gettext_noop("counts clicks") if counts_clicks else gettext_noop("does not count clicks")
    cancel = f"`mailer campaigns cancel {number}`"
    if state is CampaignState.scheduled:
        return Phrase(
            "Campaign %(number)s has scheduled this edition for this segment and %(does)s. Cancel it "
            "with %(cancel)s, then schedule it again.",
            number=number,
            does=does,
            cancel=cancel,
        )
    option = "--count-clicks" if counts_clicks else "--no-count-clicks"
    return Phrase(
        "Campaign %(number)s is sending this edition to this segment and %(does)s, which cannot "
        "change once it has started. Continue it with %(option)s, or cancel it with %(cancel)s.",
        number=number,
        does=does,
        option=option,
        cancel=cancel,
    )


def explain_gone(campaign_id: int) -> str:
    """Return why a campaign is not launched that was approved when we looked, and is not now."""
    return Phrase(
        "Campaign %(campaign_id)s was cancelled or launched at the same moment. `mailer "
        "campaigns show %(campaign_id)s` says which.",
        campaign_id=campaign_id,
    )
