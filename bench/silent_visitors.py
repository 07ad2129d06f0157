"""How much silent visitors slow down sending: `mailer serve` with 128 descriptors, in alternating rounds.

Each round sends the same campaign from the start, once alone and once while 160 visitors keep connections
open, say nothing, and connect again a second after they are dropped. Which of the two is first alternates,
after a round that does not count. The ledger says how long the sending took, whatever starting did.
"""

import os
import socket
import statistics
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine, func, select
from sqlmodel import col

from bench.measurement import Bound, Measurement
from bench.prepared_campaigns import PreparedCampaign
from bench.relays import running_sink
from mailer.database.models import CampaignState, Delivery
from tests.factories.deliveries import read_campaign
from tests.servers.process import can_connect, free_port, wait_until

VISITORS = 160
DESCRIPTORS = 128
ROUNDS = 4
_PAUSE_SECONDS = 1.0


def measure_silent_visitors(campaign: PreparedCampaign) -> Iterator[Measurement]:
    """Measure how many times as long the campaign takes beside the silent visitors."""
    taken: dict[int, list[float]] = {0: [], VISITORS: []}
    with running_sink() as relay:
        _time_sending(campaign, relay)
        for turn in range(ROUNDS):
            for visitors in (0, VISITORS) if turn % 2 == 0 else (VISITORS, 0):
                taken[visitors].append(_time_sending(campaign, relay, visitors))
    yield Measurement(
        what=f"sending beside {VISITORS} silent visitors / alone, {DESCRIPTORS} descriptors",
        measured=statistics.median(
            beside / alone for alone, beside in zip(taken[0], taken[VISITORS], strict=True)
        ),
        bound=Bound.at_most,
        bar=1.2,
        note=f"{campaign.readers:,} messages took {statistics.median(taken[0]):.1f} s alone; {ROUNDS} rounds",
    )


def _time_sending(campaign: PreparedCampaign, relay: int, visitors: int = 0) -> float:
    """The seconds from the first message to the last, by the ledger."""
    campaign.audience.database.restore()
    engine = campaign.audience.workspace.open_database()
    port = free_port()
    try:
        with _serving(campaign, relay, port), _visiting(port, visitors):
            wait_until(
                lambda: read_campaign(engine, campaign.campaign_id).state is CampaignState.finished,
                what="the campaign to finish",
                seconds=600,
            )
            return _read_duration(engine)
    finally:
        engine.dispose()


def _read_duration(engine: Engine) -> float:
    sent_at = col(Delivery.updated_at)
    with engine.connect() as connection:
        first, last = connection.execute(select(func.min(sent_at), func.max(sent_at))).one()
    return float((last - first).total_seconds())


@contextmanager
def _serving(campaign: PreparedCampaign, relay: int, port: int) -> Iterator[None]:
    """Run `mailer serve`, which sends the campaign; the block starts once its pages answer."""
    command = [sys.executable, "-m", "mailer", "-C", str(campaign.audience.workspace.root)]
    process = subprocess.Popen(
        ["prlimit", f"--nofile={DESCRIPTORS}:{DESCRIPTORS}", *command, "serve", "--port", str(port)],
        env={**os.environ, "MAILER_SMTP__URL": f"smtp://127.0.0.1:{relay}"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until(lambda: can_connect(port), what="mailer serve", seconds=60)
        yield
    finally:
        process.terminate()
        process.wait(60)


@contextmanager
def _visiting(port: int, visitors: int) -> Iterator[None]:
    """Keep this many silent connections open during the block, by one thread that looks after all of them."""
    stop = threading.Event()
    thread = threading.Thread(target=_keep_silent, args=(port, visitors, stop))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _keep_silent(port: int, visitors: int, stop: threading.Event) -> None:
    connections: list[socket.socket] = []
    while not stop.wait(_PAUSE_SECONDS if connections else 0):
        connections = [connection for connection in connections if not _is_dropped(connection)]
        while len(connections) < visitors and not stop.is_set():
            try:
                connections.append(socket.create_connection(("127.0.0.1", port), timeout=1))
            except OSError:
                break
    for connection in connections:
        connection.close()


def _is_dropped(connection: socket.socket) -> bool:
    connection.setblocking(False)
    try:
        dropped = connection.recv(1) == b""
    except BlockingIOError:
        return False
    except OSError:
        dropped = True
    if dropped:
        connection.close()
    return dropped
