"""Workers: what is due is started and sent, by one or many, and none of them sends twice."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, text, update
from sqlmodel import Session, col, select

from mailer.campaigns import worker as worker_module
from mailer.campaigns.launch import launch
from mailer.campaigns.launch_options import LaunchOptions
from mailer.campaigns.lifecycle import resume_campaign
from mailer.campaigns.schedule import schedule_campaign
from mailer.campaigns.send import send_campaign
from mailer.campaigns.worker import count_workers, find_workable, requeue_in_doubt
from mailer.database.models import (
    Campaign,
    CampaignContent,
    CampaignState,
    Delivery,
    DeliveryState,
    Dispatcher,
)
from mailer.workspace import Workspace, open_workspace
from tests.conftest import SETTINGS
from tests.factories.campaigns import make_plan, with_smtp
from tests.factories.deliveries import (
    FakeClock,
    add_campaign,
    add_subscribers,
    read_campaign,
    read_deliveries,
    read_states,
    set_campaign_state,
)
from tests.factories.small_edition import SLUG, add_people, write_edition
from tests.servers.campaign_worker import Working, working
from tests.servers.forked_programs import ForkedProgram, ForkTemplate
from tests.servers.misbehaving_smtp import MisbehavingServer, Stage
from tests.servers.process import free_port, wait_until
from tests.servers.smtp_sink import Sink, smtp_sink
from tests.web.site import send_request

C = CampaignState
S = DeliveryState
POLL_SECONDS = 0.05
"""How often a worker in the tests looks for work; the others look once a second."""
PEOPLE = {"bat@example.org", "li@example.org", "kim@example.org", "sato@example.org"}


@pytest.fixture(autouse=True)
def _look_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_module, "_POLL_SECONDS", POLL_SECONDS)


def to_server(workspace: Workspace, url: str) -> Workspace:
    return with_smtp(workspace, url, connections=2)


def start(workspace: Workspace, engine: Engine, terms: LaunchOptions = LaunchOptions()) -> int:  # noqa: B008 - frozen
    return launch(
        engine,
        workspace,
        make_plan(workspace, engine, datetime.now(UTC)),
        now=datetime.now(UTC),
        options=terms,
    )


def is_in(engine: Engine, number: int, state: CampaignState) -> bool:
    return read_campaign(engine, number).state is state


def begin(template: ForkTemplate, workspace: Workspace, url: str, *words: str) -> ForkedProgram:
    """Start `mailer` with ``words``."""
    return template.start(("-C", str(workspace.root), *words), environ_for(workspace, url))


def environ_for(workspace: Workspace, url: str) -> dict[str, str]:
    return {
        **os.environ,
        "MAILER_DATABASE__URL": workspace.settings.database.url,
        "MAILER_SMTP__URL": url,
        "MAILER_SMTP__CONNECTIONS": "2",
    }


@contextmanager
def workers(
    template: ForkTemplate, workspace: Workspace, url: str, number: int
) -> Iterator[list[ForkedProgram]]:
    """Processes of `mailer work`, ended at the end."""
    processes = [begin(template, workspace, url, "work") for _ in range(number)]
    try:
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.wait()


def count_mails(sink: Sink) -> int:
    return sum(1 for _ in sink.folder.iterdir())


# --- one worker


@pytest.mark.parametrize("use_jobs", [True, False])
def test_a_scheduled_campaign_is_started_and_sent_by_a_worker(
    campaign_workspace: Workspace, campaign_engine: Engine, use_jobs: bool
) -> None:
    plan = make_plan(campaign_workspace, campaign_engine, datetime.now(UTC))
    at = datetime.now(UTC) + timedelta(seconds=2)
    number = schedule_campaign(campaign_engine, campaign_workspace, plan, at=at).campaign_id
    with (
        MisbehavingServer() as server,
        working(to_server(campaign_workspace, server.url), use_jobs=use_jobs) as worker,
    ):
        wait_until(lambda: is_in(campaign_engine, number, C.finished), what="the campaign to finish")
    assert sorted(server.recipients) == sorted(PEOPLE)
    assert any("has started: 4 readers" in line for line in worker.said)
    campaign = read_campaign(campaign_engine, number)
    assert campaign.launched_at is not None
    assert campaign.scheduled_at is not None
    assert campaign.launched_at >= campaign.scheduled_at


def test_a_campaign_launched_beside_a_worker_is_taken_up(
    campaign_workspace: Workspace, campaign_engine: Engine
) -> None:
    with MisbehavingServer() as server, working(to_server(campaign_workspace, server.url)):
        number = start(campaign_workspace, campaign_engine)
        wait_until(lambda: is_in(campaign_engine, number, C.finished), what="the campaign to finish")
    assert sorted(server.recipients) == sorted(PEOPLE)


def test_deferred_readers_are_tried_again_when_they_are_due(
    campaign_workspace: Workspace, campaign_engine: Engine
) -> None:
    number = start(campaign_workspace, campaign_engine)
    with MisbehavingServer() as server:
        server.answer(Stage.rcpt, "450 4.2.0 Come back later", times=1, only="li@")
        with working(to_server(campaign_workspace, server.url)):
            wait_until(
                lambda: read_states(campaign_engine)["li@example.org"] is S.deferred, what="a deferral"
            )
            wait_until(lambda: len(server.received) == 3, what="the others")
            with campaign_engine.begin() as connection:
                connection.execute(
                    update(Delivery)
                    .where(col(Delivery.state) == S.deferred)
                    .values(not_before=datetime.now(UTC))
                )
            wait_until(
                lambda: is_in(campaign_engine, number, C.finished), what="the campaign to finish", seconds=60
            )
    assert sorted(server.recipients) == sorted(PEOPLE)


def test_a_paused_campaign_is_left_alone_until_resumed(
    campaign_workspace: Workspace, campaign_engine: Engine
) -> None:
    number = start(campaign_workspace, campaign_engine)
    set_campaign_state(campaign_engine, number, C.paused)
    with MisbehavingServer() as server, working(to_server(campaign_workspace, server.url)):
        time.sleep(10 * POLL_SECONDS)
        assert server.connections == 0
        with Session(campaign_engine) as session:
            resume_campaign(session, number, now=datetime.now(UTC))
            session.commit()
        wait_until(lambda: is_in(campaign_engine, number, C.finished), what="the campaign to finish")
    assert sorted(server.recipients) == sorted(PEOPLE)


def test_a_campaign_after_its_canary_goes_on_when_its_time_has_come(
    campaign_workspace: Workspace, campaign_engine: Engine
) -> None:
    number = start(campaign_workspace, campaign_engine)
    waits = {"state": C.paused, "canary": 1, "canary_until": datetime.now(UTC) + timedelta(seconds=1)}
    with campaign_engine.begin() as connection:
        connection.execute(update(Campaign).values(waits))
    with MisbehavingServer() as server, working(to_server(campaign_workspace, server.url)) as worker:
        wait_until(lambda: is_in(campaign_engine, number, C.finished), what="the campaign to finish")
    assert f"Campaign {number} continues after its canary." in worker.said
    assert sorted(server.recipients) == sorted(PEOPLE)


def test_trouble_with_one_campaign_is_told_and_does_not_end_the_worker(
    campaign_workspace: Workspace, campaign_engine: Engine
) -> None:
    broken = add_campaign(campaign_engine, 1)
    with Session(campaign_engine) as session:
        session.add(CampaignContent(campaign_id=broken, language="en", body=b"not what was written"))
        session.commit()
    number = start(campaign_workspace, campaign_engine)
    with MisbehavingServer() as server, working(to_server(campaign_workspace, server.url)):
        wait_until(lambda: is_in(campaign_engine, number, C.finished), what="the other campaign to finish")
    assert "reader0@example.org" not in server.recipients
    assert read_campaign(campaign_engine, broken).state is not C.finished


def test_in_doubt_left_to_workers_are_sent_to_again(
    campaign_workspace: Workspace, campaign_engine: Engine
) -> None:
    number = start(campaign_workspace, campaign_engine)
    with campaign_engine.begin() as connection:
        connection.execute(update(Delivery).values(state=S.in_doubt, doubted=True))
    set_campaign_state(campaign_engine, number, C.finished)
    assert requeue_in_doubt(campaign_engine, number) == 4
    with MisbehavingServer() as server, working(to_server(campaign_workspace, server.url)):
        wait_until(lambda: is_in(campaign_engine, number, C.finished), what="the campaign to finish")
    assert sorted(server.recipients) == sorted(PEOPLE)


def test_only_a_living_worker_is_counted(campaign_workspace: Workspace, campaign_engine: Engine) -> None:
    assert count_workers(campaign_workspace, campaign_engine) == 0
    with working(campaign_workspace):
        wait_until(
            lambda: count_workers(campaign_workspace, campaign_engine) == 1, what="the worker to be counted"
        )
    assert count_workers(campaign_workspace, campaign_engine) == 0


# --- what there is to do


def find(engine: Engine, clock: FakeClock, dead: frozenset[str] = frozenset()) -> list[int]:
    with engine.connect().execution_options(read_only=True) as connection:
        return find_workable(connection, dead, clock=clock)


def change(engine: Engine, **values: object) -> None:
    with engine.begin() as connection:
        connection.execute(update(Delivery).values(values))


def test_what_is_queued_due_left_behind_or_over_is_work(campaign_engine: Engine) -> None:
    clock = FakeClock()
    number = add_campaign(campaign_engine, 1)
    assert find(campaign_engine, clock) == [number]
    change(campaign_engine, state=S.deferred, not_before=clock.now + timedelta(minutes=1))
    assert find(campaign_engine, clock) == []
    clock.advance(minutes=1)
    assert find(campaign_engine, clock) == [number]
    change(campaign_engine, state=S.claimed, not_before=None, owner="somebody")
    assert find(campaign_engine, clock) == [number], "its owner is not written down"
    with Session(campaign_engine) as session:
        session.add(Dispatcher(id="somebody", host="h", started_at=clock.now, heartbeat_at=clock.now))
        session.commit()
    assert find(campaign_engine, clock) == []
    assert find(campaign_engine, clock, frozenset({"somebody"})) == [number]
    change(campaign_engine, state=S.sent, owner=None)
    assert find(campaign_engine, clock) == [number], "it only has to be called finished"


@pytest.mark.parametrize("state", [state for state in C if state is not C.sending])
def test_a_campaign_that_is_not_sending_is_not_workable(
    campaign_engine: Engine, state: CampaignState
) -> None:
    add_campaign(campaign_engine, 1, state=state)
    assert find(campaign_engine, FakeClock()) == []


def test_looking_walks_the_partial_indexes(sqlite_engine: Engine) -> None:
    statements: list[str] = []
    from sqlalchemy import event

    event.listen(
        sqlite_engine,
        "before_cursor_execute",
        lambda *words: statements.append((words[2], words[3])),  # type: ignore[arg-type]
    )
    find(sqlite_engine, FakeClock())
    statement, values = next(words for words in statements if "campaign.state" in words[0])
    with sqlite_engine.connect() as connection:
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values).fetchall()
    assert "SCAN delivery" not in str(plan)
    assert "ix_delivery_queued" in str(plan)


# --- several


def test_a_worker_beside_a_foreground_send_reaches_no_reader_twice(
    campaign_workspace: Workspace, campaign_engine: Engine
) -> None:
    add_subscribers(campaign_engine, [f"desk{n}@example.org" for n in range(150)])
    number = start(campaign_workspace, campaign_engine)
    with smtp_sink() as sink:
        there = to_server(campaign_workspace, sink.url)
        with working(there), working(there, use_jobs=False):
            send_campaign(there, number)
            wait_until(lambda: is_in(campaign_engine, number, C.finished), what="the campaign to finish")
        assert len(sink.recipients()) == len(set(sink.recipients())) == 154


def test_with_one_of_two_workers_killed_every_reader_gets_it_once(
    template: ForkTemplate, campaign_workspace: Workspace, campaign_engine: Engine
) -> None:
    add_subscribers(campaign_engine, [f"desk{n}@example.org" for n in range(396)])
    with smtp_sink() as sink, workers(template, campaign_workspace, sink.url, 2) as processes:
        wait_until(
            lambda: count_workers(campaign_workspace, campaign_engine) == 2, what="both workers", seconds=60
        )
        number = start(campaign_workspace, campaign_engine, LaunchOptions(rate=150))
        wait_until(lambda: count_mails(sink) >= 100, what="a hundred mails", seconds=60)
        processes[0].kill()
        wait_until(
            lambda: is_in(campaign_engine, number, C.finished), what="the campaign to finish", seconds=60
        )
        deliveries = read_deliveries(campaign_engine)
        in_doubt = {address for address, delivery in deliveries.items() if delivery.state is S.in_doubt}
        sent = {address for address, delivery in deliveries.items() if delivery.state is S.sent}
        arrived = sink.recipients()
    assert len(arrived) == len(set(arrived))
    assert sent | in_doubt == set(deliveries)
    assert sent <= set(arrived)
    assert len(in_doubt) <= 2, "one for each open connection of the killed worker"


def test_a_worker_ends_in_order_when_told_to_and_the_next_one_goes_on(
    template: ForkTemplate, campaign_workspace: Workspace, campaign_engine: Engine
) -> None:
    add_subscribers(campaign_engine, [f"desk{n}@example.org" for n in range(96)])
    number = start(campaign_workspace, campaign_engine, LaunchOptions(rate=40))
    with smtp_sink() as sink:
        with workers(template, campaign_workspace, sink.url, 1) as (first,):
            wait_until(lambda: count_mails(sink) >= 10, what="ten mails", seconds=60)
            first.send_signal(signal.SIGTERM)
            _, said = first.communicate(timeout=30)
            assert first.returncode == 0, said
            assert "Stopped. No message was interrupted." in said
        states = set(read_states(campaign_engine).values())
        assert states == {S.sent, S.queued}
        with workers(template, campaign_workspace, sink.url, 1):
            wait_until(
                lambda: is_in(campaign_engine, number, C.finished), what="the campaign to finish", seconds=60
            )
        assert len(sink.recipients()) == len(set(sink.recipients())) == 100


# --- the commands


def run(template: ForkTemplate, workspace: Workspace, url: str, *words: str) -> tuple[int, str, str]:
    process = begin(template, workspace, url, *words)
    out, err = process.communicate(timeout=120)
    return process.wait(), out, err


def test_send_at_a_time_says_it_in_utc_and_warns_that_no_worker_runs(
    template: ForkTemplate, campaign_workspace: Workspace, campaign_engine: Engine
) -> None:
    words = ("send", SLUG, "--segment", "all", "--at", "2126-12-01T09:00+08:00")
    code, _, said = run(template, campaign_workspace, "smtp://127.0.0.1:9", *words, "--confirm")
    assert code == 0, said
    assert "starts at 2126-12-01 01:00 UTC (2126-12-01 09:00 UTC+08:00)" in said
    assert "no process is running to send it. Start `mailer -C" in said
    assert read_campaign(campaign_engine, 1).state is C.scheduled
    code, _, said = run(
        template, campaign_workspace, "smtp://127.0.0.1:9", *words[:-1], "2020-01-01T09:00Z", "--confirm"
    )
    assert (code, "is in the past" in said) == (1, True)


def test_send_detached_is_left_to_the_worker(
    template: ForkTemplate, campaign_workspace: Workspace, campaign_engine: Engine
) -> None:
    with MisbehavingServer() as server, working(to_server(campaign_workspace, server.url)):
        wait_until(
            lambda: count_workers(campaign_workspace, campaign_engine) == 1, what="the worker to be counted"
        )
        code, _, said = run(
            template,
            campaign_workspace,
            server.url,
            "send",
            SLUG,
            "--segment",
            "all",
            "--confirm",
            "--detach",
            "--json",
        )
        assert code == 0, said
        assert "is sent in the background: 1 process is running" in said
        wait_until(lambda: is_in(campaign_engine, 1, C.finished), what="the campaign to finish")
    assert sorted(server.recipients) == sorted(PEOPLE)


def test_resume_detached_is_left_to_the_worker(
    template: ForkTemplate, campaign_workspace: Workspace, campaign_engine: Engine
) -> None:
    number = start(campaign_workspace, campaign_engine)
    set_campaign_state(campaign_engine, number, C.paused)
    code, out, said = run(
        template, campaign_workspace, "smtp://127.0.0.1:9", "campaigns", "resume", str(number), "--detach"
    )
    assert code == 0, said
    assert "4" in out
    assert "no process is running to send it" in said
    assert read_campaign(campaign_engine, number).state is C.sending


def test_serve_works_too_unless_told_not_to(
    template: ForkTemplate, campaign_workspace: Workspace, campaign_engine: Engine
) -> None:
    number = start(campaign_workspace, campaign_engine)
    with MisbehavingServer() as server:
        serve = begin(template, campaign_workspace, server.url, "serve", "--port", "0")
        try:
            wait_until(
                lambda: is_in(campaign_engine, number, C.finished), what="the campaign to finish", seconds=60
            )
        finally:
            serve.send_signal(signal.SIGTERM)
            _, said = serve.communicate(timeout=30)
        assert serve.returncode == 0, said
        assert sorted(server.recipients) == sorted(PEOPLE)


SILENT_CONNECTIONS = 160


def test_silent_visitors_stop_neither_a_campaign_nor_the_pages_nor_the_metrics(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A path is relative to the workspace.
    monkeypatch.setenv("MAILER_WEB__METRICS", "./metrics.sock")
    write_edition(workspace.editions)
    engine = workspace.open_database(durable=True)
    add_people(engine)
    number = start(workspace, engine)
    port = free_port()
    with MisbehavingServer() as server, contextlib.ExitStack() as visitors:
        # Held until all of them are there.
        set_campaign_state(engine, number, C.paused)
        limited = ("prlimit", "--nofile=128:128", sys.executable, "-m", "mailer")
        serve = subprocess.Popen(
            [*limited, "-C", str(workspace.root), "serve", "--port", str(port)],
            env=environ_for(workspace, server.url),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            wait_until(lambda: answers(port), what="the pages", seconds=60)
            for _ in range(SILENT_CONNECTIONS):
                visitors.enter_context(socket.create_connection(("127.0.0.1", port), timeout=20))
            set_campaign_state(engine, number, C.sending)
            wait_until(lambda: is_in(engine, number, C.finished), what="the campaign to finish", seconds=60)
            assert answers(port)
            with socket.socket(socket.AF_UNIX) as metrics:
                metrics.connect(str(workspace.root / "metrics.sock"))
                metrics.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
                assert metrics.recv(1000).startswith(b"HTTP/1.1 200 ")
        finally:
            serve.send_signal(signal.SIGHUP)
            _, said = serve.communicate(timeout=30)
        assert serve.returncode == 0, said
        assert sorted(server.recipients) == sorted(PEOPLE)
        assert "Too many open files" not in said
        assert not (workspace.root / "metrics.sock").exists()
    engine.dispose()


def answers(port: int) -> bool:
    with contextlib.suppress(OSError):
        return send_request(f"http://127.0.0.1:{port}", "GET", "/healthz").text == "ok\n"
    return False


# --- settings that change


def write_settings(workspace: Workspace, url: str, more: str = "") -> None:
    """Write the file as an editor does, in one step, with a relay on this machine."""
    smtp = f'[smtp]\nurl = "{url}"\nconnections = 2\ntimeout = 5\nfinal_timeout = 5\n'
    database = f'[database]\nurl = "{workspace.settings.database.url}"\n'
    draft = workspace.root / "draft.toml"
    draft.write_text(f"{SETTINGS}\n{smtp}\n{database}\n{more}", encoding="utf-8")
    draft.replace(workspace.root / "mailer.toml")


def working_live(workspace: Workspace) -> AbstractContextManager[Working]:
    """A worker that opened the workspace as `mailer serve` does."""
    return working(open_workspace(workspace.root, environ={}), use_jobs=False, watches_settings=True)


def resume(engine: Engine, number: int) -> None:
    with Session(engine) as session:
        resume_campaign(session, number, now=datetime.now(UTC))
        session.commit()


def test_a_worker_takes_up_a_resumed_campaign_with_the_settings_on_disk(
    campaign_workspace: Workspace, campaign_engine: Engine
) -> None:
    number = start(campaign_workspace, campaign_engine)
    write_settings(campaign_workspace, f"smtp://127.0.0.1:{free_port()}")
    set_campaign_state(campaign_engine, number, C.paused)
    with (
        working_live(campaign_workspace) as worker,
        MisbehavingServer() as server,
    ):
        wait_until(lambda: count_working(campaign_engine) == 1, what="the worker")
        write_settings(campaign_workspace, server.url)
        resume(campaign_engine, number)
        wait_until(
            lambda: not is_in(campaign_engine, number, C.sending), what="the campaign to end", seconds=60
        )
        assert is_in(campaign_engine, number, C.finished), worker.said
    assert sorted(server.recipients) == sorted(PEOPLE)
    assert worker.said.count("mailer.toml has changed: the new settings are in use.") == 1


def test_a_worker_whose_settings_cannot_be_used_leaves_campaigns_alone_and_says_so(
    campaign_workspace: Workspace, campaign_engine: Engine
) -> None:
    number = start(campaign_workspace, campaign_engine)
    with MisbehavingServer() as server:
        write_settings(campaign_workspace, server.url)
        set_campaign_state(campaign_engine, number, C.paused)
        with working_live(campaign_workspace) as worker:
            write_settings(campaign_workspace, server.url, "[web]\nbase_url = 7\n")
            wait_until(lambda: bool(worker.said), what="the worker to say so")
            assert "mailer.toml has changed and cannot be used" in worker.said[0]
            assert "web.base_url" in worker.said[0]
            resume(campaign_engine, number)
            time.sleep(10 * POLL_SECONDS)
            assert server.connections == 0
            assert len(worker.said) == 1
            write_settings(campaign_workspace, server.url)
            wait_until(lambda: is_in(campaign_engine, number, C.finished), what="the campaign to finish")
        assert "mailer.toml can be used again." in worker.said


def test_a_run_under_way_goes_on_with_the_new_relay(
    campaign_workspace: Workspace, campaign_engine: Engine
) -> None:
    number = start(campaign_workspace, campaign_engine, LaunchOptions(rate=1.0))
    with MisbehavingServer() as first, MisbehavingServer() as second:
        write_settings(campaign_workspace, first.url)
        with working_live(campaign_workspace):
            wait_until(lambda: len(first.recipients) > 0, what="the first message")
            write_settings(campaign_workspace, second.url)
            wait_until(
                lambda: is_in(campaign_engine, number, C.finished), what="the campaign to finish", seconds=60
            )
        assert sorted([*first.recipients, *second.recipients]) == sorted(PEOPLE)
        assert second.recipients


def count_working(engine: Engine) -> int:
    with Session(engine) as session:
        return len(session.exec(select(Dispatcher)).all())


# --- PostgreSQL jobs


def count_jobs(engine: Engine) -> int:
    with engine.connect() as connection:
        found: int = connection.execute(text("SELECT count(*) FROM procrastinate_jobs")).scalar_one()
        return found


def test_jobs_are_carried_out_and_not_kept(campaign_workspace: Workspace, campaign_engine: Engine) -> None:
    if campaign_engine.dialect.name == "sqlite":
        pytest.skip("SQLite has no jobs")
    number = start(campaign_workspace, campaign_engine)
    assert count_jobs(campaign_engine) == 1
    with MisbehavingServer() as server, working(to_server(campaign_workspace, server.url)):
        wait_until(lambda: is_in(campaign_engine, number, C.finished), what="the campaign to finish")
        wait_until(lambda: count_jobs(campaign_engine) == 0, what="the job to go")
