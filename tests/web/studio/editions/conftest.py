"""A small edition in the workspace of Studio."""

import pytest

from tests.factories.draft_edition import Draft
from tests.web.studio.conftest import Studio
from tests.web.studio.editions.studio_client import StudioClient, write_story


@pytest.fixture
def draft(studio: Studio) -> Draft:
    """The edition 2026-1: three stories of culture and one of education."""
    draft = Draft(studio.workspace.editions / "2026-1")
    write_story(draft, "020-museum.md", "A museum opens")
    write_story(draft, "020-museum.zh.md", "博物馆开放")
    write_story(draft, "030-schools.md", "Schools & wells", sector="education")
    write_story(draft, "040-dance.md", "A dance is listed")
    return draft


@pytest.fixture
def author(studio: Studio) -> StudioClient:
    return StudioClient(studio)
