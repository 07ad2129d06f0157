"""One address never holds up the others: what a server refuses after it has seen the message."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Engine

from mailer.database.models import CampaignState, DeliveryState
from mailer.dispatch.dead_addresses import is_dead_refusal
from mailer.dispatch.dispatcher import dispatch
from mailer.dispatch.event_log import RunOutcome, RunResult
from mailer.dispatch.relays import BackoffPolicy, open_relays
from mailer.settings import SenderSettings, Settings, SmtpSettings
from tests.factories.deliveries import (
    add_campaign,
    build_plain,
    read_deliveries,
    read_states,
    set_campaign_state,
)
from tests.servers.misbehaving_smtp import MisbehavingServer, Stage

S = DeliveryState
SENDER = SenderSettings(
    name="News", address="news@example.org", organisation="Office", postal_address="1 Street, Town"
)
FAST_BACKOFF = BackoffPolicy(initial_delay=0.01, max_delay=0.05)


@pytest.fixture
def run(engine: Engine, tmp_path: Path) -> Callable[..., RunResult]:
    def run(url: str, *, connections: int = 3) -> RunResult:
        smtp = SmtpSettings(url=url, connections=connections, timeout=5, final_timeout=5)
        settings = Settings(sender=SENDER, smtp=smtp)
        return dispatch(
            engine,
            1,
            relays=open_relays(settings, tmp_path, backoff=FAST_BACKOFF),
            settings=settings,
            root=tmp_path,
            build_message=build_plain,
        )

    return run


def make_readers(number: int) -> list[str]:
    return [f"reader{n}@partner{n % 20}.example.org" for n in range(number)]


@pytest.mark.parametrize("stage", [Stage.mail, Stage.data, Stage.dot])
def test_a_campaign_of_200_with_one_dead_address_that_is_refused_late_reaches_the_199_others(
    engine: Engine, run: Callable[..., RunResult], stage: Stage
) -> None:
    add_campaign(engine, [*make_readers(199), "gone@partner7.example.org"])
    with MisbehavingServer() as server:
        if stage is Stage.mail:
            server.answer(stage, "550 5.1.1 No such user", times=1)
        else:
            server.answer(stage, "550 5.1.1 No such user", only="gone")
        ending = run(server.url)
        assert len(server.recipients) == len(set(server.recipients)) == 199
    assert ending.outcome is RunOutcome.finished
    assert (ending.counts.sent, ending.counts.rejected) == (199, 1)
    (refused,) = [found for found in read_deliveries(engine).values() if found.state is S.rejected]
    assert (refused.code, refused.reason.startswith("5.1.1 No such user (in reply to ")) == (550, True)


@pytest.mark.parametrize(
    ("reply", "state"),
    [
        ("552 5.2.2 Mailbox full", S.deferred),
        ("552 The mailbox of this user is full", S.deferred),
        ("552 5.3.4 Message too big", S.rejected),
        ("552 5.2.3 Too large for this mailbox", S.rejected),
        ("550 5.7.1 Refused by our policy", S.rejected),
        ("554 No such user here", S.rejected),
    ],
)
def test_one_reader_whose_server_refuses_the_message_is_named_and_the_others_get_it(
    engine: Engine, run: Callable[..., RunResult], reply: str, state: DeliveryState
) -> None:
    add_campaign(engine, ["one@a.example.org", *make_readers(20)])
    with MisbehavingServer() as server:
        server.answer(Stage.dot, reply, only="one@")
        ending = run(server.url)
    assert ending.outcome is (RunOutcome.waiting if state is S.deferred else RunOutcome.finished)
    states = read_states(engine)
    assert states.pop("one@a.example.org") == state
    assert set(states.values()) == {S.sent}


@pytest.mark.parametrize("stage", [Stage.rcpt, Stage.dot])
def test_a_domain_that_refuses_all_its_own_holds_up_nobody_else(
    engine: Engine, run: Callable[..., RunResult], stage: Stage
) -> None:
    own = [f"reader{n}@closed.example.org" for n in range(40)]
    add_campaign(engine, [*own, *make_readers(20)])
    with MisbehavingServer() as server:
        server.answer(stage, "554 5.7.1 Refused by our policy", only="@closed")
        ending = run(server.url)
    assert ending.outcome is RunOutcome.finished
    assert (ending.counts.rejected, ending.counts.sent) == (40, 20)


@pytest.mark.parametrize("connections", [1, 3])
@pytest.mark.parametrize("stage", [Stage.mail, Stage.data, Stage.dot])
def test_a_policy_that_refuses_many_domains_halts_the_campaign_and_rejects_nobody(
    engine: Engine, run: Callable[..., RunResult], connections: int, stage: Stage
) -> None:
    add_campaign(engine, make_readers(40))
    with MisbehavingServer() as server:
        server.answer(stage, "554 5.7.1 Message refused by policy")
        ending = run(server.url, connections=connections)
    assert ending.outcome is RunOutcome.paused
    assert "554 5.7.1 Message refused by policy" in ending.reason
    assert Counter(read_states(engine).values()) == {S.queued: 40}


def test_a_campaign_to_one_domain_halts_where_its_relay_refuses_everything(
    engine: Engine, run: Callable[..., RunResult]
) -> None:
    add_campaign(engine, 30)
    with MisbehavingServer() as server:
        server.answer(Stage.dot, "554 5.7.1 Message refused by policy")
        ending = run(server.url)
    assert ending.outcome is RunOutcome.paused
    assert set(read_states(engine).values()) == {S.queued}


def test_a_campaign_that_was_halted_goes_on_and_names_whom_it_could_not_reach(
    engine: Engine, run: Callable[..., RunResult]
) -> None:
    add_campaign(engine, make_readers(40))
    with MisbehavingServer() as server:
        server.answer(Stage.dot, "554 5.7.1 Message refused by policy", times=3)
        assert run(server.url, connections=1).outcome is RunOutcome.paused
        server.answer(Stage.dot, "554 5.7.1 Message refused by policy", only="reader7@")
        set_campaign_state(engine, 1, CampaignState.sending)
        ending = run(server.url, connections=1)
    assert (ending.outcome, ending.counts.sent) == (RunOutcome.finished, 39)
    assert read_states(engine)["reader7@partner7.example.org"] == S.rejected


@pytest.mark.parametrize(
    ("words", "is_dead"),
    [
        ("5.1.1 No such user", True),
        ("5.1.1 No such user (in reply to end of DATA command)", True),
        ("User unknown", True),
        ("User unknown (in reply to end of DATA command)", False),
        ("5.1.1 No such user (in reply to MAIL FROM command)", False),
    ],
)
def test_who_filters_mail_after_data_is_not_taken_for_dead(words: str, is_dead: bool) -> None:
    assert is_dead_refusal(550, words) is is_dead
