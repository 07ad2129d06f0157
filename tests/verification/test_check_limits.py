"""How often may be asked whether a mail is from us: by network, and from everywhere."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine
from sqlmodel import Session, select

from mailer.database.models import Throttle
from mailer.verification.mail_check import (
    NETWORK,
    WIDER_NETWORK,
    TooManyChecksError,
    count_check,
)
from subscribers.consent.suppression import SuppressionKey

KEY = SuppressionKey(b"k" * 32)


def ask(engine: Engine, address: str, times: int, now: datetime) -> int:
    """Ask so often, and return how often an answer was given."""
    answered = 0
    for _ in range(times):
        with engine.begin() as connection:
            try:
                count_check(connection, KEY, address, now=now)
            except TooManyChecksError:
                continue
        answered += 1
    return answered


@pytest.mark.parametrize(
    ("one", "neighbour"), [("192.0.2.7", "192.0.2.8"), ("2001:db8::7", "2001:db8:0:1::7")]
)
def test_a_network_that_asks_too_often_waits_an_hour_and_its_neighbour_does_not(
    engine: Engine, now: datetime, one: str, neighbour: str
) -> None:
    assert ask(engine, one, NETWORK.maximum + 5, now) == NETWORK.maximum
    assert ask(engine, neighbour, 1, now) == 1
    assert ask(engine, one, 1, now + timedelta(minutes=59)) == 0
    assert ask(engine, one, 1, now + timedelta(minutes=61)) == 1


def test_many_addresses_of_one_network_are_counted_together(engine: Engine, now: datetime) -> None:
    answered = sum(ask(engine, f"192.0.2.{host}", NETWORK.maximum, now) for host in range(6))
    assert answered == WIDER_NETWORK.maximum


def test_the_first_check_of_an_hour_deletes_old_counters(engine: Engine, now: datetime) -> None:
    for host in range(5):
        ask(engine, f"192.0.2.{host}", 1, now)
    ask(engine, "198.51.100.1", 1, now + timedelta(hours=2))
    with Session(engine) as session:
        keys = sorted(row.key.partition(":")[0] for row in session.exec(select(Throttle)))
    assert keys == ["verify", "verify-network", "verify-wider-network"]
