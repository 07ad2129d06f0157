"""The time to hand over: from the launch until the relay accepted the messages, on both databases."""

from datetime import timedelta

from sqlalchemy import Engine, update
from sqlmodel import col

from mailer.campaigns.report.acceptance_times import HandOver, measure_hand_over
from mailer.database.models import Campaign, Delivery, DeliveryState
from mailer.providers.domain_lookup import MxAnswer, save_answers
from mailer.providers.provider_table import load_providers
from tests.factories.deliveries import START, add_campaign


def hand_over(engine: Engine, campaign_id: int, seconds: list[float]) -> None:
    """Let the relay accept the first messages, each so many seconds after the launch."""
    with engine.begin() as connection:
        connection.execute(update(Campaign).values(launched_at=START))
        for number, after in enumerate(seconds, start=1):
            accepted = {"state": DeliveryState.sent, "updated_at": START + timedelta(seconds=after)}
            this = (col(Delivery.id) == number, col(Delivery.campaign_id) == campaign_id)
            connection.execute(update(Delivery).where(*this).values(accepted))


def measure(engine: Engine, campaign_id: int) -> HandOver | None:
    with engine.connect() as connection:
        return measure_hand_over(connection, campaign_id)


def test_the_first_the_median_95_in_100_and_the_last_are_told(engine: Engine) -> None:
    number = add_campaign(engine, 100)
    hand_over(engine, number, [0.5, *range(2, 100), 3600.25])
    found = measure(engine, number)
    assert found is not None
    assert (found.sent, found.first, found.median, found.most, found.last) == (100, 0.5, 50, 95, 3600.25)
    assert found.curve[-1] == (3600.25, 100)
    # After a sixtieth of the hour.
    assert found.curve[0] == (60.0, 60)


def test_within_one_second_no_time_is_before_the_first_or_after_the_last(engine: Engine) -> None:
    number = add_campaign(engine, 3)
    hand_over(engine, number, [0.2, 0.3, 0.4])
    found = measure(engine, number)
    assert found is not None
    assert 0.2 <= found.median <= found.most <= found.last == 0.4
    assert found.curve == ((0.4, 3),)


def test_a_message_that_was_in_doubt_tells_no_time(engine: Engine) -> None:
    number = add_campaign(engine, 2)
    hand_over(engine, number, [1, 90_000])
    with engine.begin() as connection:
        connection.execute(update(Delivery).where(col(Delivery.id) == 2).values(doubted=True))
    found = measure(engine, number)
    assert found is not None
    assert (found.sent, found.last) == (1, 1)


def test_of_a_campaign_that_sent_nothing_there_is_no_time(engine: Engine) -> None:
    number = add_campaign(engine, 2)
    assert measure(engine, number) is None


def test_domains_of_five_readers_or_more_are_measured_apart(engine: Engine) -> None:
    readers = [f"a{n}@Large.example.org" for n in range(8)] + [f"b{n}@small.example" for n in range(4)]
    readers += [f"c{n}@other.example" for n in range(5)]
    number = add_campaign(engine, readers)
    hand_over(engine, number, [*[1.0] * 7, 9.0, *[2.0] * 4, *[3.0] * 5])
    found = measure(engine, number)
    assert found is not None
    # The others have nine together: with both domains shown, that they are four would be a subtraction away.
    assert [(place.place, place.sent, place.median, place.last) for place in found.places] == [
        ("large.example.org", 8, 1, 9)
    ]


def test_the_domains_of_one_provider_are_measured_together(engine: Engine) -> None:
    readers = [f"a{n}@gmail.com" for n in range(4)] + [f"b{n}@googlemail.com" for n in range(3)]
    number = add_campaign(engine, [*readers, *(f"c{n}@ministry.example" for n in range(6))])
    hand_over(engine, number, [*[2.0] * 7, *[5.0] * 6])
    found = measure(engine, number)
    assert found is not None
    assert [(place.sent, place.last) for place in found.places] == [(7, 2), (6, 5)]
    assert found.places[0].place != "gmail.com"
    assert found.places[1].place == "ministry.example"


def test_domains_that_one_provider_receives_for_are_measured_with_its_own(engine: Engine) -> None:
    readers = [f"a{n}@gmail.com" for n in range(4)] + [f"b{n}@partner.example" for n in range(3)]
    readers += [f"c{n}@own.example" for n in range(6)] + [f"d{n}@odd.example" for n in range(5)]
    number = add_campaign(engine, readers)
    hand_over(engine, number, [*[2.0] * 4, *[4.0] * 3, *[5.0] * 6, *[7.0] * 5])
    # A server of its own, and a provider that this version does not know.
    known = {"partner.example": "google", "own.example": "", "odd.example": "nobody"}
    lasts = timedelta(days=1)
    save_answers(
        engine, [MxAnswer(domain=domain, provider=key, lasts=lasts) for domain, key in known.items()]
    )
    found = measure(engine, number)
    assert found is not None
    assert [(place.place, place.sent, place.last) for place in found.places] == [
        (load_providers().by_key["google"].name, 7, 4),
        ("own.example", 6, 5),
        ("odd.example", 5, 7),
    ]
