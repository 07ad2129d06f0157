"""Showing reports in the browser: ``campaigns report --page``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailer.cli.output import say

if TYPE_CHECKING:
    from mailer.workspace import Workspace

_PORT = 8027


def serve_report_page(
    workspace: Workspace, campaign_id: int | None, *, port: int | None, open_browser: bool
) -> None:
    """Serve the reports on this machine until Ctrl-C, opened at one campaign, or at all of them.

    Raises:
        UnknownCampaignError: there is no such campaign.
        ServerStartError: the port is in use, or the app did not start.
    """
    from mailer.cli.local_page import serve_local_page
    from mailer.web.access import LocalAccess
    from mailer.web.report import create_report_app

    if campaign_id is not None:
        _check_campaign(workspace, campaign_id)
    access = LocalAccess(opening_path="/" if campaign_id is None else f"/campaigns/{campaign_id}")
    subject = "all campaigns" if campaign_id is None else f"campaign {campaign_id}"
    say(f"Showing the report on {subject}. Press Ctrl-C to stop.")
    serve_local_page(
        create_report_app(workspace, access=access),
        access,
        title="the report",
        port=_PORT if port is None else port,
        open_browser=open_browser,
        folder=workspace.outbox,
    )


def _check_campaign(workspace: Workspace, campaign_id: int) -> None:
    """Refuse a wrong number in the terminal, where it was typed."""
    from mailer.campaigns.lifecycle import find_campaign
    from mailer.database.engine import open_session

    with workspace.use_database() as engine, open_session(engine, read_only=True) as session:
        find_campaign(session, campaign_id)
