"""The readers' pages, served, with one reader."""

from collections.abc import Iterator

import pytest

from mailer.web.app import create_app
from mailer.workspace import Workspace
from tests.web.public.readers_site import Site
from tests.web.site import opened_engine, served


@pytest.fixture
def site(workspace: Workspace) -> Iterator[Site]:
    with opened_engine(workspace) as engine, served(create_app(workspace)) as running:
        yield Site(workspace, engine, running.url)
