"""``make bench-pages``: the public pages while a campaign is being sent, and the cost of a page by itself.

The campaign is sent at full speed, by a separate process into smtp-sink, with the durable ledger in SQLite;
the pages are served by `mailer serve`. Readers unsubscribe through their own links at a steady rate, each on
a new connection, as mail providers do for one-click. Response times count from the scheduled time of the
request.
"""

import argparse
import asyncio
import contextlib
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from sqlmodel import Session, col, func, select

from bench.measurement import Bound, Measurement, print_table
from bench.newsletters import NewsletterSize
from bench.prepared_campaigns import CampaignFactory, PreparedCampaign
from bench.relays import NoRelayError, running_sink
from bench.send_worker import SendJob
from bench.silent_visitors import measure_silent_visitors
from bench.worker_process import FailedRunError, WorkerProcess, run_together
from mailer.campaigns.counted_links import CountedLinks, NumberedLink, store_counted_links
from mailer.database.models import Campaign, Delivery, DeliveryState
from mailer.web.app import create_app
from mailer.workspace import Workspace, open_workspace
from subscribers.click_tokens import ClickToken, sign_click_token
from subscribers.models import Status, Subscriber
from subscribers.tokens import LinkPurpose
from tests.servers.process import free_port, wait_until

READERS = 150_000
SHORT_READERS = 20_000
REQUESTS_PER_SECOND = 200
SECONDS = 15
_REQUESTS = 300
_BODY = b"List-Unsubscribe=One-Click"
_REQUEST_HEAD = (
    "POST /u/{token} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
    "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {length}\r\n\r\n"
)


@dataclass(frozen=True, kw_only=True)
class UnsubscribeTimes:
    """How long each unsubscribe request took, in milliseconds, and its status code."""

    milliseconds: Sequence[float]
    statuses: Sequence[int]

    def percentile(self, share: float) -> float:
        return sorted(self.milliseconds)[min(int(share * len(self.milliseconds)), len(self.milliseconds) - 1)]


def measure_unsubscribe(campaign: PreparedCampaign) -> Iterator[Measurement]:
    """Measure unsubscribing while the campaign is being sent."""
    workspace = campaign.audience.workspace
    with running_sink() as port, sending(campaign, port), serving(workspace) as web:
        number = REQUESTS_PER_SECOND * SECONDS
        # The last readers in the ledger: most have unsubscribed before their turn comes, and get nothing.
        tokens = [
            workspace.keys.tokens.sign(
                LinkPurpose.subscription, subscriber_id=campaign.readers - n, campaign_id=campaign.campaign_id
            )
            for n in range(number)
        ]
        asyncio.run(unsubscribe_all(web, tokens[:50]))
        was_sending = _count_sent(workspace)
        presses = asyncio.run(unsubscribe_all(web, tokens[50:]))
        sent = _count_sent(workspace) - was_sending
        lost = number - _count_unsubscribed(workspace)
    note = f"{sent:,} messages were sent meanwhile; p50 {presses.percentile(0.5):.1f} ms"
    yield Measurement(
        what=f"unsubscribe POST, p99, at {REQUESTS_PER_SECOND} a second while sending",
        measured=presses.percentile(0.99),
        unit="ms",
        bound=Bound.at_most,
        bar=100,
        note=note,
    )
    failed = sum(status != 200 for status in presses.statuses)
    yield Measurement(
        what=f"unsubscribe POST, lost of {number:,}",
        measured=lost + failed,
        unit="",
        bound=Bound.at_most,
        bar=0,
    )


@contextmanager
def sending(campaign: PreparedCampaign, port: int) -> Iterator[None]:
    """Send the campaign during the block, which starts once the first messages are out."""
    workspace = campaign.audience.workspace
    campaign.audience.database.restore()
    thread = threading.Thread(target=_send, args=(campaign, port), daemon=True)
    thread.start()
    wait_until(lambda: _count_sent(workspace) > 0, what="the first message", seconds=120)
    yield
    # The rest is not needed; the sender stops when the campaign is paused.
    _pause(workspace)
    thread.join(120)


def _send(campaign: PreparedCampaign, port: int) -> None:
    job = SendJob(
        root=campaign.audience.workspace.root,
        campaign_id=campaign.campaign_id,
        environ={"MAILER_SMTP__URL": f"smtp://127.0.0.1:{port}"},
    )
    # The campaign is paused early and readers unsubscribe; the send worker reports both as failures.
    with contextlib.suppress(FailedRunError):
        run_together([WorkerProcess("bench.send_worker", job)])


@contextmanager
def serving(workspace: Workspace) -> Iterator[int]:
    """Run `mailer serve` in a separate process; yields its port."""
    port = free_port()
    command = [
        sys.executable,
        "-m",
        "mailer",
        "-C",
        str(workspace.root),
        "serve",
        "--no-work",
        "--port",
        str(port),
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: asyncio.run(_answers(port)), what="mailer serve", seconds=60)
        yield port
    finally:
        process.terminate()
        process.wait(30)


async def unsubscribe_all(port: int, tokens: Sequence[str]) -> UnsubscribeTimes:
    """Send each request at its scheduled time, ``A_SECOND`` of them, however long responses take."""
    loop = asyncio.get_running_loop()
    began = loop.time() + 0.1

    async def press(place: int, token: str) -> tuple[float, int]:
        due = began + place / REQUESTS_PER_SECOND
        await asyncio.sleep(max(0.0, due - loop.time()))
        status = await _post(port, token)
        return (loop.time() - due) * 1000, status

    ended = await asyncio.gather(*(press(place, token) for place, token in enumerate(tokens)))
    return UnsubscribeTimes(
        milliseconds=[wait for wait, _ in ended], statuses=[status for _, status in ended]
    )


async def _post(port: int, token: str) -> int:
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(_REQUEST_HEAD.format(token=token, length=len(_BODY)).encode() + _BODY)
        answer = await reader.read()
        writer.close()
        return int(answer.split(b" ", 2)[1])
    except (OSError, IndexError, ValueError):
        return 0


async def _answers(port: int) -> bool:
    return await _post(port, "wrong") == 404


def measure_pages(workspace: Workspace) -> Iterator[Measurement]:
    """Measure the application's own time for a page, from the request to the last byte of the response."""
    app = create_app(workspace)
    token = workspace.keys.tokens.sign(LinkPurpose.subscription, subscriber_id=1, campaign_id=1)
    paths = {
        "leaving": f"/u/{token}",
        "preferences": f"/p/{token}",
        "list of editions": "/e/",
        "link": "/link",
        "counted link": f"/c/{_count_clicks(workspace)}/1",
    }
    medians = asyncio.run(_time_pages(app, paths))
    slowest = max(medians, key=lambda name: medians[name])
    yield Measurement(
        what="public page, p50 of the application's own time",
        measured=medians[slowest],
        unit="ms",
        bound=Bound.at_most,
        bar=5,
        note="the slowest of " + ", ".join(f"{name} {taken:.2f}" for name, taken in medians.items()),
    )


def _count_clicks(workspace: Workspace) -> str:
    """Let the first campaign count clicks on one link, and return the token of a reader's links."""
    engine = workspace.open_database()
    counted = CountedLinks(links=(NumberedLink(number=1, url="https://example.org/"),), sectors=())
    with engine.begin() as connection:
        number = connection.execute(select(func.min(Campaign.id))).scalar_one()
        store_counted_links(connection, number, counted)
    engine.dispose()
    return sign_click_token(workspace.keys.tokens, ClickToken(campaign_id=number, country="MN"))


async def _time_pages(app: FastAPI, paths: Mapping[str, str]) -> dict[str, float]:
    async with app.router.lifespan_context(app):
        return {name: await _time_page(app, path) for name, path in paths.items()}


async def _time_page(app: FastAPI, path: str) -> float:
    taken = []
    for _ in range(_REQUESTS):
        began = time.perf_counter()
        assert await _get(app, path) in (200, 302)
        taken.append((time.perf_counter() - began) * 1000)
    return statistics.median(taken[_REQUESTS // 10 :])


async def _get(app: FastAPI, path: str) -> int:
    status = 0
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(b"host", b"127.0.0.1"), (b"accept-language", b"mn,en;q=0.5")],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
        "root_path": "",
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        nonlocal status
        if message["type"] == "http.response.start":
            status = message["status"]

    await app(scope, receive, send)
    return status


def _count_sent(workspace: Workspace) -> int:
    return _count(workspace, select(func.count()).where(col(Delivery.state) == DeliveryState.sent))


def _count_unsubscribed(workspace: Workspace) -> int:
    return _count(workspace, select(func.count()).where(col(Subscriber.status) == Status.unsubscribed))


def _count(workspace: Workspace, statement: Any) -> int:
    engine = workspace.open_database()
    try:
        with Session(engine.execution_options(read_only=True)) as session:
            return int(session.exec(statement).one())
    finally:
        engine.dispose()


def _pause(workspace: Workspace) -> None:
    from datetime import UTC, datetime

    from mailer.campaigns.lifecycle import CampaignStateError, pause_campaign

    engine = workspace.open_database()
    try:
        with Session(engine) as session:
            number = session.exec(select(Campaign.id)).one() or 0
            pause_campaign(session, number, now=datetime.now(UTC))
            session.commit()
    except CampaignStateError:
        # It has already finished.
        return
    finally:
        engine.dispose()


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m bench.public_pages", description="Measure the public pages."
    )
    parser.add_argument(
        "--readers", type=int, default=READERS, help=f"readers of the campaign (default: {READERS:,})"
    )
    parser.add_argument(
        "--short-readers",
        type=int,
        default=SHORT_READERS,
        help=f"readers of the campaign beside silent visitors, sent nine times (default: {SHORT_READERS:,})",
    )
    parser.add_argument("--dir", type=Path, help="folder for the workspace; the speed of its disk matters")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="mailer-bench-", dir=options.dir) as folder:
        factory = CampaignFactory(Path(folder))
        print_table(measure(factory.prepare(NewsletterSize.small, options.readers)))
        print_table(measure_silence(factory.prepare(NewsletterSize.small, options.short_readers)))


def measure(campaign: PreparedCampaign) -> Iterator[Measurement]:
    """Yield all figures; what cannot be measured here is reported as such."""
    yield from measure_pages(open_workspace(campaign.audience.workspace.root, environ={}))
    try:
        yield from measure_unsubscribe(campaign)
    except NoRelayError as error:
        yield Measurement(what="unsubscribe POST while sending", note=f"{error}.")


def measure_silence(campaign: PreparedCampaign) -> Iterator[Measurement]:
    """Yield how much silent visitors slow down sending."""
    try:
        yield from measure_silent_visitors(campaign)
    except NoRelayError as error:
        yield Measurement(what="sending beside silent visitors", note=f"{error}.")


if __name__ == "__main__":
    main()
