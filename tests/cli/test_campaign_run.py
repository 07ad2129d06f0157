"""What a command that sends says at the end of it."""

import json

import pytest
from sqlalchemy import text

from mailer.campaigns import send
from mailer.cli.campaign_run import send_in_foreground
from mailer.cli.context import CliContext
from mailer.database.models import CampaignState
from mailer.dispatch.deliveries import Counts
from mailer.dispatch.event_log import RunOutcome, RunResult
from mailer.workspace import Workspace
from tests.factories.deliveries import add_campaign
from tests.web.site import opened_engine


def test_what_became_of_it_is_told_if_the_database_was_upgraded_meanwhile(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with opened_engine(workspace) as engine:
        number = add_campaign(engine, 1)

    def send_while_another_upgrades(*_: object, **__: object) -> RunResult:
        with opened_engine(workspace) as engine, engine.begin() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        counts = Counts(audience=1, sent=1)
        return RunResult(outcome=RunOutcome.finished, state=CampaignState.finished, counts=counts)

    monkeypatch.setattr(send, "send_campaign", send_while_another_upgrades)
    send_in_foreground(CliContext(workspace.root), number, wait=False, as_json=True)
    assert json.loads(capsys.readouterr().out)["sent"] == 1
