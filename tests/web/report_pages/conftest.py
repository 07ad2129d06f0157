"""What the tests of the pages of reports share."""

import pytest

from mailer.workspace import open_workspace, write_keys
from tests.conftest import SETTINGS
from tests.web.report_pages.shown_reports import ShownReports


@pytest.fixture(scope="session")
def shown(tmp_path_factory: pytest.TempPathFactory) -> ShownReports:
    """The pages of every state, which need no database."""
    root = tmp_path_factory.mktemp("reports")
    (root / "mailer.toml").write_text(SETTINGS, encoding="utf-8")
    write_keys(root / "keys.toml")
    return ShownReports(open_workspace(root, environ={}).settings)
