"""What a team opens in a browser with other people's words in it: reports, logs, previews. Nothing runs.

Readers choose their names, and mail servers their replies. A browser decides by its own rules what a file is,
so the files are opened as they lie on disk, under the names people give them.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import pytest
from click.testing import CliRunner
from playwright.sync_api import Browser, Error, Page
from sqlalchemy import Engine, update
from sqlmodel import Session, select

from mailer.campaigns.outbox import write_outbox
from mailer.campaigns.plan import plan_campaign
from mailer.cli import mailer
from mailer.network import ListenAddress
from mailer.settings import LogSettings
from mailer.web.access import LocalAccess
from mailer.web.connections import ConnectionLimits
from mailer.web.metrics import create_metrics_app
from mailer.web.preview import create_preview_app
from mailer.web.report import create_report_app
from mailer.web.server import start_beside
from mailer.workspace import Workspace
from subscribers.models import Subscriber
from subscribers.segments.segment import parse_segment
from tests.acceptance.campaign_driver import CampaignDriver, addresses
from tests.factories.hostile_strings import HOSTILE
from tests.factories.reports import make_report_with_words
from tests.factories.small_edition import SLUG
from tests.servers.process import free_port
from tests.servers.scripted_smtp import ScriptedServer
from tests.web.report_pages.shown_reports import ShownReports
from tests.web.site import served

RUNS = (
    "<script>window.ran=1;alert(1)</script>",
    "<img src=x onerror=window.ran=1>",
    "<svg onload=window.ran=1>",
    "<iframe srcdoc='<script>top.ran=1</script>'></iframe>",
    '"><script>window.ran=1</script>',
    "</title></textarea></style><script>window.ran=1</script>",
    "<link rel=stylesheet href=http://evil.example/x>",
    "<meta http-equiv=refresh content=0;url=http://evil.example/>",
    "<base href=http://evil.example/><img src=x>",
)
"""Scripts that leave a mark, and what loads something from another site."""


class Watch:
    """A page that notes scripts that ran, boxes that opened, and other sites that were asked."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.noted: list[str] = []
        page.on("dialog", lambda dialog: (self.noted.append(f"box: {dialog.message}"), dialog.dismiss()))
        page.on("request", lambda request: self._note_request(request.url))

    def _note_request(self, url: str) -> None:
        if "evil.example" in url:
            self.noted.append(url)

    def open(self, url: str) -> list[str]:
        """Open ``url``; return what was noted."""
        self.noted.clear()
        # What a browser downloads instead of showing is no page, and runs nothing.
        with suppress(Error):
            self.page.goto(url, wait_until="load")
        try:
            if self.page.evaluate("window.ran === 1"):
                self.noted.append("a script ran")
        except Error:
            self.noted.append("the page went elsewhere")
        return list(self.noted)


@pytest.fixture
def watch(browser: Browser) -> Iterator[Watch]:
    context = browser.new_context()
    yield Watch(context.new_page())
    context.close()


def test_the_watch_sees_what_runs(watch: Watch, tmp_path: Path) -> None:
    for number, text in enumerate(RUNS):
        path = tmp_path / f"{number}.html"
        path.write_text(f"<!DOCTYPE html><title>x</title><p>{text}</p>", encoding="utf-8")
        assert watch.open(path.as_uri()), text


@pytest.fixture
def driver(workspace: Workspace) -> Iterator[CampaignDriver]:
    """A campaign to readers with hostile names, which a hostile server refused."""
    engine = workspace.open_database(durable=True)
    driver = CampaignDriver(workspace=workspace, engine=engine, url="")
    driver.launch(addresses(2 * len(RUNS)))
    name_readers(engine, [*RUNS, *HOSTILE["scripts"]])
    yield driver
    engine.dispose()


def name_readers(engine: Engine, names: list[str]) -> None:
    with Session(engine) as session:
        for reader, name in zip(session.exec(select(Subscriber)).all(), names, strict=False):
            reader.name = reader.organisation = name
            session.add(reader)
        session.commit()


def refuse_all(driver: CampaignDriver, form: Literal["text", "json"]) -> Path:
    """Have every reader refused, in words with scripts in them; return the log of it."""
    log = driver.workspace.root / "sending.log"
    settings = driver.workspace.settings.model_copy(
        update={"log": LogSettings(format=form, file=log, level="debug")}
    )
    script = iter(range(10**6))
    refuse = lambda verb, _: f"550 5.7.1 {RUNS[next(script) % len(RUNS)]}" if verb == "RCPT" else None  # noqa: E731
    with ScriptedServer(script=refuse) as server:
        logging = replace(driver, workspace=replace(driver.workspace, settings=settings), url=server.url)
        # Playwright has a loop of its own in this thread.
        with ThreadPoolExecutor(1) as thread:
            thread.submit(logging.send_here).result()
    return log


@pytest.mark.parametrize("form", ["text", "json"])
def test_nothing_runs_in_a_log(
    driver: CampaignDriver, watch: Watch, tmp_path: Path, form: Literal["text", "json"]
) -> None:
    log = refuse_all(driver, form).read_text(encoding="utf-8")
    assert "<script>" in log
    for name in ("a.log", "a.txt", "a.json", "a"):
        (tmp_path / name).write_text(log, encoding="utf-8")
        assert watch.open((tmp_path / name).as_uri()) == [], name


def test_nothing_runs_in_a_report(driver: CampaignDriver, watch: Watch, tmp_path: Path) -> None:
    refuse_all(driver, "text")
    root, runner = str(driver.workspace.root), CliRunner()
    files = [tmp_path / name for name in ("report.csv", "refused.txt", "report")]
    for path in files:
        told = runner.invoke(mailer, ["-C", root, "campaigns", "report", "1", "--csv", str(path)])
        assert told.exit_code == 0, told.output
        assert "<script>" in path.read_text(encoding="utf-8")
    for name, words in {
        "shown.txt": ("campaigns", "report", "1"),
        "shown.json": ("campaigns", "report", "1", "--json"),
        "list.txt": ("subscribers", "list"),
        "reader.txt": ("subscribers", "show", "reader0@example.org"),
        "reader.json": ("subscribers", "data", "reader0@example.org"),
    }.items():
        told = runner.invoke(mailer, ["-C", root, *words])
        assert told.exit_code == 0, told.output
        files.append(tmp_path / name)
        files[-1].write_text(told.stdout, encoding="utf-8")
    for path in files:
        assert watch.open(path.as_uri()) == [], path.name


def test_nothing_runs_in_a_preview_on_disk_or_on_a_page(driver: CampaignDriver, watch: Watch) -> None:
    workspace, now = driver.workspace, datetime.now(UTC)
    with driver.engine.begin() as connection:
        connection.execute(update(Subscriber).values(country="CN", language="en"))
    plan = plan_campaign(workspace, driver.engine, SLUG, parse_segment("all"), now=now, again=True)
    wanted = addresses(len(RUNS))
    for path in write_outbox(workspace, driver.engine, plan, addresses=wanted, now=now):
        page = path.with_suffix(".html")
        assert watch.open(page.as_uri()) == [], page.name
    access = LocalAccess()
    with served(create_preview_app(workspace, SLUG, access=access)) as running:
        assert watch.open(access.make_url(running.url)) == []
        for email in wanted[::3]:
            assert watch.open(f"{running.url}/?for={email}") == []
            assert watch.open(f"{running.url}/frame?for={email}") == []
    address = ListenAddress(host="127.0.0.1", port=free_port())
    limits = ConnectionLimits(connections=8, backlog=8)
    metrics = start_beside(create_metrics_app(workspace, address), address, limits=limits)
    try:
        assert watch.open(f"{metrics.url}/metrics") == []
    finally:
        metrics.stop()


def test_nothing_runs_on_the_page_of_a_report(driver: CampaignDriver, watch: Watch) -> None:
    refuse_all(driver, "text")
    access = LocalAccess(opening_path="/campaigns/1")
    with served(create_report_app(driver.workspace, access=access)) as running:
        assert watch.open(access.make_url(running.url)) == []
        assert "window.ran=1;alert(1)" in watch.page.inner_text("#reasons")
        assert watch.open(f"{running.url}/") == []


def test_nothing_runs_wherever_a_report_has_words_of_others(workspace: Workspace, watch: Watch) -> None:
    """Bounce texts, links, stories, organisations, addresses, warnings, titles: each script in each place."""
    vectors = (*RUNS, *HOSTILE["scripts"])
    assert len(vectors) >= 30
    reports = {
        str(start): make_report_with_words(vectors[start : start + 8]) for start in range(0, len(vectors), 8)
    }
    with served(ShownReports(workspace.settings, reports=reports, time_lines={}).create_app()) as running:
        for name in reports:
            assert watch.open(f"{running.url}/report/{name}") == [], name
            assert watch.page.locator("svg.chart").count() >= 5
