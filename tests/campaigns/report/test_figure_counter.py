"""The costly parts of reports: counted when they are out of date, kept with their date, and forgotten with
the people in them, on both databases."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import Engine, event, func, select, text, update
from sqlmodel import Session, col

from mailer.campaigns.doubt_resolution import resolve_by_hand
from mailer.campaigns.report import parts
from mailer.campaigns.report.campaign_report import read_time_line, report_campaign
from mailer.campaigns.report.parts import CAMPAIGN_PARTS, count_outdated_parts, read_parts
from mailer.database.models import Campaign, CampaignState, Delivery, DeliveryState
from mailer.database.report_models import CampaignReportPart, ReportPart
from mailer.privacy.erasure import erase_person
from mailer.workspace import Workspace
from subscribers.consent.status_changes import unsubscribe
from tests.factories.deliveries import START, FakeClock, FakeMonotonic, add_campaign, set_campaign_state
from tests.factories.json_output import to_json

ALL = len(CAMPAIGN_PARTS) + 1
"""The parts of one campaign, and the growth of the list."""


@pytest.fixture
def engine(either_workspace: Workspace) -> Iterator[Engine]:
    engine = either_workspace.open_database()
    yield engine
    engine.dispose()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(START + timedelta(hours=1))


@pytest.fixture
def campaign(engine: Engine) -> int:
    """A finished campaign to ten readers, one of whom is refused."""
    number = add_campaign(
        engine, 10, state=CampaignState.finished, launched_at=START, finished_at=START + timedelta(minutes=9)
    )
    with engine.begin() as connection:
        connection.execute(update(Delivery).values(state=DeliveryState.sent))
        refused = {"state": DeliveryState.rejected, "code": 550, "reason": "reader0@example.org is unknown"}
        connection.execute(update(Delivery).where(col(Delivery.id) == 1).values(refused))
    return number


@pytest.fixture
def costly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every campaign be too large to be counted for each look."""
    monkeypatch.setattr(parts, "MAX_CHEAP_AUDIENCE", -1)


def test_what_is_out_of_date_is_counted_once(
    either_workspace: Workspace, engine: Engine, clock: FakeClock, campaign: int
) -> None:
    assert count_outdated_parts(either_workspace, engine, clock=clock) == ALL
    assert count_outdated_parts(either_workspace, engine, clock=clock) == 0


def test_all_campaigns_show_what_their_reports_show(
    either_workspace: Workspace, engine: Engine, clock: FakeClock, campaign: int
) -> None:
    count_outdated_parts(either_workspace, engine, clock=clock)
    with Session(engine) as session:
        unsubscribe(session, 2, method="page", now=clock.now)
        session.commit()
        report = report_campaign(session, campaign, either_workspace, fresh=False)
        (figures,) = read_time_line(session).campaigns
    assert figures.left == report.left.total == 1


@pytest.mark.usefixtures("costly")
def test_a_report_that_nobody_has_counted_says_so(
    either_workspace: Workspace, engine: Engine, campaign: int
) -> None:
    with Session(engine) as session:
        found = report_campaign(session, campaign, either_workspace, fresh=False)
        assert found.uncounted == set(CAMPAIGN_PARTS)
        assert read_time_line(session).months is None


@pytest.mark.usefixtures("costly")
def test_before_the_launch_no_part_is_counted_and_none_is_missing(
    either_workspace: Workspace, engine: Engine
) -> None:
    prepared = add_campaign(engine, 0, state=CampaignState.draft)
    statements: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *told: statements.append(told[2]))
    with Session(engine) as session:
        found = report_campaign(session, prepared, either_workspace, fresh=False)
    assert (found.uncounted, found.counted_at, found.summary.counts.audience) == (frozenset(), {}, 0)
    assert not [one for one in statements if "JOIN delivery" in one or "consent_record" in one]


@pytest.mark.usefixtures("costly")
def test_what_was_counted_is_the_same_as_what_is_counted_now(
    either_workspace: Workspace, engine: Engine, clock: FakeClock, campaign: int
) -> None:
    count_outdated_parts(either_workspace, engine, clock=clock)
    with Session(engine) as session:
        kept = report_campaign(session, campaign, either_workspace, fresh=False)
        now = report_campaign(session, campaign, either_workspace)
    assert kept.uncounted == frozenset()
    assert set(kept.counted_at.values()) == {clock.now}
    without_dates = to_json(kept) | {"counted_at": {}}
    assert without_dates == to_json(now)
    assert now.summary.counts.rejected == 1


def test_a_reader_who_leaves_is_counted_within_the_hour(
    either_workspace: Workspace, engine: Engine, clock: FakeClock, campaign: int
) -> None:
    count_outdated_parts(either_workspace, engine, clock=clock)
    with Session(engine) as session:
        unsubscribe(session, 2, method="page", now=clock.now)
        session.commit()
    clock.advance(minutes=59)
    assert count_outdated_parts(either_workspace, engine, clock=clock) == 0
    clock.advance(minutes=2)
    assert count_outdated_parts(either_workspace, engine, clock=clock) == ALL
    with engine.connect() as connection:
        parts = read_parts(connection, [campaign], [ReportPart.departures])
    assert parts[campaign][ReportPart.departures].value.left.total == 1


def test_a_change_of_state_is_counted_at_once(
    either_workspace: Workspace, engine: Engine, clock: FakeClock, campaign: int
) -> None:
    count_outdated_parts(either_workspace, engine, clock=clock)
    set_campaign_state(engine, campaign, CampaignState.sending)
    assert count_outdated_parts(either_workspace, engine, clock=clock) == len(CAMPAIGN_PARTS)


def test_a_campaign_that_is_being_sent_is_counted_every_minute(
    either_workspace: Workspace, engine: Engine, clock: FakeClock, campaign: int
) -> None:
    def count() -> int:
        return count_outdated_parts(either_workspace, engine, clock=clock, monotonic=FakeMonotonic())

    set_campaign_state(engine, campaign, CampaignState.sending)
    count()
    clock.advance(seconds=59)
    assert count() == 0
    clock.advance(seconds=2)
    assert count() == len(CAMPAIGN_PARTS)


def test_counting_waits_thirty_times_as_long_as_it_takes(
    either_workspace: Workspace, engine: Engine, clock: FakeClock, campaign: int
) -> None:
    monotonic = FakeMonotonic()

    def count() -> int:
        return count_outdated_parts(either_workspace, engine, clock=clock, monotonic=monotonic)

    def take_ten_seconds(*_: object) -> None:
        monotonic.now += 10

    set_campaign_state(engine, campaign, CampaignState.sending)
    event.listen(engine, "begin", take_ten_seconds)
    count()
    event.remove(engine, "begin", take_ten_seconds)
    with engine.connect() as connection:
        assert set(connection.scalars(select(CampaignReportPart.cost))) == {10.0}
    clock.advance(seconds=299)
    assert count() == 0
    clock.advance(seconds=2)
    assert count() == len(CAMPAIGN_PARTS)


def test_a_clock_that_was_set_back_stops_no_counting(
    either_workspace: Workspace, engine: Engine, clock: FakeClock, campaign: int
) -> None:
    set_campaign_state(engine, campaign, CampaignState.sending)
    count_outdated_parts(either_workspace, engine, clock=clock)
    clock.advance(days=-300)
    assert count_outdated_parts(either_workspace, engine, clock=clock) == len(CAMPAIGN_PARTS)


def test_after_ninety_days_a_campaign_keeps_its_figures(
    either_workspace: Workspace, engine: Engine, clock: FakeClock, campaign: int
) -> None:
    count_outdated_parts(either_workspace, engine, clock=clock)
    with Session(engine) as session:
        unsubscribe(session, 2, method="page", now=clock.now)
        session.commit()
    clock.advance(days=91)
    # The growth of the list alone.
    assert count_outdated_parts(either_workspace, engine, clock=clock) == 1


def test_a_part_in_a_form_that_we_cannot_read_counts_as_missing(
    either_workspace: Workspace, engine: Engine, clock: FakeClock, campaign: int
) -> None:
    count_outdated_parts(either_workspace, engine, clock=clock)
    with engine.begin() as connection:
        connection.execute(text("UPDATE campaign_report SET body = '{\"other\": 1}'"))
        assert read_parts(connection, [campaign, None], list(ReportPart)) == {}


def test_settling_a_doubt_forgets_what_was_counted(
    either_workspace: Workspace, engine: Engine, clock: FakeClock, campaign: int
) -> None:
    with engine.begin() as connection:
        doubted = update(Delivery).where(col(Delivery.id) == 2)
        connection.execute(doubted.values(state=DeliveryState.in_doubt))
    count_outdated_parts(either_workspace, engine, clock=clock)
    resolve_by_hand(either_workspace, engine, campaign, None, arrived=True, now=clock.now)
    assert count_outdated_parts(either_workspace, engine, clock=clock) == len(CAMPAIGN_PARTS)


def test_erasing_a_reader_forgets_every_figure_they_are_in(
    either_workspace: Workspace, engine: Engine, clock: FakeClock, campaign: int
) -> None:
    count_outdated_parts(either_workspace, engine, clock=clock)
    erase_person(either_workspace, engine, "reader0@example.org", method="page", now=clock.now)
    ours = col(CampaignReportPart.campaign_id) == campaign
    with engine.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(CampaignReportPart).where(ours)) == 0


def test_a_launched_campaign_knows_the_one_before_to_the_same_segment(
    either_workspace: Workspace, engine: Engine, campaign: int
) -> None:
    with Session(engine) as session:
        for number, segment in enumerate(("all", "country:MN", "all")):
            at = START + timedelta(days=number + 1)
            session.add(
                Campaign(
                    edition=f"2026-{number + 2}", title="Later", segment=segment, digest="d", created_at=at,
                    launched_at=at, state=CampaignState.finished, audience=0,
                )
            )  # fmt: skip
        session.commit()
        found = report_campaign(session, campaign + 3, either_workspace).comparison
    assert found is not None
    assert [figures.id for figures in found.earlier] == [campaign + 1, campaign]
    assert (found.earlier[1].sent, found.earlier[1].rejected) == (9, 1)
