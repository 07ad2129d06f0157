"""Campaigns with deliveries in doubt: found without counting a large one, and gone once they are settled."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import Engine, update
from sqlmodel import col

from mailer.campaigns.report import parts
from mailer.campaigns.report.parts import count_outdated_parts
from mailer.campaigns.report.summary import list_open_doubts
from mailer.database.models import CampaignState, Delivery, DeliveryState
from mailer.workspace import Workspace
from tests.factories.deliveries import START, FakeClock, add_campaign, set_campaign_state


@pytest.fixture
def engine(either_workspace: Workspace) -> Iterator[Engine]:
    engine = either_workspace.open_database()
    yield engine
    engine.dispose()


@pytest.fixture
def campaign(engine: Engine) -> int:
    """A finished campaign to ten readers, three of whom are in doubt."""
    number = add_campaign(engine, 10, state=CampaignState.finished, launched_at=START)
    settle(engine, DeliveryState.in_doubt, 1, 2, 3)
    return number


def settle(engine: Engine, state: DeliveryState, *numbers: int) -> None:
    with engine.begin() as connection:
        connection.execute(update(Delivery).where(col(Delivery.id).in_(numbers)).values(state=state))


def count_doubts(engine: Engine) -> dict[int, int]:
    with engine.connect() as connection:
        return {campaign.id: number for campaign, number in list_open_doubts(connection)}


def test_doubts_are_found_until_they_are_settled(engine: Engine, campaign: int) -> None:
    assert count_doubts(engine) == {campaign: 3}
    settle(engine, DeliveryState.sent, 1, 2)
    assert count_doubts(engine) == {campaign: 1}
    settle(engine, DeliveryState.rejected, 3)
    assert count_doubts(engine) == {}


def test_what_is_on_its_way_is_no_doubt_yet(engine: Engine, campaign: int) -> None:
    set_campaign_state(engine, campaign, CampaignState.sending)
    assert count_doubts(engine) == {}


def test_doubts_of_a_large_campaign_are_those_counted_last_without_the_settled(
    either_workspace: Workspace, engine: Engine, campaign: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "MAX_CHEAP_AUDIENCE", -1)
    assert count_doubts(engine) == {}
    count_outdated_parts(either_workspace, engine, clock=FakeClock(START + timedelta(hours=1)))
    assert count_doubts(engine) == {campaign: 3}
    settle(engine, DeliveryState.sent, 2)
    assert count_doubts(engine) == {campaign: 2}
