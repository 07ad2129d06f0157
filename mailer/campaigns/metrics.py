"""Metrics for Prometheus, counted in the database on each request; nothing is kept in between.

Deliveries are counted for the campaigns still running and the last twenty that have ended. That reads their
whole ledgers, so scrape once a minute at most.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from enum import StrEnum
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy import Connection, Engine, func, select, text
from sqlalchemy.orm import Mapped
from sqlmodel import col

from mailer.database.engine import read_clock
from mailer.database.feedback_models import (
    Consequence,
    FeedbackEvent,
    FeedbackKind,
    FeedbackMessage,
    FeedbackState,
)
from mailer.database.models import Campaign, CampaignState, Delivery, DeliveryState, RateBucket
from mailer.dispatch.liveness import list_alive
from subscribers.models import Status, Subscriber

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_ENDED_STATES = (CampaignState.finished, CampaignState.cancelled)
_RECENT_CAMPAIGNS = 20
_MAX_BUCKETS = 50


def export_metrics(engine: Engine) -> bytes:
    registry = CollectorRegistry()
    with engine.connect().execution_options(read_only=True) as connection:
        registry.register(_MetricsCollector(connection))
        return generate_latest(registry)


class _MetricsCollector(Collector):
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def describe(self) -> Iterable[GaugeMetricFamily]:
        # Without this, the registry would collect everything once just to learn the names.
        return ()

    def collect(self) -> Iterator[GaugeMetricFamily]:
        connection, now = self._connection, read_clock(self._connection)
        editions = _find_campaigns(connection)
        campaigns = GaugeMetricFamily("mailer_campaigns", "Campaigns by state.", labels=["state"])
        yield _count_by(connection, col(Campaign.state), CampaignState, campaigns)
        people = GaugeMetricFamily("mailer_subscribers", "Subscribers by status.", labels=["status"])
        yield _count_by(connection, col(Subscriber.status), Status, people)
        came = GaugeMetricFamily("mailer_feedback", "Messages that came back, by kind.", labels=["kind"])
        yield _count_by(connection, col(FeedbackMessage.kind), FeedbackKind, came)
        yield from _feedback(connection)
        yield from _deliveries(connection, editions)
        yield _queue_ages(connection, editions, now)
        yield GaugeMetricFamily(
            "mailer_dispatchers_alive",
            "Dispatchers whose heart has beaten within the last minute.",
            value=len(list_alive(connection, now)),
        )
        yield _rate_buckets(connection, now)
        yield _database(connection)


def _find_campaigns(connection: Connection) -> dict[int, str]:
    number, edition = col(Campaign.id), col(Campaign.edition)
    is_over = col(Campaign.state).in_(_ENDED_STATES)
    going = select(number, edition).where(~is_over, col(Campaign.launched_at).is_not(None))
    ended = select(number, edition).where(is_over).order_by(number.desc()).limit(_RECENT_CAMPAIGNS)
    rows = [row for query in (ended, going) for row in connection.execute(query)]
    return {row[0]: row[1] for row in rows if row[0] is not None}


def _count_by(
    connection: Connection, column: Mapped[Any], members: type[StrEnum], family: GaugeMetricFamily
) -> GaugeMetricFamily:
    """Fill ``family`` with the number of rows of a table for each of ``members``, the values of a column."""
    found = {row[0]: row[1] for row in connection.execute(select(column, func.count()).group_by(column))}
    for each in members:
        family.add_metric([each.value], found.get(each, 0))
    return family


def _feedback(connection: Connection) -> Iterator[GaugeMetricFamily]:
    """Yield what waits for a person, and what servers said about us."""
    held = select(func.count()).select_from(FeedbackMessage)
    held = held.where(col(FeedbackMessage.state) == FeedbackState.held)
    yield GaugeMetricFamily(
        "mailer_feedback_held",
        "Messages that came back and wait for a person.",
        value=connection.execute(held).scalar_one(),
    )
    alarms = select(func.count()).select_from(FeedbackEvent)
    alarms = alarms.where(col(FeedbackEvent.consequence) == Consequence.alarm)
    yield GaugeMetricFamily(
        "mailer_feedback_alarms",
        "Bounces that are about the sender, not about the readers.",
        value=connection.execute(alarms).scalar_one(),
    )


def _deliveries(connection: Connection, editions: dict[int, str]) -> Iterator[GaugeMetricFamily]:
    labels = ["campaign", "edition"]
    deliveries = GaugeMetricFamily(
        "mailer_deliveries", "Deliveries of the latest campaigns by state.", labels=[*labels, "state"]
    )
    doubts = GaugeMetricFamily(
        "mailer_deliveries_in_doubt_unowned",
        "Deliveries in doubt that no dispatcher holds: for a person to settle.",
        labels=labels,
    )
    campaign, state = col(Delivery.campaign_id), col(Delivery.state)
    statement = (
        select(campaign, state, func.count(), func.count(col(Delivery.owner)))
        .where(campaign.in_(editions))
        .group_by(campaign, state)
    )
    found = {(number, kind): (all_, owned) for number, kind, all_, owned in connection.execute(statement)}
    for number, edition in editions.items():
        for each in DeliveryState:
            deliveries.add_metric([str(number), edition, each.value], found.get((number, each), (0, 0))[0])
        all_, owned = found.get((number, DeliveryState.in_doubt), (0, 0))
        doubts.add_metric([str(number), edition], all_ - owned)
    yield deliveries
    yield doubts


def _queue_ages(connection: Connection, editions: dict[int, str], now: datetime) -> GaugeMetricFamily:
    """Return how long the next delivery in the queue has waited (fewest attempts, then lowest id)."""
    family = GaugeMetricFamily(
        "mailer_oldest_queued_seconds",
        "How long the next delivery in the queue has waited.",
        labels=["campaign", "edition"],
    )
    for number, edition in editions.items():
        queued = (
            select(col(Delivery.updated_at))
            .where(col(Delivery.campaign_id) == number, col(Delivery.state) == DeliveryState.queued)
            .order_by(col(Delivery.attempts), col(Delivery.id))
            .limit(1)
        )
        since = connection.execute(queued).scalar()
        age = max(0.0, (now - since).total_seconds()) if since is not None else 0.0
        family.add_metric([str(number), edition], age)
    return family


def _rate_buckets(connection: Connection, now: datetime) -> GaugeMetricFamily:
    family = GaugeMetricFamily(
        "mailer_lane_lag_seconds",
        f"How far ahead the turns of a rate are taken, the {_MAX_BUCKETS} furthest.",
        labels=["lane"],
    )
    furthest = col(RateBucket.next_at).desc()
    statement = (
        select(col(RateBucket.name), col(RateBucket.next_at))
        .where(col(RateBucket.next_at).is_not(None))
        .order_by(furthest)
        .limit(_MAX_BUCKETS)
    )
    for name, next_at in connection.execute(statement):
        if next_at is not None:
            family.add_metric([name], max(0.0, (next_at - now).total_seconds()))
    return family


def _database(connection: Connection) -> GaugeMetricFamily:
    if connection.dialect.name == "sqlite":
        size = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"
    else:
        size = "SELECT pg_database_size(current_database())"
    return GaugeMetricFamily(
        "mailer_database_bytes",
        "The size of the database.",
        value=connection.execute(text(size)).scalar_one(),
    )
