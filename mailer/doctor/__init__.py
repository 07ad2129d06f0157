"""Finds problems with a workspace before they matter (``mailer doctor``). Nothing is sent or changed."""

from mailer.doctor import workspace_checks as checks
from mailer.doctor.diagnosis import Diagnosis, Health
from mailer.workspace import Workspace

__all__ = ["Diagnosis", "Health", "diagnose_workspace"]


def diagnose_workspace(workspace: Workspace) -> tuple[Diagnosis, ...]:
    """Check everything a campaign relies on. All checks always run, whatever the earlier ones found."""
    return tuple(
        finding
        for check in (
            checks.check_files,
            checks.check_database,
            checks.check_web,
            checks.check_public_pages,
            checks.check_sender,
            checks.check_relays,
            checks.check_dkim,
            checks.check_incoming,
            checks.check_alarms,
            checks.check_webhooks,
            checks.check_templates,
            checks.check_python,
        )
        for finding in check(workspace)
    )
