"""A claimed batch is divided: each message goes now, soon or later, and none is lost."""

import asyncio
from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine

from mailer.dispatch.deliveries import Claim, ClaimedSubscriber
from mailer.dispatch.domain_limiter import DomainRateLimiter
from mailer.dispatch.rate_limiter import RateLimiter
from mailer.dispatch.scheduler import Schedule, SendScheduler
from mailer.dispatch.sending_windows import SendingWindows
from mailer.settings import CampaignSettings, SenderSettings, Settings
from tests.factories.deliveries import FakeClock

# Half past nine in China, half past ten in Korea, and in the middle of the night in France.
_NOW = datetime(2026, 3, 2, 1, 30, tzinfo=UTC)


def make_claims(*readers: tuple[str, str]) -> list[Claim]:
    """Claims of readers with these addresses and countries."""
    return [
        Claim(
            number,
            1,
            ClaimedSubscriber(
                id=number, email=address, envelope=address, name="", country=country, language=None
            ),
        )
        for number, (address, country) in enumerate(readers, start=1)
    ]


def make_windows(window: str) -> SendingWindows:
    sender = SenderSettings(
        name="News", address="news@example.org", organisation="Us", postal_address="Street 1, Town"
    )
    return SendingWindows(Settings(sender=sender, campaigns=CampaignSettings(window=window)))


def divide(engine: Engine, claims: list[Claim], rates: dict[str, float], window: str = "") -> Schedule:
    clock = FakeClock(_NOW)

    async def schedule() -> Schedule:
        scheduler = SendScheduler(
            RateLimiter(engine, "campaign:1", None, clock=clock),
            {},
            DomainRateLimiter(engine, rates, clock=clock),
            make_windows(window) if window else None,
        )
        return scheduler.schedule(claims, _NOW)

    return asyncio.run(schedule())


def test_a_batch_that_nothing_limits_goes_as_it_is(engine: Engine) -> None:
    claims = make_claims(("a@one.org", "CN"), ("b@two.org", "KR"))
    assert divide(engine, claims, {}) == Schedule(now=claims)
    assert divide(engine, claims, {"three.org": 1}) == Schedule(now=claims)


def test_who_may_go_goes_while_others_wait_for_their_morning(engine: Engine) -> None:
    claims = make_claims(("a@one.org", "CN"), ("b@one.org", "FR"), ("c@one.org", "KR"))
    schedule = divide(engine, claims, {"two.org": 1}, window="08:00-18:00")
    assert schedule.now == [claims[0], claims[2]]
    assert not schedule.soon
    assert schedule.later == {
        "It is outside the sending hours where the subscriber lives.": [
            (claims[1], datetime(2026, 3, 2, 7, tzinfo=UTC))
        ]
    }


def test_a_slow_domain_s_messages_go_soon_or_later_and_each_message_once(engine: Engine) -> None:
    claims = make_claims(*[("a@slow.org", "CN")] * 9, ("b@one.org", "CN"), ("c@one.org", "FR"))
    schedule = divide(engine, claims, {"slow.org": 1}, window="08:00-18:00")
    assert schedule.now == [claims[0], claims[9]]
    assert [(claim, round(seconds)) for claim, seconds in schedule.soon] == [
        (claims[each], each) for each in range(1, 6)
    ]
    closed, held = schedule.later.values()
    assert [claim for claim, _ in closed] == [claims[10]]
    assert [claim for claim, _ in held] == claims[6:9]
    assert list(schedule.later)[1] == "slow.org accepts no more at the moment."


@pytest.mark.parametrize(("rate", "now"), [(50.0, 2), (49.0, 1)])
def test_a_message_is_not_kept_for_less_than_twenty_milliseconds(
    engine: Engine, rate: float, now: int
) -> None:
    schedule = divide(engine, make_claims(*[("a@one.org", "CN")] * 2), {"one.org": rate})
    assert len(schedule.now) == now
    assert len(schedule.soon) == 2 - now
