"""Plans and launches of the small edition, and workspaces with other settings."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Engine
from sqlmodel import Session, select

from mailer.campaigns.plan import Plan, plan_campaign
from mailer.database.models import Campaign
from mailer.settings import SmtpSettings
from mailer.workspace import Workspace
from subscribers.segments.segment import parse_segment
from tests.factories.small_edition import SLUG


def make_plan(
    workspace: Workspace,
    engine: Engine,
    now: datetime,
    query: str = "all",
    *,
    again: bool = False,
    count_clicks: bool | None = None,
) -> Plan:
    """Plan the small edition for the segment ``query``."""
    segment = parse_segment(query)
    return plan_campaign(workspace, engine, SLUG, segment, again=again, count_clicks=count_clicks, now=now)


def with_settings(workspace: Workspace, **sections: object) -> Workspace:
    """The workspace with whole sections of its settings replaced."""
    return replace(workspace, settings=workspace.settings.model_copy(update=sections))


def with_sender(workspace: Workspace, **values: object) -> Workspace:
    """The workspace with some of its ``[sender]`` settings replaced."""
    return with_settings(workspace, sender=workspace.settings.sender.model_copy(update=values))


def with_smtp(workspace: Workspace, url: str, **values: Any) -> Workspace:
    """The workspace with ``url`` as its relay, and short timeouts (seconds)."""
    return with_settings(workspace, smtp=SmtpSettings(url=url, timeout=5, final_timeout=5, **values))


def count_campaigns(engine: Engine) -> int:
    with Session(engine) as session:
        return len(session.exec(select(Campaign)).all())
