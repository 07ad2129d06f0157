"""The sample workspace with a sender of its own, who may send; the sample's own sender may not."""

from datetime import UTC, datetime
from pathlib import Path

from mailer.workspace_init import CreatedWorkspace, Founder, create_workspace

ANSWERS = {
    "name": "Bureau Nord",
    "address": "newsletter@nord.example.org",
    "organisation": "Bureau Nord",
    "postal_address": "1 rue du Nord, 59000 Lille",
}


def create_sample_workspace(folder: Path) -> CreatedWorkspace:
    return create_workspace(folder, sample=True, now=datetime.now(UTC), founder=Founder(**ANSWERS))
