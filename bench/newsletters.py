"""The two newsletters to send: ten stories of the sample, about 60 kB, and one story, about 5 kB."""

import shutil
from datetime import datetime
from enum import StrEnum
from pathlib import Path

import templates
from mailer.workspace import Workspace, open_workspace
from mailer.workspace_init import SAMPLE_EDITIONS, Founder, create_workspace

_STORIES = 10
_THEME = Path(__file__).parent / "short"
_SHORT = "short"
_EDITION = """\
---
title: Partner News
number: 1/2026
period: January to March 2026
date: 2026-03-01
language: en
template: short
subject: News from the field
preheader: What partners in five countries did together this quarter
---
"""
_STORY = """\
---
title: Teachers meet in Ulaanbaatar
sector: education
countries: [MN]
---

Sixty teachers met to share what works in their classrooms.
"""

_FOUNDER = Founder(
    name="Bench",
    address="newsletter@bench.example.org",
    organisation="Bench",
    postal_address="1 Bench Street, Benchtown",
    sectors="Education, Culture, Natural Sciences, Social and Human Sciences, Communication and Information",
)


class NewsletterSize(StrEnum):
    """Which newsletter to send."""

    large = "60k"
    """Ten stories of the sample in our own theme."""

    small = "5k"
    """One story in a minimal theme of the workspace."""


def create_newsletter(root: Path, size: NewsletterSize, *, now: datetime) -> tuple[Workspace, str]:
    """Create a workspace with an empty list; return it with the name of the edition to send."""
    founded = create_workspace(root, sample=False, now=now, founder=_FOUNDER)
    workspace = open_workspace(founded.root, environ={})
    slug = _write_short(workspace) if size is NewsletterSize.small else _copy_sample(workspace)
    return workspace, slug


def _copy_sample(workspace: Workspace) -> str:
    """Copy the first ten stories of the sample edition."""
    source = next(path for path in sorted(SAMPLE_EDITIONS.iterdir()) if (path / "edition.md").is_file())
    target = shutil.copytree(source, workspace.editions / source.name)
    for story in sorted((target / "stories").glob("*.md"))[_STORIES:]:
        story.unlink()
    return source.name


def _write_short(workspace: Workspace) -> str:
    theme = shutil.copytree(_THEME, workspace.root / "templates" / "email")
    shutil.copyfile(templates.ROOT / "email" / "bulletin.toml", theme / f"{_SHORT}.toml")
    folder = workspace.editions / _SHORT
    (folder / "stories").mkdir(parents=True)
    (folder / "edition.md").write_text(_EDITION, encoding="utf-8")
    (folder / "stories" / "010-teachers.md").write_text(_STORY, encoding="utf-8")
    return _SHORT
