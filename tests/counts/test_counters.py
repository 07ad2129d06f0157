"""What is counted: the numbers of segments, audiences and differences, without a person in them."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from sqlalchemy import Engine
from sqlmodel import Session

from mailer.campaigns.recipients import is_in_audience, list_cohorts
from mailer.counts.background_counts import read_list_stamp
from mailer.counts.counters import (
    ARGUMENTS,
    COUNTERS,
    CountKind,
    CountRequest,
    read_cohorts,
    read_cross_table,
    read_request,
    read_value,
    request_audience,
    request_cohorts,
    request_cross_table,
    request_difference,
    request_segment,
    write_value,
)
from mailer.database.models import Campaign, CampaignState, Delivery, DeliveryState
from mailer.i18n import load_translator
from mailer.settings import LawSettings
from mailer.workspace import Workspace
from subscribers.models import Status, SubscriberSector
from subscribers.queries import make_cross_table
from subscribers.segments.segment import parse_segment
from tests.factories.campaigns import with_settings
from tests.factories.deliveries import START, add_subscribers

TODAY = START.date()
Count = Callable[[CountRequest], Any]


@pytest.fixture
def count(engine: Engine, workspace: Workspace) -> Count:
    settings = with_settings(workspace, law=LawSettings(opt_in=["JP"])).settings

    def count(request: CountRequest) -> Any:
        with Session(engine) as session:
            value = COUNTERS[request.kind](session, settings, TODAY, **request.arguments)
        text = write_value(request.kind, value)
        assert "@" not in text
        return read_value(request.kind, text)

    return count


@pytest.fixture
def people(engine: Engine) -> list[int]:
    """Two in Mongolia, the first with 2026-1; one in Japan without consent on record; one in China, gone."""
    ids = add_subscribers(engine, ["a@example.org", "b@example.org"], country="MN", language="mn")
    ids += add_subscribers(engine, ["c@example.org"], country="JP")
    ids += add_subscribers(engine, ["d@example.org"], country="CN", status=Status.unsubscribed)
    with Session(engine) as session:
        session.add(SubscriberSector(subscriber_id=ids[0], sector="education"))
        campaign = Campaign(
            edition="2026-1",
            title="Spring",
            segment="country:MN",
            state=CampaignState.finished,
            digest="d",
            created_at=START,
            launched_at=START,
        )
        session.add(campaign)
        session.flush()
        session.add(
            Delivery(
                campaign_id=campaign.id or 0, subscriber_id=ids[0], state=DeliveryState.sent, updated_at=START
            )
        )
        session.commit()
    return ids


def test_a_segment_is_counted_on_the_list_and_by_who_gets_mail(count: Count, people: list[int]) -> None:
    assert count(request_segment("all")) == {"on_list": 4, "get_mail": 3, "first": people}
    assert count(request_segment("country:CN")) == {"on_list": 1, "get_mail": 0, "first": people[3:]}


def test_a_row_without_a_person_is_counted_only_if_asked_for(
    engine: Engine, count: Count, people: list[int]
) -> None:
    (gone,) = add_subscribers(engine, ["erased@example.org"], status=Status.erased)
    assert count(request_segment("all")) == {"on_list": 4, "get_mail": 3, "first": people}
    assert count(request_segment("status:erased")) == {"on_list": 1, "get_mail": 0, "first": [gone]}


def test_the_table_is_the_one_of_the_command_line(
    engine: Engine, count: Count, people: list[int], workspace: Workspace
) -> None:
    sectors = tuple(workspace.settings.sectors)
    value = count(request_cross_table("all"))
    with Session(engine) as session:
        expected = make_cross_table(session, parse_segment("all"), sectors, today=TODAY)
    assert read_cross_table(value) == expected
    assert value["mailable_only"]
    # Whoever asks for those who left wants to see them.
    left = count(request_cross_table("status:unsubscribed"))
    assert (list(read_cross_table(left).countries), left["mailable_only"]) == (["CN"], False)


def test_an_audience_says_who_is_left_out_and_why(count: Count, people: list[int]) -> None:
    assert count(request_audience("2026-1", "all")) == {
        "audience": 1,
        "left_out": {
            "unsubscribed": 1,
            "already have this edition": 1,
            "in JP without consent on record": 1,
        },
    }
    again = count(request_audience("2026-1", "all", again=True))
    assert (again["audience"], "already have this edition" in again["left_out"]) == (2, False)


def test_cohorts_are_those_of_the_plan(engine: Engine, count: Count, people: list[int]) -> None:
    law = LawSettings(opt_in=["JP"])
    found = read_cohorts(count(request_cohorts("2026-2", "all")))
    with Session(engine) as session:
        audience = is_in_audience(parse_segment("all"), "2026-2", TODAY, again=False, law=law)
        assert found == tuple(list_cohorts(session, audience))
    assert sum(cohort.size for cohort in found) == 2


def test_a_difference_adds_up(count: Count, people: list[int]) -> None:
    found = count(request_difference("edition:2026-1", "all"))
    assert (found["both"], found["before"], found["after"]) == (1, 1, 3)
    assert sum(found["new"].values()) == 2
    assert found["gone"] == {}


def test_reasons_are_said_in_every_language_once_they_are_stored(count: Count, people: list[int]) -> None:
    gone = count(request_difference("edition:2026-1", "country:CN"))["gone"]
    left_out = count(request_audience("2026-1", "all"))["left_out"]
    french = load_translator("fr")
    said = {french.say_again(reason) for reason in (*gone, *left_out)}
    assert {"n’ont pas pour pays China", "en JP sans consentement enregistré"} <= said


def test_every_kind_has_a_counter_and_its_arguments() -> None:
    assert set(COUNTERS) == set(ARGUMENTS) == set(CountKind)


@pytest.mark.parametrize(
    "request_",
    [
        request_segment('org:"a & b=c" tag:日本'),
        request_cross_table("all"),
        request_audience("2026-1", "country:MN", again=True),
        request_cohorts("2026-1", "all"),
        request_difference("campaign:7", "all"),
    ],
)
def test_the_path_of_a_request_leads_back_to_it(request_: CountRequest) -> None:
    parts = urlsplit(request_.path)
    kind = parts.path.removeprefix("/counts/")
    assert read_request(kind, dict(parse_qsl(parts.query))) == request_


def test_what_cannot_be_asked_for_is_refused() -> None:
    assert read_request("everything", {}) is None
    assert read_request("segment", {"segment": "x" * 5000}) is None
    assert read_request("segment", {"segment": "a\0b"}) is None


def test_two_requests_never_share_a_key() -> None:
    requests = [
        request_segment("a"),
        request_cross_table("a"),
        request_difference("a", "b"),
        request_difference("ab", ""),
        request_difference("", "ab"),
    ]
    assert len({request.digest("x") for request in requests}) == len(requests)
    assert request_segment("a").digest("x") != request_segment("a").digest("y")


def test_the_stamp_changes_with_the_list_and_the_day(engine: Engine, people: list[int]) -> None:
    def read() -> str:
        with engine.connect() as connection:
            return read_list_stamp(connection, TODAY)

    first = read()
    assert read() == first
    add_subscribers(engine, ["new@example.org"])
    second = read()
    with Session(engine) as session:
        campaign = session.get(Campaign, 1)
        assert campaign is not None
        campaign.finished_at = START
        session.commit()
    with engine.connect() as connection:
        other_day = read_list_stamp(connection, TODAY + timedelta(1))
    assert len({first, second, read(), other_day}) == 4
