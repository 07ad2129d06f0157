"""Figures for Prometheus, as they are counted and as the command prints them."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from click.testing import CliRunner
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import Engine, insert, select, update
from sqlmodel import Session, col

from mailer.campaigns.metrics import export_metrics
from mailer.cli import mailer
from mailer.database.engine import read_clock
from mailer.database.feedback_models import (
    Consequence,
    FeedbackEvent,
    FeedbackKind,
    FeedbackMessage,
    FeedbackState,
)
from mailer.database.models import Campaign, CampaignState, Delivery, DeliveryState, Dispatcher, RateBucket
from mailer.workspace import Workspace
from tests.factories.deliveries import START, add_campaign

Figures = dict[tuple[str, ...], float]


@pytest.fixture
def engine(either_workspace: Workspace) -> Iterator[Engine]:
    engine = either_workspace.open_database()
    yield engine
    engine.dispose()


def read(text: str) -> Figures:
    """Every figure by its name and the values of its labels."""
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_everything_is_counted_in_the_database(engine: Engine) -> None:
    add_campaign(engine, 3, launched_at=START)
    with engine.begin() as connection:
        now = read_clock(connection)
        first, second, _ = connection.scalars(select(col(Delivery.id)).order_by(col(Delivery.id))).all()
        connection.execute(update(Delivery).values(updated_at=now - timedelta(minutes=5)))
        for number, owner in ((first, None), (second, "a")):
            values = {"state": DeliveryState.in_doubt, "owner": owner}
            connection.execute(update(Delivery).where(col(Delivery.id) == number).values(**values))
        for name, age in (("alive", 5), ("dead", 90)):
            beat = now - timedelta(seconds=age)
            connection.execute(
                insert(Dispatcher).values(id=name, host="h", started_at=beat, heartbeat_at=beat, notice="")
            )
        connection.execute(
            insert(RateBucket).values(name="relay:main", next_at=now + timedelta(seconds=60), used=0)
        )
    with Session(engine) as session:
        for name, kind, state in (("a", "bounce", "recorded"), ("b", "other", "held")):
            message = FeedbackMessage(
                fingerprint=name, received_at=now, kind=FeedbackKind(kind), state=FeedbackState(state)
            )
            session.add(message)
            session.flush()
        session.add(FeedbackEvent(message_id=message.id or 0, at=now, consequence=Consequence.alarm))
        session.commit()
    found = read(export_metrics(engine).decode())
    assert found["mailer_feedback", "bounce"] == found["mailer_feedback", "other"] == 1
    assert found["mailer_feedback", "complaint"] == 0
    assert found["mailer_feedback_held",] == found["mailer_feedback_alarms",] == 1
    assert found["mailer_campaigns", "sending"] == 1
    assert found["mailer_campaigns", "paused"] == 0
    assert found["mailer_subscribers", "active"] == 3
    assert found["mailer_deliveries", "1", "2026-1", "queued"] == 1
    assert found["mailer_deliveries", "1", "2026-1", "in_doubt"] == 2
    assert found["mailer_deliveries", "1", "2026-1", "sent"] == 0
    assert found["mailer_deliveries_in_doubt_unowned", "1", "2026-1"] == 1
    assert 300 <= found["mailer_oldest_queued_seconds", "1", "2026-1"] < 400
    assert found["mailer_dispatchers_alive",] == 1
    assert 0 < found["mailer_lane_lag_seconds", "relay:main"] <= 60
    assert found["mailer_database_bytes",] > 10_000


def test_only_campaigns_that_go_on_and_the_last_twenty_are_counted(engine: Engine) -> None:
    row = {"edition": "e", "title": "t", "segment": "all", "digest": "d", "created_at": START}
    states = [CampaignState.paused, *[CampaignState.finished] * 30]
    with Session(engine) as session:
        for state in states:
            session.add(Campaign(**row, state=state, launched_at=START))
            session.flush()
        session.add(Campaign(**row, state=CampaignState.draft))
        session.commit()
    counted = {int(key[1]) for key in read(export_metrics(engine).decode()) if key[0] == "mailer_deliveries"}
    assert counted == {1, *range(12, 32)}


def test_the_command_prints_them(either_workspace: Workspace, engine: Engine) -> None:
    add_campaign(engine, 2)
    environ = {"MAILER_DATABASE__URL": either_workspace.settings.database.url}
    done = CliRunner().invoke(mailer, ["-C", str(either_workspace.root), "campaigns", "metrics"], env=environ)
    assert done.exit_code == 0
    assert read(done.stdout)["mailer_subscribers", "active"] == 2
