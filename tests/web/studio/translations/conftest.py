"""An edition with a story, translated into Chinese, and members who look at it."""

import pytest

from tests.factories.draft_edition import Draft
from tests.web.studio.conftest import Studio
from tests.web.studio.editions.studio_client import StudioClient

EDITION = "2021-2"


@pytest.fixture
def draft(studio: Studio) -> Draft:
    """The edition 2021-2, in English."""
    return Draft(studio.workspace.editions / EDITION)


@pytest.fixture
def author(studio: Studio) -> StudioClient:
    return StudioClient(studio)
