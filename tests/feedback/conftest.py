"""A workspace with an open database of each kind, in which a campaign was sent to five readers."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from mailer.feedback.context import FeedbackContext
from mailer.workspace import Workspace
from tests.factories.feedback import BOUNCE_ADDRESS, add_sent_campaign, set_feedback


@pytest.fixture
def context(either_workspace: Workspace) -> Iterator[FeedbackContext]:
    """Bounces come back with a token."""
    workspace = set_feedback(either_workspace, bounce_address=BOUNCE_ADDRESS)
    engine = workspace.open_database(durable=False)
    yield FeedbackContext(workspace=workspace, engine=engine)
    engine.dispose()


@pytest.fixture
def campaign(context: FeedbackContext, now: datetime) -> int:
    """A campaign that readers 1 to 5 were sent a day ago."""
    return add_sent_campaign(context.engine, 5, at=now - timedelta(days=1))
