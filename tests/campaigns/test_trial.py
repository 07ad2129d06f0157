"""Trial mode: a new set-up reaches test readers alone, until the doctor is content and a person ends it."""

from datetime import timedelta

import pytest
from sqlalchemy import Engine, func, select, text

from mailer.campaigns.launch import launch
from mailer.campaigns.launch_lock import LaunchRefusedError
from mailer.campaigns.schedule import schedule_campaign, start_due_campaigns
from mailer.campaigns.trial import Trial, TrialError, begin_trial, end_trial, is_rehearsal
from mailer.database.models import CampaignState, Delivery
from mailer.network import is_reserved_domain
from mailer.settings import CampaignSettings, RelaySettings, SmtpSettings, WebSettings
from mailer.workspace import Workspace
from tests.factories.campaigns import make_plan, with_sender, with_settings
from tests.factories.deliveries import START, FakeClock

PUBLIC = WebSettings(base_url="https://news.river-office.org")


@pytest.fixture
def real_workspace(campaign_workspace: Workspace) -> Workspace:
    """A workspace whose sender and address are real, so that it is in trial mode at first."""
    return with_settings(with_sender(campaign_workspace, address="news@river-office.org"), web=PUBLIC)


def end(workspace: Workspace, engine: Engine, by: str = "Mei", faults: tuple[str, ...] = ()) -> Trial:
    with engine.begin() as connection:
        return end_trial(connection, workspace.settings, by=by, now=START, faults=faults)


def begin(workspace: Workspace, engine: Engine, by: str = "Bat") -> Trial:
    with engine.begin() as connection:
        return begin_trial(connection, workspace.settings, by=by, now=START)


def count_deliveries(engine: Engine) -> int:
    with engine.connect() as connection:
        return connection.execute(select(func.count()).select_from(Delivery)).scalar_one()


def test_a_new_workspace_sends_to_nobody_but_test_readers(
    real_workspace: Workspace, campaign_engine: Engine
) -> None:
    plan = make_plan(real_workspace, campaign_engine, START)
    with pytest.raises(LaunchRefusedError, match="in trial mode, and 4 readers are not in") as refused:
        launch(campaign_engine, real_workspace, plan, now=START)
    assert "mailer send 2026-1 --test ADDRESS" in str(refused.value)
    assert "mailer trial end --by NAME" in str(refused.value)
    assert count_deliveries(campaign_engine) == 0


def test_a_campaign_to_test_readers_alone_is_sent(real_workspace: Workspace, campaign_engine: Engine) -> None:
    with campaign_engine.connect() as connection:
        columns = "SELECT email FROM subscriber WHERE status = 'active' ORDER BY email"
        first, *others = connection.execute(text(columns)).scalars()
    everybody = CampaignSettings(test_readers=(first.upper(), "not an address", *others))
    plan = make_plan(real_workspace, campaign_engine, START)
    almost = with_settings(real_workspace, campaigns=CampaignSettings(test_readers=tuple(others)))
    with pytest.raises(LaunchRefusedError, match="1 reader is not in"):
        launch(campaign_engine, almost, plan, now=START)
    launch(campaign_engine, with_settings(real_workspace, campaigns=everybody), plan, now=START)
    assert count_deliveries(campaign_engine) == 4


def test_it_ends_when_a_person_says_so_and_the_doctor_finds_nothing_bad(
    real_workspace: Workspace, campaign_engine: Engine
) -> None:
    with pytest.raises(TrialError, match=r"finds 2 bad things.*\n  spf: none\n  dkim: no key"):
        end(real_workspace, campaign_engine, faults=("spf: none", "dkim: no key"))
    for name in ("", "   ", "x" * 201, "a\nb\x07"):
        with pytest.raises(TrialError, match="--by NAME"):
            end(real_workspace, campaign_engine, by=name)
    ended = end(real_workspace, campaign_engine)
    assert str(ended) == (
        "trial mode has ended, 2026-03-01 09:00 UTC by Mei: campaigns go to everybody they are for"
    )
    # A second click changes nothing, not even the name.
    assert end(real_workspace, campaign_engine, by="Bat") == ended
    launch(campaign_engine, real_workspace, make_plan(real_workspace, campaign_engine, START), now=START)
    assert count_deliveries(campaign_engine) == 4


def test_it_can_begin_again(real_workspace: Workspace, campaign_engine: Engine) -> None:
    end(real_workspace, campaign_engine)
    assert begin(real_workspace, campaign_engine).by == "Bat"
    assert begin(real_workspace, campaign_engine, by="Mei").by == "Bat"
    plan = make_plan(real_workspace, campaign_engine, START)
    with pytest.raises(LaunchRefusedError, match="trial mode"):
        launch(campaign_engine, real_workspace, plan, now=START)


def test_nothing_is_scheduled_in_trial_mode(real_workspace: Workspace, campaign_engine: Engine) -> None:
    plan = make_plan(real_workspace, campaign_engine, START)
    at = START + timedelta(hours=1)
    with pytest.raises(LaunchRefusedError, match="trial mode"):
        schedule_campaign(campaign_engine, real_workspace, plan, at=at, clock=FakeClock())


def test_what_was_scheduled_before_is_cancelled_at_its_hour(
    real_workspace: Workspace, campaign_engine: Engine
) -> None:
    end(real_workspace, campaign_engine)
    clock = FakeClock()
    plan = make_plan(real_workspace, campaign_engine, START)
    schedule_campaign(campaign_engine, real_workspace, plan, at=START + timedelta(hours=1), clock=clock)
    begin(real_workspace, campaign_engine)
    clock.now += timedelta(hours=2)
    (started,) = start_due_campaigns(campaign_engine, real_workspace, clock=clock)
    assert started.state is CampaignState.cancelled
    assert "in trial mode" in started.reason
    assert count_deliveries(campaign_engine) == 0


def test_a_set_up_to_try_things_out_needs_none(campaign_workspace: Workspace) -> None:
    assert is_rehearsal(campaign_workspace.settings)
    real = with_settings(with_sender(campaign_workspace, address="news@river-office.org"), web=PUBLIC)
    assert not is_rehearsal(real.settings)
    nothing_public = with_settings(real, web=WebSettings(base_url="http://127.0.0.1:8000"))
    assert is_rehearsal(nothing_public.settings)
    folder = with_settings(campaign_workspace, smtp=SmtpSettings(url="maildir:sent"))
    assert is_rehearsal(folder.settings)
    elsewhere = with_settings(campaign_workspace, smtp=SmtpSettings(url="smtp://relay.example.net:587"))
    assert not is_rehearsal(elsewhere.settings)
    one_of_two = SmtpSettings(
        relays=(
            RelaySettings(name="here", url="smtp://localhost"),
            RelaySettings(name="there", url="smtps://relay.example.net"),
        )
    )
    assert not is_rehearsal(with_settings(campaign_workspace, smtp=one_of_two).settings)


@pytest.mark.parametrize("url", ["smtp:relay.example.net:587", "smtp://:587", "relay.example.net"])
def test_a_relay_that_is_written_wrongly_may_be_a_real_one(campaign_workspace: Workspace, url: str) -> None:
    assert not is_rehearsal(with_settings(campaign_workspace, smtp=SmtpSettings(url=url)).settings)


@pytest.mark.parametrize(
    ("domain", "reserved"),
    [
        *(("example.org", True), ("news.EXAMPLE.com.", True), ("office.example", True), ("a.test", True)),
        *(("x.invalid", True), ("localhost", True), ("unesco.org", False), ("example.cn", False)),
        *(("myexample.org", False), ("example.org.cn", False), ("test.org", False), ("", False)),
    ],
)
def test_domains_for_examples_are_known(domain: str, reserved: bool) -> None:
    assert is_reserved_domain(domain) is reserved
