"""Trial mode: a new set-up reaches test readers alone, until the doctor is content and a person ends it."""

from datetime import timedelta

import pytest
from sqlalchemy import Engine, func, select, text

from mailer.campaigns.launch import launch
from mailer.campaigns.launch_faults import LaunchRefusedError
from mailer.campaigns.schedule import schedule_campaign, start_due_campaigns
from mailer.campaigns.trial import Trial, TrialError, begin_trial, end_trial
from mailer.database.models import CampaignState, Delivery
from mailer.network import is_reserved_domain
from mailer.settings import CampaignSettings, SmtpSettings, WebSettings
from mailer.workspace import Workspace
from tests.factories.campaigns import make_plan, with_sender, with_settings
from tests.factories.deliveries import START, FakeClock

PUBLIC = WebSettings(base_url="https://news.river-office.org")


@pytest.fixture
def real_workspace(campaign_workspace: Workspace, campaign_engine: Engine) -> Workspace:
    """A workspace whose sender, address and readers are real, so that it is in trial mode at first."""
    move_readers(campaign_engine, "ministry.mn")
    return with_settings(with_sender(campaign_workspace, address="news@river-office.org"), web=PUBLIC)


def move_readers(engine: Engine, domain: str) -> None:
    """Give all readers addresses at ``domain``."""
    with engine.begin() as connection:
        local = "substr({0}, 1, length({0}) - length('example.org'))"
        columns = ", ".join(f"{name} = {local.format(name)} || :domain" for name in ("email", "envelope"))
        connection.execute(text(f"UPDATE subscriber SET {columns}"), {"domain": domain})


def end(workspace: Workspace, engine: Engine, by: str = "Mei", faults: tuple[str, ...] = ()) -> Trial:
    with engine.begin() as connection:
        return end_trial(connection, by=by, now=START, faults=faults)


def begin(workspace: Workspace, engine: Engine, by: str = "Bat") -> Trial:
    with engine.begin() as connection:
        return begin_trial(connection, by=by, now=START)


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


@pytest.mark.parametrize("relay", ["smtp://127.0.0.1:25", "smtp://localhost", "maildir:sent"])
def test_a_relay_on_this_machine_is_a_real_relay(
    real_workspace: Workspace, campaign_engine: Engine, relay: str
) -> None:
    here = with_settings(
        with_sender(real_workspace, address="news@example.org"),
        smtp=SmtpSettings(url=relay),
        web=WebSettings(base_url="http://127.0.0.1:8000"),
    )
    plan = make_plan(here, campaign_engine, START)
    with pytest.raises(
        LaunchRefusedError, match=r"trial mode.*lead to http://127\.0\.0\.1:8000, which partners"
    ):
        launch(campaign_engine, here, plan, now=START)


@pytest.mark.parametrize(
    "base_url",
    [
        *("http://127.0.0.1:8000", "https://192.168.1.5", "https://[::1]:8443", "http://localhost:8000"),
        *("https://news.example.org", "https://intranet", "https://[fd00::1]"),
    ],
)
def test_links_that_partners_cannot_open_go_to_nobody_even_when_trial_mode_has_ended(
    real_workspace: Workspace, campaign_engine: Engine, base_url: str
) -> None:
    end(real_workspace, campaign_engine)
    private = with_settings(real_workspace, web=WebSettings(base_url=base_url))
    plan = make_plan(private, campaign_engine, START)
    with pytest.raises(LaunchRefusedError, match="which partners cannot open"):
        launch(campaign_engine, private, plan, now=START)
    launch(campaign_engine, real_workspace, make_plan(real_workspace, campaign_engine, START), now=START)


def test_invented_partners_at_domains_for_examples_get_it_in_trial_mode(
    campaign_workspace: Workspace, campaign_engine: Engine
) -> None:
    move_readers(campaign_engine, "partner.example.org")
    launch(
        campaign_engine,
        campaign_workspace,
        make_plan(campaign_workspace, campaign_engine, START),
        now=START,
    )
    assert count_deliveries(campaign_engine) == 4


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
