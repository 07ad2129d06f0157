"""``make bench-studio-live``: a campaign at full speed while fifty people watch it live, and readers leave.

A separate process sends the same campaign in alternating rounds, with the durable ledger in SQLite, into
smtp-sink: alone beside an idle `mailer serve`, and with the streams of fifty live pages open. Then readers
unsubscribe through the same server while all that goes on.
"""

import argparse
import asyncio
import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from sqlmodel import Session

from bench.measurement import Bound, Measurement, print_table
from bench.newsletters import NewsletterSize
from bench.prepared_campaigns import CampaignFactory, PreparedCampaign
from bench.public_pages import REQUESTS_PER_SECOND, UnsubscribeTimes, unsubscribe_all
from bench.relays import NoRelayError, running_sink
from bench.runs import Run
from bench.send_worker import SendJob
from bench.worker_process import FailedRunError, WorkerProcess, run_together
from mailer.database.team_models import Role, SignInMethod
from mailer.team.members import add_member
from mailer.team.sessions import open_team_session
from mailer.web.dependencies import utc_now
from mailer.workspace import Workspace
from subscribers.tokens import LinkPurpose
from tests.servers.process import can_connect, free_port, wait_until

READERS = 100_000
WATCHERS = 50
ROUNDS = 3
_SECONDS = 8


def measure(campaign: PreparedCampaign, rounds: int) -> Iterator[Measurement]:
    """Yield how much watching slows down sending, and how long unsubscribing takes beside both."""
    runs: dict[int, list[Run]] = {0: [], WATCHERS: []}
    with running_sink() as port:
        for turn in range(rounds):
            for watchers in (0, WATCHERS) if turn % 2 == 0 else (WATCHERS, 0):
                with serving(campaign, port, watchers):
                    runs[watchers].append(run_together([_make_sender(campaign, port)]))
        alone, watched = runs[0], runs[WATCHERS]
        yield Measurement(
            what=f"sending with {WATCHERS} live pages open / with none",
            measured=statistics.median(
                beside.rate / before.rate for before, beside in zip(alone, watched, strict=True)
            ),
            bound=Bound.at_least,
            bar=0.95,
            note=f"{statistics.median(run.rate for run in alone):,.0f} a second alone; {rounds} rounds of "
            f"{campaign.readers:,}; CPU of the sender "
            f"{statistics.median(run.cpu_each for run in watched):.0f} µs a message, alone "
            f"{statistics.median(run.cpu_each for run in alone):.0f}",
        )
        yield _measure_leaving(campaign, port)


def _measure_leaving(campaign: PreparedCampaign, port: int) -> Measurement:
    alone = _time_leaving(campaign, port, 0)
    beside = _time_leaving(campaign, port, WATCHERS)
    failed = sum(status != 200 for status in beside.statuses)
    return Measurement(
        what=f"unsubscribe POST, p99, at {REQUESTS_PER_SECOND} a second beside all that",
        measured=beside.percentile(0.99),
        unit="ms",
        bound=Bound.at_most,
        bar=100,
        note=f"p50 {beside.percentile(0.5):.1f} ms; with no live page open, p99 "
        f"{alone.percentile(0.99):.1f} ms; {failed} failed",
    )


def _time_leaving(campaign: PreparedCampaign, port: int, watchers: int) -> UnsubscribeTimes:
    tokens = campaign.audience.workspace.keys.tokens
    # The last readers in the ledger, who have left before their turn comes.
    leaving = [
        tokens.sign(
            LinkPurpose.subscription, subscriber_id=campaign.readers - n, campaign_id=campaign.campaign_id
        )
        for n in range(REQUESTS_PER_SECOND * _SECONDS)
    ]
    with serving(campaign, port, watchers) as web:
        sender = threading.Thread(target=_send, args=(campaign, port))
        sender.start()
        asyncio.run(unsubscribe_all(web, leaving[:50]))
        presses = asyncio.run(unsubscribe_all(web, leaving[50:]))
        sender.join()
    return presses


def _make_sender(campaign: PreparedCampaign, port: int) -> WorkerProcess:
    environ = {"MAILER_SMTP__URL": f"smtp://127.0.0.1:{port}"}
    job = SendJob(root=campaign.audience.workspace.root, campaign_id=campaign.campaign_id, environ=environ)
    return WorkerProcess("bench.send_worker", job)


def _send(campaign: PreparedCampaign, port: int) -> None:
    # Some have left meanwhile, which the worker reports as a failure.
    with contextlib.suppress(FailedRunError):
        run_together([_make_sender(campaign, port)])


@contextmanager
def serving(campaign: PreparedCampaign, relay: int, watchers: int) -> Iterator[int]:
    """Serve the pages of the campaign as it was launched, with so many who watch it; yields the port."""
    campaign.audience.database.restore()
    workspace = campaign.audience.workspace
    cookie, port = _sign_in(workspace), free_port()
    settings = {"MAILER_SMTP__URL": f"smtp://127.0.0.1:{relay}", "MAILER_STUDIO__ENABLED": "true"}
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "mailer",
            "-C",
            str(workspace.root),
            "serve",
            "--no-work",
            "--port",
            str(port),
        ],
        env={**os.environ, **settings},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until(lambda: can_connect(port), what="mailer serve", seconds=60)
        with _watching(port, campaign.campaign_id, cookie, watchers):
            yield port
    finally:
        process.terminate()
        process.wait(30)


def _sign_in(workspace: Workspace) -> str:
    """Let somebody into the team; return the Cookie header of their browser."""
    engine, now = workspace.open_database(), utc_now()
    with Session(engine) as session:
        member = add_member(session, "ann@example.org", "Ann Osei", Role.guest, now=now)
        secret = open_team_session(session, member.id, SignInMethod.link, browser="bench", now=now)
        session.commit()
    engine.dispose()
    name = "__Host-studio" if workspace.settings.web.base_url.startswith("https://") else "studio"
    return f"{name}={secret}"


@contextmanager
def _watching(port: int, campaign_id: int, cookie: str, watchers: int) -> Iterator[None]:
    """Read so many streams of numbers during the block, each anew when it ends, as browsers do."""
    stop, opened = threading.Event(), threading.Semaphore(0)

    async def watch() -> None:
        while not stop.is_set():
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            head = f"GET /studio/campaigns/{campaign_id}/live/events HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
            writer.write(f"{head}Cookie: {cookie}\r\n\r\n".encode())
            is_first = True
            while not stop.is_set():
                try:
                    data = await asyncio.wait_for(reader.read(65_536), 0.5)
                except TimeoutError:
                    continue
                if not data:
                    break
                if is_first and b"event: progress" in data:
                    opened.release()
                    is_first = False
            writer.close()

    async def watch_all() -> None:
        await asyncio.gather(*(watch() for _ in range(watchers)))

    thread = threading.Thread(target=lambda: asyncio.run(watch_all()))
    thread.start()
    try:
        for _ in range(watchers):
            if not opened.acquire(timeout=60):
                raise NoRelayError("the live pages did not open")
        yield
    finally:
        stop.set()
        thread.join()


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m bench.studio_live", description="Measure sending while people watch it."
    )
    parser.add_argument(
        "--readers", type=int, default=READERS, help=f"readers of the campaign (default: {READERS:,})"
    )
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"rounds of each (default: {ROUNDS})")
    parser.add_argument("--dir", type=Path, help="folder for the workspace; the speed of its disk matters")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="mailer-bench-", dir=options.dir) as folder:
        campaign = CampaignFactory(Path(folder)).prepare(NewsletterSize.small, options.readers)
        try:
            print_table(measure(campaign, options.rounds))
        except NoRelayError as error:
            print_table([Measurement(what="sending while people watch it", note=f"{error}.")])


if __name__ == "__main__":
    main()
