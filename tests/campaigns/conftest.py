"""What tests of campaigns start from: a workspace with an edition, and its database with a list."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from mailer.workspace import Workspace
from tests.factories.small_edition import add_people, write_edition


@pytest.fixture
def campaign_workspace(either_workspace: Workspace) -> Workspace:
    """A workspace with the small edition, with its database in SQLite, and again in PostgreSQL."""
    write_edition(either_workspace.editions)
    return either_workspace


@pytest.fixture
def campaign_engine(campaign_workspace: Workspace) -> Iterator[Engine]:
    """The database of ``campaign_workspace``, with seven people on the list, four of whom get mail."""
    engine = campaign_workspace.open_database(durable=True)
    add_people(engine)
    yield engine
    engine.dispose()
