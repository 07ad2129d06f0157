from pathlib import Path

import pytest

from tests.factories.draft_edition import Draft


@pytest.fixture
def draft(tmp_path: Path) -> Draft:
    """A small edition without problems."""
    return Draft(tmp_path / "2021-2")
