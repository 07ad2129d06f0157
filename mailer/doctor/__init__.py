"""Finds problems with a workspace before they matter (``mailer doctor``). Nothing is sent or changed.

To add a check, write a function that takes a workspace and yields findings, name it in
``registry.WORKSPACE_CHECKS``, and give each code of a bad or doubtful finding its page in
``explanations.toml``.
"""

from mailer.doctor.diagnosis import Diagnosis, Health
from mailer.doctor.provider_checks import check_providers
from mailer.doctor.registry import WORKSPACE_CHECKS
from mailer.workspace import Workspace

__all__ = ["Diagnosis", "Health", "diagnose_workspace"]


def diagnose_workspace(workspace: Workspace) -> tuple[Diagnosis, ...]:
    """Check everything a campaign relies on. All checks always run, whatever the earlier ones found."""
    findings = tuple(finding for check in WORKSPACE_CHECKS for finding in check(workspace))
    return (*findings, *check_providers(workspace, findings))
