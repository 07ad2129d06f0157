"""Limits on attempts to sign in: whoever guesses is slowed down, and nobody else is."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select
from sqlmodel import Session, SQLModel

from mailer.team.attempt_limits import AttemptLimiter, TooManyAttemptsError, forget_studio_attempts
from subscribers.consent.suppression import SuppressionKey

KEY = SuppressionKey(b"k" * 32)
ANN, BEN = "ann@example.org", "ben@example.org"
Make = Callable[..., AttemptLimiter]


@pytest.fixture
def make(session: Session, now: datetime) -> Make:
    def make(network: str = "192.0.2.1", known: str = "", after: timedelta = timedelta(0)) -> AttemptLimiter:
        return AttemptLimiter(
            connection=session.connection(),
            key=KEY,
            now=now + after,
            network=network,
            known_browser=known,
        )

    return make


def try_passwords(limiter: AttemptLimiter, number: int, email: str = ANN) -> int:
    """How many of ``number`` passwords may be tried."""
    tried = 0
    for _ in range(number):
        try:
            limiter.count_password(email)
        except TooManyAttemptsError:
            continue
        tried += 1
    return tried


def test_a_network_tries_ten_passwords_for_one_address_in_a_quarter(make: Make, now: datetime) -> None:
    assert try_passwords(make(), 15) == 10
    assert try_passwords(make("192.0.2.2"), 1) == 1
    assert try_passwords(make(), 1, BEN) == 1
    with pytest.raises(TooManyAttemptsError) as raised:
        make().count_password(ANN)
    assert raised.value.until == now + timedelta(minutes=15)
    assert try_passwords(make(after=timedelta(minutes=15)), 1) == 1


def test_the_right_password_gives_the_network_its_attempts_back(make: Make) -> None:
    assert try_passwords(make(), 10) == 10
    make().forget_passwords(ANN)
    assert try_passwords(make(), 15) == 10


def test_networks_everywhere_share_a_hundred_and_a_known_browser_has_its_own(make: Make) -> None:
    tried = sum(try_passwords(make(f"198.51.100.{n}"), 10) for n in range(12))
    assert tried == 100
    assert try_passwords(make("203.0.113.1"), 1) == 0
    assert try_passwords(make("203.0.113.1", known="anns-browser"), 15) == 10
    assert try_passwords(make("203.0.113.1"), 1, BEN) == 1


def test_a_flood_of_links_for_somebody_leaves_their_own_browser_its_links(make: Make) -> None:
    mailed = [make(f"198.51.100.{n}").may_mail_link(ANN) for n in range(12) for _ in range(6)]
    assert sum(mailed) == 30
    assert not make("203.0.113.1").may_mail_link(ANN)
    assert [make("198.51.100.1", known="anns-browser").may_mail_link(ANN) for _ in range(6)] == [True] * 5 + [
        False
    ]
    assert make("203.0.113.1").may_mail_link(BEN)


@pytest.mark.parametrize(
    ("first", "second", "is_one"),
    [
        ("192.0.2.1", "192.0.2.1", True),
        ("2001:db8::1", "2001:db8::ffff", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
    ],
)
def test_an_office_is_one_network(make: Make, first: str, second: str, is_one: bool) -> None:
    assert try_passwords(make(first), 10) == 10
    assert try_passwords(make(second), 1) == (0 if is_one else 1)


def test_a_network_that_tries_everybody_is_stopped(make: Make) -> None:
    for _ in range(100):
        make().count_network()
    with pytest.raises(TooManyAttemptsError):
        make().count_network()
    make(known="anns-browser").count_network()
    make("192.0.2.2").count_network()


def test_a_ticket_is_used_once(make: Make) -> None:
    assert [make().use_ticket("one") for _ in range(3)] == [True, False, False]
    assert make().use_ticket("another")


def test_counters_name_nobody_and_are_forgotten(make: Make, session: Session, now: datetime) -> None:
    make().count_network()
    make().count_password(ANN)
    make().may_mail_link(ANN)
    table = SQLModel.metadata.tables["throttle"]
    keys = session.connection().execute(select(table.c.key)).scalars().all()
    assert len(keys) == 6
    assert not any("ann" in key or "192" in key for key in keys)
    forget_studio_attempts(session.connection(), now=now + timedelta(hours=1))
    assert session.connection().execute(select(table.c.key)).scalars().all() == []
